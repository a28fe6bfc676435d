/**
 * One answer on its way to one caller, wherever the caller sits: behind HTTP (respond.ts) or in this process (the SDK).
 * What holds on every path: the caller sees a complete body, an error event or an aborted transfer, never a quiet end;
 * and an inference that nobody reads is cancelled once.
 */
import type { FinalInfo, Inference, InferenceSink, RunningInference } from '../roles/client/index.ts'
import { type Clock, type CocoonError, type Log, type Timer, toCocoonError } from '../util/index.ts'
import { isHeaderValue, passHeaders } from './answer-headers.ts'
import { addDebug } from './debug.ts'
import { apiError, toErrorBody, toHttpError } from './errors.ts'
import { createStreamTail, type StreamTail } from './event-stream.ts'
import type { PreparedInference } from './caller.ts'
import { TranslatedOutlet } from './translated-outlet.ts'

export interface AnswerLimits {
  /** A body of known length is held back up to this, so that its price stands in the headers. */
  readonly maxBufferedBytes: number
  /** More than this waiting for the caller to read ends the request. */
  readonly maxUndeliveredBytes: number
}

export interface AnswerDeps {
  readonly inference: Inference
  readonly clock: Clock
  readonly log: Log
  readonly limits: AnswerLimits
  /** Called at the head of the answer with the time it took. */
  readonly firstByte: (ms: number) => void
}

/**
 * Where an answer goes: `send` alone, or `begin`, any number of `write` and `end`, or `abort` at any time. It always comes
 * to one of `send`, `end` and `abort`, also when the caller has left. Headers are flat: name, value, name, value.
 */
export interface AnswerOutlet {
  /** The head of a body that follows in pieces. */
  begin(status: number, headers: string[], isEventStream: boolean): void
  /** The next bytes, only lent: copy what is kept. */
  write(bytes: Uint8Array): void
  /** Bytes written that the caller has not taken yet. */
  readonly undelivered: number
  /** @param cost headers that could not be told at the head; empty when nobody knows */
  end(cost: readonly (readonly [name: string, value: string])[]): void
  /** A whole answer of known length. */
  send(status: number, headers: string[], body: Uint8Array): void
  /** Ends so that it cannot be taken for the end of the body. */
  abort(why: CocoonError): void
}

/** The node keeps the time of a request; this is for a node that forgets. */
const TIMEOUT_GRACE_MS = 5_000

/** `left`: the caller has taken all and gone; only the cost is still to come. */
type State = 'waiting' | 'buffering' | 'live' | 'left' | 'over'

/** Call `run` once; `hungUp` when the caller leaves before the end. */
export class Answer implements InferenceSink {
  readonly #outlet: AnswerOutlet
  readonly #request: PreparedInference
  readonly #deps: AnswerDeps
  readonly #startMs: number
  readonly #timer: Timer
  readonly #baseHeaders: readonly string[]
  /** Of the answer, once it has begun. */
  #headers: string[] = []
  #state: State = 'waiting'
  #status = 200
  #body: Uint8Array[] = []
  #bodyBytes = 0
  /** Of a live stream of server-sent events. */
  #tail: StreamTail | undefined
  #isJson = false
  #running: RunningInference | undefined
  #cancelled = false

