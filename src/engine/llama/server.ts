/**
 * The embedded engine: an OpenAI-compatible HTTP server over llama.cpp, in a process of its own. It keeps no conversation:
 * what a request says is all it knows. Prompts and answers reach no log and no error.
 */
import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Clock, type Log, silentLog, systemClock } from '../../util/index.ts'
import { invalid } from '../embedded/errors.ts'
import { checkModel, createShell } from '../embedded/shell.ts'
import { answer, CHAT, COMPLETION, type RunDeps } from './answer-request.ts'
import type { AnswerHead } from './answers.ts'
import { ChatRequest, CompletionRequest, EmbeddingRequest, parseRequest } from './contract.ts'
import { type LlamaOptions, llamaOptions, type LlamaOptionsInput } from './options.ts'
import { chatPlan, checkLength, completionPlan, samplingOf } from './plan.ts'
import { chatFormat, withBeginning } from './prompt.ts'
import { startRuntime } from './runtime.ts'

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
  const options = llamaOptions.parse(input)
  const log = deps.log ?? silentLog
  const clock = deps.clock ?? systemClock
  const random = deps.randomBytes ?? randomBytes
  const runtime = await startRuntime(options, log)
  const shell = createShell({
    host: options.host,
    port: options.port,
    drainMs: options.drainMs,
    maxBodyBytes: MAX_BODY_BYTES,
    bodyIs: 'is a JSON object with content-type application/json',
    log,
    clock,
    busy: () => runtime.slots.busy,
  })
  addRoutes(shell.app, {
    runtime,
    options,
    log,
    now: () => Math.floor(clock.now() / 1000),
    newId: (prefix) => `${prefix}${Buffer.from(random(12)).toString('hex')}`,
    randomSeed: () => Buffer.from(random(4)).readUInt32LE(),
    enter: (reply) => shell.enter(reply),
  })
  const { url, port } = await shell.listen().catch(async (error: unknown) => {
    await runtime.close()
    throw error
  })
  log.info('engine is listening', {
    host: options.host,
    port,
    contextSize: runtime.contextSize,
    parallel: options.parallel,
    threads: options.threads,
  })
  return {
    url,
    port,
    async close() {
      if (await shell.close()) await runtime.close()
    },
  }
}

interface RouteDeps extends RunDeps {
  readonly options: LlamaOptions
  /** Seconds since 1970. */
  readonly now: () => number
  readonly randomSeed: () => number
}

function addRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { runtime, options } = deps
  const format = chatFormat(runtime.model)
  const head = (prefix: string): AnswerHead => ({
    id: deps.newId(prefix),
    created: deps.now(),
    model: options.servedModelName,
  })
  const loadedAt = deps.now()
  const thinks = format.thought !== undefined

  app.get('/health', async () => ({ status: 'ok', busy: runtime.slots.busy, queued: runtime.slots.queued }))

  app.get('/v1/models', async () => ({
    object: 'list',
    data: [
      {
        id: options.servedModelName,
        object: 'model',
        created: loadedAt,
        owned_by: 'local',
        max_model_len: runtime.contextSize,
        abilities: {
          can: ['chat', 'completions', 'embeddings', 'tools', 'json-schema', ...(thinks ? ['reasoning'] : [])],
          cannot: ['rerank', 'transcription', 'vision', 'audio', ...(thinks ? [] : ['reasoning'])],
        },
      },
    ],
  }))

  app.post('/v1/chat/completions', async (request, reply) => {
    const body = parseRequest(ChatRequest, request.body)
    checkModel(body.model, options.servedModelName)
    const plan = chatPlan(runtime, format, body, samplingOf(body, options, deps.randomSeed))
    return answer(deps, reply, body, [plan], CHAT, head('chatcmpl-'))
  })

  app.post('/v1/completions', async (request, reply) => {
    const body = parseRequest(CompletionRequest, request.body)
    checkModel(body.model, options.servedModelName)
    const sampling = samplingOf(body, options, deps.randomSeed)
    const plans = body.prompt.map((text) => {
      checkLength(runtime, 'prompt', text.length)
      return completionPlan(runtime, withBeginning(runtime.model, runtime.model.tokenize(text, false)), body, sampling)
    })
    return answer(deps, reply, body, plans, COMPLETION, head('cmpl-'))
  })

  app.post('/v1/embeddings', async (request: FastifyRequest, reply) => {
    const body = parseRequest(EmbeddingRequest, request.body)
    checkModel(body.model, options.servedModelName)
    const signal = deps.enter(reply)
    const data: unknown[] = []
    let tokens = 0
    for (const [index, text] of body.input.entries()) {
      signal.throwIfAborted()
      checkLength(runtime, `input[${index}]`, text.length)
      const embedded = await runtime.embed(text, `input[${index}]`)
      if (body.dimensions !== undefined && body.dimensions !== embedded.vector.length) {
        throw invalid('dimensions', `this model's embeddings have ${embedded.vector.length} dimensions`)
      }
      tokens += embedded.tokens
      data.push({
        object: 'embedding',
        index,
        embedding: body.encoding_format === 'base64' ? base64Floats(embedded.vector) : embedded.vector,
      })
    }
    return {
      object: 'list',
      data,
      model: options.servedModelName,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    }
  })
}

const base64Floats = (vector: readonly number[]): string =>
  Buffer.from(Float32Array.from(vector).buffer).toString('base64')
