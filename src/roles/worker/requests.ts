/** A worker's running requests: validated, handed to the engine, metered, answered. One per proxy request id. */
import type { Multipliers } from '../../chain/index.ts'
import { type Engine, type EngineErrorCode, type RawUsage, type RunningCall } from '../../engine/index.ts'
import { adjustUsage, type AdjustedTokens, NO_TOKENS } from '../../ledger/index.ts'
import { createScratch, decode, type HttpRequest, httpRequest } from '../../tl/index.ts'
import { type Connection, WIRE_STATUS } from '../../transport/index.ts'
import {
  copyBytes,
  addTokens,
  type Clock,
  CocoonError,
  createRequestStats,
  type Log,
  type Metrics,
  noTrace,
  type RequestStats,
  toHex,
  type Trace,
  traceOf,
  workerSpan,
} from '../../util/index.ts'
import type { Final } from './answers.ts'
import { Outgoing } from './outgoing.ts'
import { validateRequest } from './validate.ts'

export interface WorkerAsk {
  readonly query: Uint8Array
  readonly coefficient: number
  /** Seconds. */
  readonly timeout: number
  readonly requestId: Uint8Array
  readonly debug: boolean
  readonly privateKey: Uint8Array | undefined
}

export interface RequestsDeps {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly engine: Engine
  /** The engine seems to be gone. */
  readonly suspect?: (() => void) | undefined
  readonly trace?: Trace | undefined
  /** Base name of the model served here. */
  readonly model: string
  readonly maxActive: number
  price(): { readonly multipliers: Multipliers; readonly pricePerToken: bigint }
}

export interface Requests {
  run(connection: Connection, version: number, ask: WorkerAsk): void
  /** The proxy says nobody waits any more. */
  cancel(connectionId: number, requestId: Uint8Array): void
  /** Goes on with answers that waited for the connection to drain. */
  drained(connectionId: number): void
  lost(connectionId: number): void
  readonly running: number
  runningOn(connectionId: number): number
  readonly stats: RequestStats
  idle(): Promise<void>
}

interface Running {
  readonly connection: Connection
  readonly abort: AbortController
  call?: RunningCall
  paused: boolean
}

/** As after a crash of the engine. */
const GONE: ReadonlySet<string> = new Set<EngineErrorCode>(['engine.unreachable', 'engine.cut-off'])
/** The engine gets a little less than we have, so that its error still reaches the proxy. */
const ENGINE_SHARE = 0.95
/** An hour, like the proxy: longer than any answer. */
const MAX_TIMEOUT_S = 3600
const NOTHING: RawUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }

export function createRequests(deps: RequestsDeps): Requests {
  const { clock, engine, trace = noTrace } = deps
  const running = new Map<string, Running>()
  const allocate = createScratch()
  const waiters: (() => void)[] = []
  const stats = createRequestStats(clock)
  const requests = deps.metrics.counter('requests_total', 'Requests that ended, by result', ['result'])
  const tokensByClass = deps.metrics.counter('tokens_total', 'Raw tokens the engine reported, by class', ['class'])
  const keyOf = (connectionId: number, requestId: Uint8Array): string => `${connectionId} ${toHex(requestId)}`

  function run(connection: Connection, version: number, ask: WorkerAsk): void {
    const startS = clock.now() / 1000
    const requestId = copyBytes(ask.requestId)
    const out = new Outgoing(connection, clock, { requestId, version, debug: ask.debug, allocate }, startS)
    const key = keyOf(connection.id, requestId)
    const refuse = (code: number, message: string): void => {
      stats.rejected.add(1)
      requests.add(1, { result: 'refused' })
      out.fail({ code, message }, { tokens: NO_TOKENS, start: startS, end: clock.now() / 1000 }, false)
    }
    if (running.size >= deps.maxActive) return refuse(WIRE_STATUS.error, 'too many active queries')
    if (running.has(key)) return refuse(WIRE_STATUS.protocolViolation, 'request_id is in use')
    if (!(ask.timeout > 0)) return refuse(WIRE_STATUS.protocolViolation, 'worker: timeout must be above 0')
    let request: HttpRequest
    try {
      request = decode(httpRequest, ask.query)
    } catch (error) {
      return refuse(WIRE_STATUS.protocolViolation, `worker: invalid http request: ${(error as Error).message}`)
    }
    const valid = validateRequest(request, deps.model, ask.privateKey)
    if ('code' in valid) return refuse(valid.code, valid.message)

    const span = trace.begin('serve', 'server', workerSpan(requestId, traceIn(valid.headers)))
    const abort = new AbortController()
    const entry: Running = { connection, abort, paused: false }
    running.set(key, entry)
    stats.queries.add(1)
    stats.bytesReceived.add(valid.body.length)
    let hasHead = false
    let isStream = false
    let events = 0
    let terminator: Uint8Array = EMPTY
    const prices = deps.price()
    const adjusted = (usage: RawUsage): AdjustedTokens => adjustUsage(usage, ask.coefficient, prices.multipliers)
    const finalFor = (usage: RawUsage): Final => ({ tokens: adjusted(usage), start: startS, end: clock.now() / 1000 })
    /** Logs and meters wait until what the proxy is told has left. */
    const end = (result: 'ok' | 'failed', usage: RawUsage): void => {
      running.delete(key)
      connection.afterSending(() => tell(result, usage))
    }
    const tell = (result: 'ok' | 'failed', usage: RawUsage): void => {
      requests.add(1, { result })
      stats[result === 'ok' ? 'success' : 'failed'].add(1)
      const seconds = clock.now() / 1000 - startS
      stats.time.add(seconds)
      deps.log.info('request ended', {
        request: toHex(requestId.subarray(0, LOGGED_ID_BYTES)),
        result,
        tokens: adjusted(usage).total,
        seconds,
      })
      if (result === 'ok') account(usage, adjusted(usage))
      span?.end(result === 'ok', { result, model: deps.model, tokens: adjusted(usage).total })
      if (running.size === 0) for (const wake of waiters.splice(0)) wake()
    }

    const call = engine.run(
      {
        request: { method: 'POST', path: valid.path, headers: valid.headers, body: valid.body },
        cost(usage) {
          const t = adjusted(usage)
          return {
            promptNano: (t.prompt + t.cached) * prices.pricePerToken,
            completionNano: (t.completion + t.reasoning) * prices.pricePerToken,
          }
        },
        signal: abort.signal,
        timeoutMs: ENGINE_SHARE * Math.min(ask.timeout, MAX_TIMEOUT_S) * 1000,
      },
      {
        head(status, headers) {
          hasHead = true
          span?.event('first answer')
          isStream = headers.some(
            ([name, value]) => name.toLowerCase() === 'content-type' && value.startsWith('text/event-stream'),
          )
          out.head(status, headers)
        },
        part(bytes) {
          stats.bytesSent.add(bytes.length)
          let body = bytes
          if (isStream) {
            events += countEvents(bytes)
            const cut = terminatorAt(bytes)
            if (cut >= 0) {
              // The engine's memory is only lent.
              terminator = copyBytes(bytes.subarray(cut))
              body = bytes.subarray(0, cut)
            }
          }
          if (body.length > 0) out.part(body)
          entry.paused = connection.congested
          return !entry.paused
        },
        end(usage) {
          out.end(terminator, finalFor(usage))
          end('ok', usage)
        },
        fail(error, usage) {
          if (error instanceof CocoonError && GONE.has(error.code)) deps.suspect?.()
          // A caller that left in the middle pays for what it got: as far as the engine said, at least a token an event.
          const used =
            usage.completionTokens > 0
              ? usage
              : { ...usage, completionTokens: Math.max(0, events - EVENTS_WITHOUT_TOKEN) }
          const settle = hasHead && abort.signal.aborted && connection.open
          if (settle) out.end(EMPTY, finalFor(used))
          else if (connection.open) out.fail(wireFailure(error), finalFor(NOTHING), hasHead)
          end(settle ? 'ok' : 'failed', settle ? used : NOTHING)
        },
      },
    )
    if (running.get(key) === entry) entry.call = call
  }

  function account(raw: RawUsage, used: AdjustedTokens): void {
    tokensByClass.add(raw.promptTokens - raw.cachedTokens, { class: 'prompt' })
    tokensByClass.add(raw.cachedTokens, { class: 'cached' })
    tokensByClass.add(raw.completionTokens - raw.reasoningTokens, { class: 'completion' })
    tokensByClass.add(raw.reasoningTokens, { class: 'reasoning' })
    addTokens(stats, used)
  }

  const of = (connectionId: number): Running[] => [...running.values()].filter((r) => r.connection.id === connectionId)
  return {
    run,
    cancel: (connectionId, requestId) => running.get(keyOf(connectionId, requestId))?.abort.abort(),
    drained(connectionId) {
      for (const entry of of(connectionId)) {
        if (!entry.paused) continue
        entry.paused = false
        entry.call?.resume()
      }
    },
    lost(connectionId) {
      for (const entry of of(connectionId)) entry.abort.abort()
    },
    runningOn: (connectionId) => of(connectionId).length,
    get running() {
      return running.size
    },
    stats,
    idle: () => (running.size === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  }
}

const EMPTY = new Uint8Array()

function traceIn(headers: readonly (readonly [name: string, value: string])[]): Uint8Array | null {
  const found = headers.find(([name]) => name.toLowerCase() === 'traceparent')
  return found === undefined ? null : traceOf(found[1])
}

/** Of 32: enough to find a request among millions, in the proxy’s log too. */
const LOGGED_ID_BYTES = 8
/** A stream's first event only says who speaks. */
const EVENTS_WITHOUT_TOKEN = 1
const EVENT_START = Buffer.from('data: {')

function countEvents(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let count = 0
  for (let at = buffer.indexOf(EVENT_START); at >= 0; at = buffer.indexOf(EVENT_START, at + EVENT_START.length)) count++
  return count
}

const DONE = Buffer.from('data: [DONE]')
/** What may stand behind it: line ends. */
const MAX_TAIL_BYTES = DONE.length + 4

/**
 * Where a stream's `data: [DONE]` begins, or −1. It travels with the usage, in the last part: a caller that has seen it may
 * close, and whoever settles the usage decides whether the answer has come to its end.
 */
function terminatorAt(bytes: Uint8Array): number {
  const tail = bytes.subarray(Math.max(0, bytes.length - MAX_TAIL_BYTES))
  const at = Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength).lastIndexOf(DONE)
  return at < 0 ? -1 : bytes.length - tail.length + at
}

function wireFailure(error: Error): { code: number; message: string } {
  if (error instanceof CocoonError && error.code === 'engine.timeout')
    return { code: WIRE_STATUS.timeout, message: 'worker: timeout' }
  if (error instanceof CocoonError && error.code === 'engine.aborted')
    return { code: WIRE_STATUS.cancelled, message: 'worker: cancelled' }
  const what = error instanceof CocoonError ? error.message : 'engine failure'
  return { code: WIRE_STATUS.failure, message: `worker: http failed: ${what}`.slice(0, 1024) }
}
