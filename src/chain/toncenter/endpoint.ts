/** One toncenter endpoint: asked at its pace, believed only in form and order. */
import type { z } from 'zod'
import { type Clock, CocoonError, type Counter, type Log, type Random, reveal, type Secret } from '../../util/index.ts'
import type { ChainIdentity } from './identity.ts'
import { orAborted } from '../pause.ts'
import { type Circuit, createCircuit } from './circuit.ts'
import type { HttpAnswer, HttpPost } from './http.ts'
import { createRateLimit } from './rate-limit.ts'
import { Envelope, FirstState } from './schemas.ts'

export interface EndpointOptions {
  /** Up to and with the version: `https://host/api/v2`. */
  readonly url: string
  readonly apiKey?: Secret<string>
  /** Public endpoints allow one without a key. */
  readonly requestsPerSecond: number
}

export interface Endpoint {
  /** For logs and errors: no key, no query. */
  readonly name: string
  readonly circuit: Circuit
  /**
   * Throws `chain.unavailable`, `chain.bad-answer`, `chain.refused`. A transform in the schema may throw errors of its own:
   * what it finds counts against the endpoint.
   */
  call<S extends z.ZodType>(method: string, params: object, schema: S, signal?: AbortSignal): Promise<z.output<S>>
  /** By how much its server's clock was ahead of ours when it answered last; null where it does not say. */
  serverAheadMs(): number | null
  /** The newest block it has told of. */
  newest(): BlockMark
  /**
   * Throws `chain.stale` when an answer is behind the clock, or behind what the endpoint had told before it was asked;
   * `chain.clock` when it is our clock that is wrong: no block comes from the future, and an endpoint's own clock tells the rest.
   * @param before `newest()` from before the question: answers to questions asked together may overtake each other
   */
  checkFresh(answer: BlockMark, before: BlockMark): void
}

/** A block of the masterchain. */
export interface BlockMark {
  readonly seqno: number
  readonly atMs: number
}

export interface EndpointDeps {
  readonly clock: Clock
  readonly random: Random
  readonly post: HttpPost
  readonly requests: Counter
  readonly log: Log
  readonly timeoutMs: number
  readonly maxAgeMs: number
  /** Without: whatever chain it serves. */
  readonly identity?: ChainIdentity
}

/** A server's clock and ours may differ by so much; from here on it is said in the log. */
export const MAX_CLOCK_OFFSET_MS = 60_000
const NOTED_CLOCK_OFFSET_MS = 10_000
/** An address may lead to another server one day. */
const IDENTITY_MS = 600_000
/** Enough of a server's words for an error; they are not ours. */
const MAX_WORDS = 300

