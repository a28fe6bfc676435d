/**
 * The embedded engine: an OpenAI-compatible HTTP server over llama.cpp, in a process of its own. It keeps no conversation:
 * what a request says is all it knows. Prompts and answers reach no log and no error.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Clock, CocoonError, type Log, silentLog, systemClock, toCocoonError } from '../../util/index.ts'
import { type AnswerHead, chunk, collector, deltaOf, usageOf } from './answers.ts'
import { ChatRequest, CompletionRequest, EmbeddingRequest, parseRequest, type SamplingRequest } from './contract.ts'
import { errorAnswer, invalid, queueFull } from './errors.ts'
import { type EventStream, eventStream } from './event-stream.ts'
import { type AnswerEnd, type AnswerPlan, generateAnswer, type OutputPiece } from './generate.ts'
import { LlamaOptions, type LlamaOptionsInput } from './options.ts'
import { chatPlan, completionPlan, samplingOf } from './plan.ts'
import { chatFormat, withBeginning } from './prompt.ts'
import { type Runtime, startRuntime } from './runtime.ts'

export interface LlamaServerDeps {
  readonly log?: Log
  readonly clock?: Clock
  /** Ids and the seeds of requests that bring none. */
  readonly randomBytes?: (size: number) => Uint8Array
}

export interface LlamaServer {
  /** `http://127.0.0.1:4321`, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** Lets running answers finish for `drainMs`, then cuts them, then frees the model. */
  close(): Promise<void>
}

/** Far above any context this engine serves; keeps a mistake from filling the memory. */
const MAX_BODY_BYTES = 16 << 20

/** Throws `engine.model-unusable`, or what `listen` throws. */
export async function startLlamaServer(input: LlamaOptionsInput, deps: LlamaServerDeps = {}): Promise<LlamaServer> {
  const options = LlamaOptions.parse(input)
  const log = deps.log ?? silentLog
  const clock = deps.clock ?? systemClock
  const random = deps.randomBytes ?? randomBytes
  const runtime = await startRuntime(options, log)
  const running = new Set<AbortController>()
  let closing = false

  const app = Fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true })
  app.setErrorHandler((error, _, reply) => answerError(reply, error, log))
  app.setNotFoundHandler((request) => {
    throw new CocoonError('request.not-found', { message: `There is no ${request.method} ${request.url.split('?')[0]} here.` })
  })
  addRoutes(app, {
    runtime,
    options,
    log,
    now: () => Math.floor(clock.now() / 1000),
    newId: (prefix) => `${prefix}${Buffer.from(random(12)).toString('hex')}`,
    randomSeed: () => Buffer.from(random(4)).readUInt32LE(),
    enter(reply) {
      if (closing) throw queueFull('The engine is closing.')
      const controller = new AbortController()
      running.add(controller)
      reply.raw.once('close', () => {
        running.delete(controller)
        if (!reply.raw.writableFinished) controller.abort(new CallerLeft())
      })
      return controller.signal
    },
  })
  try {
    await app.listen({ host: options.host, port: options.port })
  } catch (error) {
    await runtime.close()
    throw error
  }
  const { port } = app.server.address() as AddressInfo
  log.info('engine is listening', { host: options.host, port, contextSize: runtime.contextSize, parallel: options.parallel, threads: options.threads })

  async function close(): Promise<void> {
    if (closing) return
    closing = true
    await Promise.race([allDone(() => running.size === 0 && runtime.slots.busy === 0, clock), waited(clock, options.drainMs)])
    for (const controller of running) controller.abort(new CocoonError('capacity.queue-full', { message: 'The engine is closing.' }))
    await allDone(() => runtime.slots.busy === 0, clock)
    await app.close()
    await runtime.close()
  }
  return { url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`, port, close }
}

/** Not an error of anybody's: the reader went away. */
class CallerLeft extends Error {}

interface RouteDeps {
  readonly runtime: Runtime
  readonly options: LlamaOptions
  readonly log: Log
  /** Seconds since 1970. */
  readonly now: () => number
  readonly newId: (prefix: string) => string
  readonly randomSeed: () => number
  /** Aborted when the caller leaves or the server closes. */
  readonly enter: (reply: FastifyReply) => AbortSignal
}

function addRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { runtime, options } = deps
  const format = chatFormat(runtime.model)
  const head = (prefix: string): AnswerHead => ({ id: deps.newId(prefix), created: deps.now(), model: options.servedModelName })
  const loadedAt = deps.now()

  app.get('/health', async () => ({ status: 'ok', busy: runtime.slots.busy, queued: runtime.slots.queued }))

  app.get('/v1/models', async () => ({
    object: 'list',
    data: [{ id: options.servedModelName, object: 'model', created: loadedAt, owned_by: 'local', max_model_len: runtime.contextSize }],
  }))

  app.post('/v1/chat/completions', async (request, reply) => {
    const body = parseRequest(ChatRequest, request.body)
    checkModel(body.model, options)
    const plan = chatPlan(runtime, format, body, samplingOf(body, options, deps.randomSeed))
    return answer(deps, reply, body, [plan], CHAT, head('chatcmpl-'))
  })

  app.post('/v1/completions', async (request, reply) => {
    const body = parseRequest(CompletionRequest, request.body)
    checkModel(body.model, options)
    const sampling = samplingOf(body, options, deps.randomSeed)
    const plans = body.prompt.map((text) => completionPlan(runtime, withBeginning(runtime.model, runtime.model.tokenize(text, false)), body, sampling))
    return answer(deps, reply, body, plans, COMPLETION, head('cmpl-'))
  })

  app.post('/v1/embeddings', async (request: FastifyRequest, reply) => {
    const body = parseRequest(EmbeddingRequest, request.body)
    checkModel(body.model, options)
    const signal = deps.enter(reply)
    const data: unknown[] = []
    let tokens = 0
    for (const [index, text] of body.input.entries()) {
      signal.throwIfAborted()
      const embedded = await runtime.embed(text, `input[${index}]`)
      if (body.dimensions !== undefined && body.dimensions !== embedded.vector.length) {
        throw invalid('dimensions', `this model's embeddings have ${embedded.vector.length} dimensions`)
      }
      tokens += embedded.tokens
      data.push({ object: 'embedding', index, embedding: body.encoding_format === 'base64' ? base64Floats(embedded.vector) : embedded.vector })
    }
    return { object: 'list', data, model: options.servedModelName, usage: { prompt_tokens: tokens, total_tokens: tokens } }
  })
}

