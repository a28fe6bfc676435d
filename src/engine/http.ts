/**
 * An engine behind HTTP: vLLM, SGLang, llama-server, Ollama and whatever else speaks OpenAI's API. What one read of the
 * socket brought goes through the meter to the sink in one piece, in the same turn of the event loop.
 */
import { Client } from 'undici'
import { type Clock, type CocoonError, type Log, type Metrics, reveal } from '../util/index.ts'
import { askForUsage } from './ask-for-usage.ts'
import { describe, describeFromModels } from './describe.ts'
import { engineError, toEngineError } from './errors.ts'
import type { AnswerHandler, Exchange, HttpClient, ReceivedHead } from './http-client.ts'
import { requestHeaders, type ResponseHead, responseHead } from './http-headers.ts'
import { listModels, readDocument } from './http-models.ts'
import { createMeter, type Meter } from './meter.ts'
import type { HttpEngineOptions } from './options.ts'
import { createPlainClient } from './plain-client.ts'
import { type AnswerSink, type Engine, type EngineCall, NO_USAGE, type RawUsage, type RunningCall } from './types.ts'
import { createUndiciClient, undiciSettings } from './undici-client.ts'

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

export type CreateHttpClient = (url: URL, clock: Clock, options: HttpEngineOptions) => HttpClient

/** Our own client where there is no TLS. */
const clientFor: CreateHttpClient = (url, clock, options) =>
  url.protocol === 'http:' ? createPlainClient(url, clock, options) : createUndiciClient(url, options)

/** An engine at `options.url`. Nothing is sent before the first call. */
export function createHttpEngine(
  deps: HttpEngineDeps,
  options: HttpEngineOptions,
  createClient: CreateHttpClient = clientFor,
): Engine {
  const url = new URL(options.url)
  const prefix = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
  const client = createClient(url, deps.clock, options)
  // Its own connection: a probe must not wait behind the requests whose engine it judges.
  const probes = new Client(url.origin, undiciSettings(options))
  const own = Object.entries(options.headers ?? {})
  if (options.apiKey !== undefined) own.push(['authorization', `Bearer ${reveal(options.apiKey)}`])
  const running = new Set<(why: CocoonError) => void>()
  const context: CallContext = {
    clock: deps.clock,
    client,
    prefix,
    own,
    running,
    outcomes: deps.metrics.counter('engine_calls_total', 'Calls to the engine by how they ended.', ['outcome']),
    withoutUsage: withoutUsage(deps),
    headOf: rememberHead(),
  }
  return {
    run: (call, sink) => startCall(context, call, sink),
    models: (signal) => listModels(probes, deps.clock, `${prefix}/v1/models`, own, signal),
    async describe(model, signal) {
      const read = (path: string): Promise<string> => readDocument(probes, deps.clock, prefix + path, own, signal)
      const models = await read('/v1/models')
      // Only llama-server has the other document, and only it leaves the length out here.
      if (describeFromModels(models, model).contextLength !== null) return describe(models, model, null)
      return describe(models, model, await read('/props').catch(() => null))
    },
    async close() {
      const why = engineError('engine.aborted')
      for (const stop of running) stop(why)
      await Promise.all([client.close(), probes.destroy(why)])
    },
  }
}

interface CallContext {
  readonly clock: Clock
  readonly client: HttpClient
  /** What stands before `/v1` in the engine's url. */
  readonly prefix: string
  /** The operator's headers. */
  readonly own: readonly (readonly [string, string])[]
  readonly running: Set<(why: CocoonError) => void>
  readonly outcomes: { add(amount: number, labels: Record<string, string>): void }
  /** Notes an answer that cannot be charged. */
  readonly withoutUsage: (path: string) => void
  readonly headOf: (received: ReceivedHead) => ResponseHead
}

/** Clients give the same object for the same head. */
function rememberHead(): (received: ReceivedHead) => ResponseHead {
  let last: ReceivedHead | undefined
  let head: ResponseHead | undefined
  return (received) => {
    if (head === undefined || received !== last) {
      last = received
      head = responseHead(received.headers)
    }
    return head
  }
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
  const { clock, client, running } = context
  const asked = askForUsage(request.body)
  let exchange: Exchange | undefined
  let meter: Meter | undefined
  let status = 0
  let usageBeside: RawUsage | undefined
  let eventStream = false
  let received = 0
  let settled = false
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
    exchange?.abort()
  }

  function deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !settled; at += MAX_PART_BYTES) {
      const whole = at === 0 && bytes.length <= MAX_PART_BYTES
      if (sink.part(whole ? bytes : bytes.subarray(at, at + MAX_PART_BYTES))) continue
      paused = true
      exchange?.pause()
    }
  }

  function finish(metered: Meter): void {
    const { bytes, cutOff } = metered.end()
    deliver(bytes)
    if (cutOff) return fail(engineError('engine.cut-off', { reason: 'the JSON body is incomplete' }))
    const good = status === 200 && request.method === 'POST'
    const beside = good && !eventStream && !metered.usageSeen ? usageBeside : undefined
    if (good && !metered.usageSeen && beside === undefined) {
      if (eventStream && !metered.done) return fail(engineError('engine.stream-cut'))
      if (!settled) context.withoutUsage(request.path)
    }
    if (settle('answered')) sink.end(beside ?? metered.usage)
  }

  const handler: AnswerHandler = {
    head(received) {
      if (settled) return
      const head = context.headOf(received)
      if (head.compressed)
        return stop(engineError('engine.bad-answer', { reason: 'compressed, which we did not accept' }))
      status = received.status
      const { contentType } = head
      usageBeside = head.usage
      eventStream = contentType !== undefined && /^text\/event-stream\b/i.test(contentType.trim())
      meter = createMeter({
        // What is no success costs nothing, whatever it claims.
        contentType: status < 300 ? contentType : 'application/octet-stream',
        streamed: asked.streamed,
        callerWantsUsage: asked.callerWantsUsage,
        cost: call.cost,
      })
      sink.head(status, head.headers)
    },
    body(bytes) {
      if (settled || meter === undefined) return
      received += bytes.length
      if (received > MAX_ANSWER_BYTES) return stop(engineError('engine.too-large', { limitBytes: MAX_ANSWER_BYTES }))
      try {
        deliver(meter.push(bytes))
      } catch (error) {
        stop(toEngineError(error))
      }
    },
    end() {
      if (settled || meter === undefined) return
      try {
        finish(meter)
      } catch (error) {
        fail(toEngineError(error))
      }
    },
    fail,
  }

  const onAbort = (): void => stop(engineError('engine.aborted'))
  const timeoutMs = Math.min(call.timeoutMs, MAX_TIMEOUT_MS)
  const timer = clock.after(timeoutMs, () => stop(engineError('engine.timeout', { timeoutMs })))
  running.add(stop)
  if (signal.aborted) queueMicrotask(onAbort)
  else {
    signal.addEventListener('abort', onAbort, { once: true })
    exchange = client.send(
      {
        method: request.method,
        path: context.prefix + request.path,
        headers: requestHeaders(request.headers, context.own),
        body: asked.body,
      },
      handler,
    )
  }
  return {
    resume() {
      if (settled || !paused) return
      paused = false
      exchange?.resume()
    },
  }
}
