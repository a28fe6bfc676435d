/**
 * Spans to an OpenTelemetry collector, in batches, as OTLP over HTTP with JSON. A collector that is slow or away costs a bounded
 * queue and a counter, never a request. Source: OpenTelemetry Protocol 1.x, "OTLP/HTTP"; ids there are lower-case hex.
 */
import {
  type Clock,
  type Log,
  type Metrics,
  type Span,
  type SpanKind,
  type Timer,
  toHex,
  type Trace,
  type TraceAttributes,
} from '../util/index.ts'

export interface OtlpDeps {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Resolves with the status; rejects when nobody answers. */
  readonly post: (url: string, body: string, signal: AbortSignal) => Promise<number>
}

export interface OtlpOptions {
  readonly url: string
  readonly ratio: number
  /** `client`, `proxy`, `worker`. */
  readonly role: string
}

export interface OtlpTrace extends Trace {
  /** Sends what waits, for a moment. */
  close(): Promise<void>
}

const SEND_EVERY_MS = 2_000
/** A full batch leaves at once: a large one would hold up requests while it is put together. */
const BATCH = 64
/** While a collector is away. */
const MAX_WAITING = 4_096
const SEND_TIMEOUT_MS = 5_000
const MAX_EVENTS = 16
const CLOSE = ']}]}]}'

const KIND: Readonly<Record<SpanKind, number>> = { server: 2, client: 3 }
const STATUS = { ok: 1, error: 2 } as const

export function createOtlpTrace(deps: OtlpDeps, options: OtlpOptions): OtlpTrace {
  const { clock, log } = deps
  const sent = deps.metrics.counter('trace_spans_total', 'Spans by what became of them', ['result'])
  // Of 2^32: what a trace's first four bytes are held against.
  const bar = options.ratio * 2 ** 32
  const resource = { attributes: attributesOf({ 'service.name': `cocoon-${options.role}` }) }
  const open = `{"resourceSpans":[{"resource":${JSON.stringify(resource)},"scopeSpans":[{"scope":{"name":"cocoon"},"spans":[`
  /** JSON already: text is cheaper to keep than the objects it is made of. */
  let waiting: string[] = []
  let timer: Timer | null = null
  let sending: Promise<void> | null = null
  let isAway = false

  const isTraced = (trace: Uint8Array): boolean => new DataView(trace.buffer, trace.byteOffset, 4).getUint32(0) < bar

  function add(span: object): void {
    if (waiting.length >= MAX_WAITING) return sent.add(1, { result: 'dropped' })
    waiting.push(JSON.stringify(span))
    if (waiting.length >= BATCH && !isAway) send(BATCH)
    later()
  }

  function later(): void {
    timer ??= clock.after(SEND_EVERY_MS, () => {
      timer = null
      send(1)
    })
  }

  /** @param least so many must wait, each time */
  function send(least: number): void {
    sending ??= sendAll(least).finally(() => {
      sending = null
      if (waiting.length > 0 && !isAway) later()
    })
  }

  async function sendAll(least: number): Promise<void> {
    while (waiting.length >= least) {
      const batch = waiting.slice(0, BATCH)
      waiting = waiting.slice(BATCH)
      const body = `${open}${batch.join()}${CLOSE}`
      const status = await deps
        .post(options.url, body, AbortSignal.timeout(SEND_TIMEOUT_MS))
        .catch((error: unknown) => String(error))
      const isGood = typeof status === 'number' && status < 300
      sent.add(batch.length, { result: isGood ? 'sent' : 'refused' })
      if (isGood === isAway)
        if (isGood) log.info('the trace collector takes spans again')
        else
          log.warn('the trace collector takes no spans; they are dropped until it does', {
            url: options.url,
            answer: status,
          })
      isAway = !isGood
      // What waits would meet the same; the next span tries again.
      if (!isGood) return
    }
  }

  return {
    begin(name, kind, { trace, span, parent }) {
      if (!isTraced(trace)) return null
      const record = {
        traceId: toHex(trace),
        spanId: toHex(span),
        ...(parent === null ? {} : { parentSpanId: toHex(parent) }),
        name,
        kind: KIND[kind],
        startTimeUnixNano: nanos(clock.now()),
      }
      const events: object[] = []
      let isOver = false
      const one: Span = {
        event(what) {
          if (events.length < MAX_EVENTS) events.push({ timeUnixNano: nanos(clock.now()), name: what })
        },
        end(isGood, attributes) {
          if (isOver) return
          isOver = true
          add({
            ...record,
            endTimeUnixNano: nanos(clock.now()),
            attributes: attributesOf(attributes),
            events,
            status: { code: isGood ? STATUS.ok : STATUS.error },
          })
        },
      }
      return one
    },
    async close() {
      timer?.cancel()
      timer = null
      await sending
      await sendAll(1)
    },
  }
}

/** The clock has milliseconds with a fraction; a double would lose the last digits of nanoseconds since 1970. */
const nanos = (ms: number): string => `${Math.floor(ms)}${String(Math.floor((ms % 1) * 1e6)).padStart(6, '0')}`

function attributesOf(values: TraceAttributes): object[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: valueOf(value) }))
}

function valueOf(value: string | number | bigint | boolean): object {
  switch (typeof value) {
    case 'string':
      return { stringValue: value }
    case 'boolean':
      return { boolValue: value }
    case 'bigint':
      return { intValue: String(value) }
    case 'number':
      return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  }
}

/** A redirect would carry spans to somebody else. */
export const postSpans: OtlpDeps['post'] = async (url, body, signal) => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    signal,
    redirect: 'error',
  })
  await answer.body?.cancel()
  return answer.status
}