/** Shapes of the two kinds of answer. */
interface Kind {
  readonly object: string
  readonly chunkObject: string
  readonly choice: (collected: ReturnType<typeof collector>, index: number, finish: string) => unknown
  readonly opening: ((index: number) => unknown) | undefined
  readonly piece: (piece: OutputPiece, index: number, newCallId: () => string) => unknown
  readonly ending: (index: number, finish: string) => unknown
}

const CHAT: Kind = {
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  choice: (collected, index, finish) => ({ index, message: collected.message(), logprobs: null, finish_reason: finish }),
  opening: (index) => ({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }),
  piece: (piece, index, newCallId) => ({ index, delta: deltaOf(piece, newCallId), logprobs: null, finish_reason: null }),
  ending: (index, finish) => ({ index, delta: {}, logprobs: null, finish_reason: finish }),
}

const COMPLETION: Kind = {
  object: 'text_completion',
  chunkObject: 'text_completion',
  choice: (collected, index, finish) => ({ index, text: collected.text(), logprobs: null, finish_reason: finish }),
  opening: undefined,
  piece: (piece, index) => ({ index, text: piece.type === 'content' ? piece.text : '', logprobs: null, finish_reason: null }),
  ending: (index, finish) => ({ index, text: '', logprobs: null, finish_reason: finish }),
}

/** Every prompt `n` times, as many at once as there are places; whole or streamed. */
async function answer(deps: RouteDeps, reply: FastifyReply, body: SamplingRequest, plans: readonly AnswerPlan[], kind: Kind, head: AnswerHead) {
  const n = body.n ?? 1
  const jobs = plans.flatMap((plan) =>
    // Choices of one prompt differ by their seeds, which all follow from the request's.
    Array.from({ length: n }, (_, i) => ({ ...plan, sampling: { ...plan.sampling, seed: plan.sampling.seed + i * SEED_STEP } })),
  )
  deps.runtime.slots.admit(jobs.length)
  const signal = deps.enter(reply)
  const newCallId = (): string => deps.newId('call_')
  const run = (emit: (index: number, piece: OutputPiece) => Promise<void> | void) => runAll(deps, jobs, body.cache_salt ?? '', emit, signal)

  if (body.stream !== true) {
    const collected = jobs.map(() => collector(newCallId))
    const ends = await run((index, piece) => collected[index]?.add(piece))
    const choices = ends.map((end, i) => kind.choice(collected[i] as ReturnType<typeof collector>, i, end.finish))
    return { ...chunk(kind.object, head, choices, usageOf(ends, n)), system_fingerprint: null }
  }

  const withUsage = body.stream_options?.include_usage === true
  const usage = withUsage ? null : undefined
  reply.hijack()
  const events = eventStream(reply.raw)
  const send = (choice: unknown) => events.send(chunk(kind.chunkObject, head, [choice], usage))
  try {
    if (kind.opening !== undefined) for (const i of jobs.keys()) await send(kind.opening(i))
    const ends = await run((index, piece) => send(kind.piece(piece, index, newCallId)))
    for (const [i, end] of ends.entries()) await send(kind.ending(i, end.finish))
    if (withUsage) await events.send(chunk(kind.chunkObject, head, [], usageOf(ends, n)))
    events.done()
  } catch (error) {
    failStream(deps, reply, events, error)
  }
  return reply
}

