/**
 * An engine behind HTTP: vLLM, SGLang, llama-server, Ollama and whatever else speaks OpenAI's API. What one read of the
 * socket brought goes through the meter to the sink in one piece, in the same turn of the event loop.
 */
import { Client, type Dispatcher, Pool } from 'undici'
import { type Clock, type CocoonError, type Log, type Metrics, reveal } from '../util/index.ts'
import { askForUsage } from './ask-for-usage.ts'
import { engineError, toEngineError } from './errors.ts'
import { requestHeaders, responseHead } from './http-headers.ts'
import { listModels } from './http-models.ts'
import { createMeter, type Meter } from './meter.ts'
import type { HttpEngineOptions } from './options.ts'
import { type AnswerSink, type Engine, type EngineCall, NO_USAGE, type RunningCall } from './types.ts'

/** Status line and headers of an answer. Engines send well under 1 KiB; the reference reads lines of up to 16 KiB. */
export const MAX_HEAD_BYTES = 32 * 1024
/** One answer: far above any text, below what would hurt. */
export const MAX_ANSWER_BYTES = 1024 * 1024 * 1024
/** What a timer can hold; more would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
/** A part travels in one frame of at most 16 MiB; smaller ones keep memory and other requests' waiting low. */
export const MAX_PART_BYTES = 1024 * 1024

export interface HttpEngineDeps {
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
}

/** An engine at `options.url`. Nothing is sent before the first call. */
export function createHttpEngine(deps: HttpEngineDeps, options: HttpEngineOptions): Engine {
  const url = new URL(options.url)
  const prefix = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
  const settings = {
    connectTimeout: options.connectTimeoutMs,
    // Time is ours: one clock for a whole call, which undici's two per-phase timers cannot express.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: MAX_HEAD_BYTES,
    pipelining: 1,
    allowH2: false,
  }
  const pool = new Pool(url.origin, { ...settings, connections: options.maxConnections })
  // Its own connection: a probe must not wait behind the requests whose engine it judges.
  const probes = new Client(url.origin, settings)
  const own = Object.entries(options.headers ?? {})
  if (options.apiKey !== undefined) own.push(['authorization', `Bearer ${reveal(options.apiKey)}`])
  const running = new Set<(why: CocoonError) => void>()
  const context: CallContext = {
    clock: deps.clock,
    pool,
    prefix,
    own,
    running,
    outcomes: deps.metrics.counter('engine_calls_total', 'Calls to the engine by how they ended.', ['outcome']),
    withoutUsage: withoutUsage(deps),
  }
  return {
    run: (call, sink) => startCall(context, call, sink),
    models: (signal) => listModels(probes, deps.clock, `${prefix}/v1/models`, own, signal),
    async close() {
      const why = engineError('engine.aborted')
      for (const stop of running) stop(why)
      await Promise.all([pool.destroy(why), probes.destroy(why)])
    },
  }
}

interface CallContext {
  readonly clock: Clock
  readonly pool: Pool
  /** What stands before `/v1` in the engine's url. */
  readonly prefix: string
  /** The operator's headers. */
  readonly own: readonly (readonly [string, string])[]
  readonly running: Set<(why: CocoonError) => void>
  readonly outcomes: { add(amount: number, labels: Record<string, string>): void }
  /** Notes an answer that cannot be charged. */
  readonly withoutUsage: (path: string) => void
}

/** Counts each, warns once: it is the engine's configuration and will not change while it runs. */
function withoutUsage({ log, metrics }: HttpEngineDeps): (path: string) => void {
  const counter = metrics.counter('engine_answers_without_usage_total', 'Answers without usage, which earn nothing.')
  let warned = false
  return (path) => {
    counter.add(1)
    if (warned) return
    warned = true
    log.warn('the engine answered without usage, so the request is free: let it report usage (include_usage)', { path })
  }
}