  /** @param baseHeaders what every answer of this node carries */
  constructor(outlet: AnswerOutlet, request: PreparedInference, baseHeaders: readonly string[], deps: AnswerDeps) {
    this.#outlet = request.translation === undefined ? outlet : new TranslatedOutlet(outlet, request.translation)
    this.#request = request
    this.#deps = deps
    this.#baseHeaders = baseHeaders
    this.#startMs = deps.clock.now()
    this.#timer = deps.clock.after(request.timeoutMs + TIMEOUT_GRACE_MS, () =>
      this.#giveUp(apiError('capacity.timeout')),
    )
  }

  run(): void {
    try {
      const running = this.#deps.inference.run(this.#request, this)
      if (this.#cancelled) running.cancel()
      else this.#running = running
    } catch (error) {
      this.fail(toCocoonError(error))
    }
  }

  /** The caller is gone. After the end this does nothing. */
  hungUp(): void {
    if (this.#state === 'over' || this.#state === 'left') return
    // OpenAI's library closes at `[DONE]`, a moment before we hear what the answer cost.
    if (this.#state === 'live' && this.#tail?.done === true) {
      this.#state = 'left'
      return
    }
    this.#body = []
    this.#cancel()
    this.#deps.log.debug('caller hung up', { traceId: this.#request.traceId })
    this.#abort(apiError('request.hung-up'))
  }

  head(head: Parameters<InferenceSink['head']>[0]): void {
    if (this.#state !== 'waiting') return
    const { status } = head
    // A redirect would make the caller's library send the prompt to where a worker points.
    if (!Number.isInteger(status) || status < 200 || status > 599 || (status >= 300 && status < 400))
      return this.#giveUp(apiError('engine.bad-answer', { status }))
    this.#deps.firstByte(this.#deps.clock.now() - this.#startMs)
    const passed = passHeaders(head.headers)
    const contentType = valueOf(passed, 'content-type') ?? 'application/json'
    if (valueOf(passed, 'content-type') === undefined) passed.push('content-type', contentType)
    // Nothing can be written into a body that is compressed.
    const isPlain = (valueOf(passed, 'content-encoding') ?? 'identity') === 'identity'
    const isEventStream = isPlain && /^text\/event-stream\b/i.test(contentType)
    this.#isJson = isPlain && /^application\/json\b/i.test(contentType)
    this.#status = status
    this.#headers = [...this.#baseHeaders, ...passed, 'x-cocoon-client-start', seconds(this.#startMs)]
    this.#headers.push('x-cocoon-evidence', head.evidence, 'x-cocoon-max-cost-nano', String(head.maxCostNano))
    if (isHeaderValue(head.proxy)) this.#headers.push('x-cocoon-proxy', head.proxy)
    if (typeof head.worker === 'string') this.#headers.push('x-cocoon-worker', head.worker)
    if (head.attempts !== undefined) this.#headers.push('x-cocoon-attempts', String(head.attempts))
    // Some engines stream plain JSON lines; an error is a body of known length even then.
    if (isEventStream || (this.#request.stream && status < 300)) this.#goLive(isEventStream)
    else this.#state = 'buffering'
  }

  part(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.#state === 'live') return this.#write(bytes)
    if (this.#state !== 'buffering') return
    this.#body.push(new Uint8Array(bytes)) // the bytes are only lent
    this.#bodyBytes += bytes.length
    if (this.#bodyBytes > this.#deps.limits.maxBufferedBytes) this.#goLive(false)
  }

  end(info: FinalInfo): void {
    if (this.#state === 'waiting') return this.fail(apiError('engine.bad-answer'), info)
    if (this.#state === 'buffering') return this.#sendWhole(info)
    if (this.#state === 'left') return this.#endLive(info)
    if (this.#state !== 'live') return
    if (this.#tail !== undefined && !this.#tail.done) return this.fail(apiError('engine.stream-cut'), info)
    // An event counts only with the empty line after it.
    if (this.#tail?.atBoundary === false) this.#outlet.write(EVENT_END)
    this.#endLive(info)
  }

  fail(error: CocoonError, info?: FinalInfo): void {
    if (this.#state === 'over') return
    this.#logFailure(error)
    if (this.#state === 'left') return this.#endLive(info)
    if (this.#state !== 'live') return this.#sendError(error, info)
    // Without a place for an error in the body, an aborted transfer is the only thing that cannot be taken for an end.
    if (this.#tail === undefined) return this.#abort(error)
    const event = `${this.#tail.atBoundary ? '' : '\n\n'}data: ${JSON.stringify(toErrorBody(error))}\n\n`
    this.#outlet.write(Buffer.from(event))
    this.#endLive(info)
  }

  #goLive(isEventStream: boolean): void {
    this.#state = 'live'
    this.#tail = isEventStream ? createStreamTail() : undefined
    const headers = [...this.#headers, 'x-cocoon-client-end', seconds(this.#deps.clock.now())]
    this.#outlet.begin(this.#status, headers, isEventStream)
    const held = this.#body
    this.#body = []
    for (const bytes of held) this.#write(bytes)
  }

  #write(bytes: Uint8Array): void {
    // What was held back may have been too much for the caller already.
    if (this.#state !== 'live') return
    this.#tail?.push(bytes)
    this.#outlet.write(bytes)
    if (this.#outlet.undelivered <= this.#deps.limits.maxUndeliveredBytes) return
    const error = apiError('capacity.slow-reader')
    this.#logFailure(error)
    this.#cancel()
    this.#abort(error)
  }

  #endLive(info: FinalInfo | undefined): void {
    this.#over()
    this.#outlet.end(info === undefined ? [] : costOf(info))
  }

  #sendWhole(info: FinalInfo): void {
    const held = this.#body.length === 1 ? (this.#body[0] as Uint8Array) : Buffer.concat(this.#body)
    const body =
      this.#request.debug && this.#isJson ? addDebug(held, info, this.#startMs, this.#deps.clock.now()) : held
    this.#headers.push('x-cocoon-client-end', seconds(this.#deps.clock.now()), ...costOf(info).flat())
    if (this.#status !== 204) this.#headers.push('content-length', String(body.length))
    this.#over()
    this.#outlet.send(this.#status, this.#headers, body)
  }

  #sendError(error: CocoonError, info: FinalInfo | undefined): void {
    const { status, headers, body } = toHttpError(error)
    const bytes = Buffer.from(JSON.stringify(body))
    const all = [...this.#baseHeaders]
    for (const [name, value] of Object.entries(headers)) all.push(name, value)
    if (info !== undefined) all.push(...costOf(info).flat())
    const attempts = this.#running?.story().attempts.length ?? 0
    if (attempts > 0) all.push('x-cocoon-attempts', String(attempts))
    all.push('content-type', 'application/json; charset=utf-8', 'content-length', String(bytes.length))
    this.#over()
    this.#outlet.send(status, all, bytes)
  }

  /** For what this side finds wrong while the inference still runs. */
  #giveUp(error: CocoonError): void {
    this.#cancel()
    this.fail(error)
  }

  #abort(why: CocoonError): void {
    this.#over()
    this.#outlet.abort(why)
  }

  #over(): void {
    this.#state = 'over'
    this.#timer.cancel()
  }

  #cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    this.#running?.cancel()
  }

  #logFailure(error: CocoonError): void {
    const { log } = this.#deps
    const fields = { traceId: this.#request.traceId, code: error.code, message: error.message }
    if (error.family === 'bug') log.error('request failed', { ...fields, stack: error.stack })
    else if (error.family === 'request') log.debug('request refused', fields)
    else log.warn('request failed', fields)
  }
}

const EVENT_END = Buffer.from('\n\n')

const costOf = ({ costNano, tokens }: FinalInfo): (readonly [name: string, value: string])[] => [
  ['x-cocoon-cost-nano', String(costNano)],
  ['x-cocoon-tokens', String(tokens.total)],
  ['x-cocoon-prompt-tokens', String(tokens.prompt)],
  ['x-cocoon-cached-tokens', String(tokens.cached)],
  ['x-cocoon-completion-tokens', String(tokens.completion)],
  ['x-cocoon-reasoning-tokens', String(tokens.reasoning)],
]

/** Unix seconds with six decimals, as the peers write theirs. */
const seconds = (ms: number): string => (ms / 1000).toFixed(6)

/** In a flat list. */
export function valueOf(flat: readonly string[], name: string): string | undefined {
  for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1]
  return undefined
}