/** Seeds of sibling choices stay apart even though each answer may step its own by its length. */
const SEED_STEP = 1_000_003

async function runAll(
  deps: RouteDeps,
  jobs: readonly AnswerPlan[],
  salt: string,
  emit: (index: number, piece: OutputPiece) => Promise<void> | void,
  signal: AbortSignal,
): Promise<readonly AnswerEnd[]> {
  // When one fails the others have no reader any more.
  const failed = new AbortController()
  const both = AbortSignal.any([signal, failed.signal])
  const results = await Promise.allSettled(
    jobs.map((plan, index) =>
      runOne(deps.runtime, plan, salt, (piece) => emit(index, piece), both).catch((error: unknown) => {
        failed.abort(error)
        throw error
      }),
    ),
  )
  const first = results.find((result) => result.status === 'rejected')
  if (first !== undefined) throw failed.signal.reason as Error
  return results.map((result) => (result as PromiseFulfilledResult<AnswerEnd>).value)
}

async function runOne(runtime: Runtime, plan: AnswerPlan, salt: string, emit: (piece: OutputPiece) => Promise<void> | void, signal: AbortSignal): Promise<AnswerEnd> {
  const slot = await runtime.slots.acquire(plan.promptTokens, salt, signal)
  try {
    if (slot.salt !== salt) {
      await slot.sequence.clearHistory()
      slot.salt = salt
    }
    return await generateAnswer(runtime, slot.sequence, plan, emit, signal)
  } catch (error) {
    if (signal.aborted || error instanceof CocoonError) throw error
    // After a failure nobody knows what the sequence holds.
    await slot.sequence.clearHistory().catch(() => undefined)
    throw new CocoonError('engine.generation-failed', {}, { cause: error })
  } finally {
    runtime.slots.release(slot)
  }
}

function failStream(deps: RouteDeps, reply: FastifyReply, events: EventStream, error: unknown): void {
  if (error instanceof CallerLeft) return
  report(deps.log, error)
  if (events.started) {
    events.fail(error)
    return
  }
  const { status, headers, body } = errorAnswer(error)
  reply.raw.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

function answerError(reply: FastifyReply, thrown: unknown, log: Log): void {
  if (thrown instanceof CallerLeft) {
    reply.hijack()
    return
  }
  const error = fromFastify(thrown)
  report(log, error)
  const { status, headers, body } = errorAnswer(error)
  void reply.code(status).headers(headers).send(body)
}

/** Fastify refuses bodies that are too large or no JSON before a route sees them. */
function fromFastify(thrown: unknown): unknown {
  const code = (thrown as { code?: unknown }).code
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new CocoonError('request.too-large', { message: `The body is larger than ${MAX_BODY_BYTES} bytes.` })
  const status = (thrown as { statusCode?: unknown }).statusCode
  if (typeof status === 'number' && status >= 400 && status < 500) return invalid('body', 'is a JSON object with content-type application/json')
  return thrown
}

/** Codes only: an error's message may quote the request. */
function report(log: Log, thrown: unknown): void {
  const error = toCocoonError(thrown)
  if (error.family === 'request' || error.family === 'capacity') log.debug('request refused', { code: error.code })
  else log.error('request failed', { code: error.code, cause: error.cause instanceof Error ? error.cause.name : undefined })
}

/** A name is optional; a wrong one is a mistake worth hearing about. */
function checkModel(model: string | undefined, options: LlamaOptions): void {
  if (model === undefined || model === options.servedModelName) return
  throw new CocoonError('request.not-found', {
    message: `This engine serves "${options.servedModelName}" only.`,
    param: 'model',
    code: 'model_not_found',
  })
}

const base64Floats = (vector: readonly number[]): string => Buffer.from(Float32Array.from(vector).buffer).toString('base64')

const POLL_MS = 10

async function allDone(isDone: () => boolean, clock: Clock): Promise<void> {
  while (!isDone()) await waited(clock, POLL_MS)
}

const waited = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve)
  })