function startCall(context: CallContext, call: EngineCall, sink: AnswerSink): RunningCall {
  const { request, signal } = call
  const { clock, pool, running } = context
  const asked = askForUsage(request.body)
  let controller: Dispatcher.DispatchController | undefined
  let meter: Meter | undefined
  let status = 0
  let eventStream = false
  let received = 0
  let attempts = 0
  let settled = false
  /** Chunks of this turn. Engines send each event as a chunk of its own, and every part costs all hops as much as a large one. */
  let fresh: Buffer[] = []
  /** The sink asked to wait. The parser hears of it with its next chunk, which is kept here until then. */
  let paused = false

  /** True for the one caller that may end the call. */
  function settle(outcome: string): boolean {
    if (settled) return false
    settled = true
    timer.cancel()
    signal.removeEventListener('abort', onAbort)
    running.delete(stop)
    context.outcomes.add(1, { outcome })
    return true
  }

  function fail(error: CocoonError): void {
    if (settle(error.code)) sink.fail(error, meter?.usage ?? NO_USAGE)
  }

  /** Ends the call here first and then closes the socket, at which engines stop generating. */
  function stop(why: CocoonError): void {
    fail(why)
    controller?.abort(why)
  }

  function deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !settled; at += MAX_PART_BYTES) {
      const whole = at === 0 && bytes.length <= MAX_PART_BYTES
      if (sink.part(whole ? bytes : bytes.subarray(at, at + MAX_PART_BYTES))) continue
      paused = true
      controller?.pause()
    }
  }

  function pushFresh(metered: Meter): void {
    if (fresh.length === 0) return
    const chunk = fresh.length === 1 ? (fresh[0] as Buffer) : Buffer.concat(fresh)
    fresh = []
    const bytes = metered.push(chunk)
    if (bytes.length > 0) deliver(bytes)
  }

  const endTurn = (): void => {
    if (settled || meter === undefined) return
    try {
      pushFresh(meter)
    } catch (error) {
      stop(toEngineError(error))
    }
  }

  function finish(metered: Meter): void {
    pushFresh(metered)
    const { bytes, cutOff } = metered.end()
    deliver(bytes)
    if (cutOff) return fail(engineError('engine.cut-off', { reason: 'the JSON body is incomplete' }))
    const good = status === 200 && request.method === 'POST'
    if (good && !metered.usageSeen) {
      if (eventStream && !metered.done) return fail(engineError('engine.stream-cut'))
      if (!settled) context.withoutUsage(request.path)
    }
    if (settle('answered')) sink.end(metered.usage)
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started
      // The call ended while it waited for a connection.
      if (settled) started.abort(engineError('engine.aborted'))
    },
    onResponseStart(started, code) {
      if (code < 200 || settled) return
      const head = responseHead(started.rawHeaders)
      if (head.compressed)
        return stop(engineError('engine.bad-answer', { reason: 'compressed, which we did not accept' }))
      status = code
      const contentType = head.contentType
      eventStream = contentType !== undefined && /^text\/event-stream\b/i.test(contentType.trim())
      meter = createMeter({
        // What is no success costs nothing, whatever it claims.
        contentType: code < 300 ? contentType : 'application/octet-stream',
        streamed: asked.streamed,
        callerWantsUsage: call.callerWantsUsage,
        cost: call.cost,
      })
      sink.head(code, head.headers)
    },
    onResponseData(_, chunk) {
      if (settled || meter === undefined) return
      received += chunk.length
      if (received > MAX_ANSWER_BYTES) return stop(engineError('engine.too-large', { limitBytes: MAX_ANSWER_BYTES }))
      if (fresh.push(chunk) === 1 && !paused) queueMicrotask(endTurn)
    },
    onResponseEnd() {
      if (settled || meter === undefined) return
      try {
        finish(meter)
      } catch (error) {
        fail(toEngineError(error))
      }
    },
    onResponseError(_, error) {
      if (settled) return
      if (meter === undefined && attempts === 1 && isStale(error)) return dispatch()
      const reason = toEngineError(error)
      // A refused dispatch reports before `run` has returned; the sink hears of it after.
      if (controller === undefined) queueMicrotask(() => fail(reason))
      else fail(reason)
    },
  }

  function dispatch(): void {
    attempts++
    controller = undefined
    const { body } = asked
    pool.dispatch(
      {
        method: request.method as Dispatcher.HttpMethod,
        path: context.prefix + request.path,
        headers: requestHeaders(request.headers, context.own),
        body: body.length === 0 ? null : body,
      },
      handler,
    )
  }

  const onAbort = (): void => stop(engineError('engine.aborted'))
  const timeoutMs = Math.min(call.timeoutMs, MAX_TIMEOUT_MS)
  const timer = clock.after(timeoutMs, () => stop(engineError('engine.timeout', { timeoutMs })))
  running.add(stop)
  if (signal.aborted) queueMicrotask(onAbort)
  else {
    signal.addEventListener('abort', onAbort, { once: true })
    dispatch()
  }
  return {
    resume() {
      if (settled || !paused) return
      paused = false
      endTurn()
      if (!paused) controller?.resume()
    },
  }
}

/**
 * Whether a kept-alive connection turned out closed before any byte of this answer came: engines close idle ones after a
 * few seconds, at times just as we use one. The request had not begun, so it may go out once more. A fresh connection
 * (no bytes read before) is not stale: what fails there failed because of the request.
 */
function isStale(error: Error): boolean {
  const socket = 'socket' in error ? (error.socket as { readonly bytesRead?: number } | null) : null
  return 'code' in error && error.code === 'UND_ERR_SOCKET' && (socket?.bytesRead ?? 0) > 0
}