export function createEndpoint({ url, apiKey, requestsPerSecond }: EndpointOptions, deps: EndpointDeps): Endpoint {
  const { clock } = deps
  const base = url.replace(/\/+$/, '')
  const name = new URL(base).host
  const rate = createRateLimit(requestsPerSecond, clock)
  const circuit = createCircuit(clock, deps.random)
  let newest: BlockMark = { seqno: 0, atMs: 0 }
  let serverAheadMs: number | null = null
  let isClockNoted = false
  let identifiedUntilMs = Number.NEGATIVE_INFINITY
  let identifying: Promise<void> | null = null

  async function call<S extends z.ZodType>(
    method: string,
    params: object,
    schema: S,
    signal?: AbortSignal,
  ): Promise<z.output<S>> {
    if (deps.identity !== undefined && clock.now() >= identifiedUntilMs) await identify(deps.identity, signal)
    return ask(method, params, schema, signal)
  }

  /** Once for all who wait for it; whoever gives up waiting leaves the question to the others. */
  async function identify(identity: ChainIdentity, signal?: AbortSignal): Promise<void> {
    const firstState = FirstState.transform(({ init }) => identity.expect(name, init.root_hash))
    identifying ??= ask('getMasterchainInfo', {}, firstState)
      .then(() => void (identifiedUntilMs = clock.now() + IDENTITY_MS))
      .finally(() => (identifying = null))
    await orAborted(identifying, signal)
  }

  async function ask<S extends z.ZodType>(
    method: string,
    params: object,
    schema: S,
    signal?: AbortSignal,
  ): Promise<z.output<S>> {
    await rate.take(signal)
    try {
      const value = parse(await post(method, params, signal), method, schema)
      circuit.succeeded()
      deps.requests.add(1, { endpoint: name, outcome: 'ok' })
      return value
    } catch (error) {
      signal?.throwIfAborted()
      const code = error instanceof CocoonError ? error.code : 'chain.unavailable'
      deps.requests.add(1, { endpoint: name, outcome: code })
      if (code === 'chain.refused') circuit.succeeded()
      else {
        circuit.failed()
        // Whoever comes back may be somebody else.
        identifiedUntilMs = Number.NEGATIVE_INFINITY
      }
      throw error
    }
  }

  async function post(method: string, params: object, signal?: AbortSignal): Promise<HttpAnswer> {
    const timeout = new AbortController()
    const timer = clock.after(deps.timeoutMs, () => timeout.abort(new Error('timeout')))
    const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json' }
    if (apiKey !== undefined) headers['x-api-key'] = reveal(apiKey)
    const body = JSON.stringify({ id: '1', jsonrpc: '2.0', method, params })
    const either = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal])
    const askedAtMs = clock.now()
    try {
      const answer = await deps.post({ url: `${base}/jsonRPC`, headers, body, signal: either })
      if (answer.dateMs !== null) compareClocks(answer.dateMs, askedAtMs)
      return answer
    } catch (cause) {
      if (cause instanceof CocoonError) throw cause
      const why = timeout.signal.aborted ? `no answer in ${deps.timeoutMs} ms` : 'no connection'
      throw new CocoonError('chain.unavailable', { endpoint: name, method, message: `${name}: ${why}` }, { cause })
    } finally {
      timer.cancel()
    }
  }

  function compareClocks(dateMs: number, askedAtMs: number): void {
    const nowMs = clock.now()
    serverAheadMs = dateMs - nowMs
    // What the way there and back has taken is no difference of clocks.
    const isOff = Math.abs(serverAheadMs) - (nowMs - askedAtMs) > NOTED_CLOCK_OFFSET_MS
    if (isOff && !isClockNoted)
      deps.log.warn('this machine’s clock and an endpoint’s differ: set it, best by NTP', {
        endpoint: name,
        oursAheadS: Math.round(-serverAheadMs / 1000),
      })
    isClockNoted = isOff
  }

  function parse<S extends z.ZodType>(answer: HttpAnswer, method: string, schema: S): z.output<S> {
    const unavailable = (why: string): CocoonError =>
      new CocoonError('chain.unavailable', {
        endpoint: name,
        method,
        status: answer.status,
        message: `${name}: ${why}`,
      })
    if (answer.status === 429) {
      circuit.askedTooOften(answer.retryAfterMs)
      throw unavailable('asked too often')
    }
    const envelope = Envelope.safeParse(jsonOrNull(answer.text))
    if (!envelope.success)
      throw answer.status >= 500 ? unavailable(`HTTP ${answer.status}`) : bad(method, 'no JSON-RPC')
    if (!envelope.data.ok) throw refusal(envelope.data.error, envelope.data.code ?? answer.status, method, unavailable)
    if (answer.status !== 200) throw bad(method, `HTTP ${answer.status} with a result`)
    const result = schema.safeParse(envelope.data.result)
    if (result.success) return result.data
    const [issue] = result.error.issues
    throw bad(method, `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`)
  }

  /** The words of a liteserver come through; they are the only way to tell a lack of service from a refusal. */
  function refusal(
    words: string,
    code: number,
    method: string,
    unavailable: (why: string) => CocoonError,
  ): CocoonError {
    const why = printable(words)
    if (code === 429) {
      circuit.askedTooOften(null)
      return unavailable('asked too often')
    }
    const isRefused = (code >= 400 && code < 500) || /cannot apply external message|not accepted/i.test(words)
    if (!isRefused) return unavailable(why)
    return new CocoonError('chain.refused', {
      endpoint: name,
      method,
      why,
      message: `${name} refuses ${method}: ${why}`,
    })
  }

  const bad = (method: string, why: string): CocoonError =>
    new CocoonError('chain.bad-answer', {
      endpoint: name,
      method,
      message: `${name} answers ${method} wrongly: ${why}`,
    })

  return {
    name,
    circuit,
    call,
    serverAheadMs: () => serverAheadMs,
    newest: () => newest,
    checkFresh({ seqno, atMs }, before) {
      const nowMs = clock.now()
      const stale = (why: string): CocoonError =>
        new CocoonError('chain.stale', { endpoint: name, seqno, message: `${name}: ${why}` })
      const wrongClock = (offMs: number, side: 'behind' | 'ahead of'): CocoonError =>
        new CocoonError('chain.clock', {
          endpoint: name,
          message: `this machine’s clock is ${Math.round(offMs / 1000)} s ${side} the chain’s (block ${seqno} of ${name}): set it, best by NTP; it is tried again`,
        })
      if (atMs > nowMs + MAX_CLOCK_OFFSET_MS) throw wrongClock(atMs - nowMs, 'behind')
      if (atMs < nowMs - deps.maxAgeMs) {
        const isFreshThere = serverAheadMs !== null && nowMs + serverAheadMs - atMs <= deps.maxAgeMs
        if (isFreshThere) throw wrongClock(-(serverAheadMs as number), 'ahead of')
        throw stale(`its block ${seqno} is ${Math.round((nowMs - atMs) / 1000)} s old; or our clock is wrong`)
      }
      if (seqno < before.seqno || atMs < before.atMs)
        throw stale(`block ${seqno} after it told of block ${before.seqno}`)
      if (seqno > newest.seqno) newest = { seqno, atMs }
    },
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const printable = (words: string): string => words.slice(0, MAX_WORDS).replaceAll(/[^\x20-\x7e]+/g, ' ')
