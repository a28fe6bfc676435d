/** The HTTP server of a client node: OpenAI's endpoints in front of an `Inference`, and the operations endpoints. */
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import { type Gateway, NOBODY } from '../gateway/index.ts'
import type { Inference } from '../roles/client/index.ts'
import { type AdminAccess, addAdminRoutes } from './admin.ts'
import { COST_HEADERS } from './answer-headers.ts'
import { isLoopback } from './auth.ts'
import { addBatchRoutes } from './batches.ts'
import { createViewerOf } from './batch-viewer.ts'
import { createCallerCheck } from './callers.ts'
import { addConsoleRoutes } from './console.ts'
import { INFERENCE_PATHS } from './contract.ts'
import { addFileRoutes } from './files.ts'
import { createGate } from './gate.ts'
import { createHttpServer, type HttpDeps } from './http-server.ts'
import { addInferenceRoutes } from './routes.ts'
import { addModelRoutes } from './models.ts'
import { addQuoteRoutes } from './quote.ts'
import { addOpsRoutes, type Ops, type OpsApi } from './ops.ts'
import { openApiDocument } from './openapi.ts'
import type { ClientApiOptions } from './options.ts'
import type { ServedBatches } from './served-batches.ts'
import { TRANSCRIPTION_PATH } from './transcription.ts'
import { TRANSLATED_PATHS } from './translated-paths.ts'

export interface ClientApi extends OpsApi {
  /**
   * Refuses new requests with 503 `capacity.shutting-down` and reports not ready. Resolves with true when the running
   * ones have finished, with false when `deadlineMs` has passed before.
   */
  drain(deadlineMs: number): Promise<boolean>
  /** Closes every connection; what still runs is cancelled. Drain first. */
  close(): Promise<void>
}

export interface ClientApiDeps extends HttpDeps {
  /** Where there is a gateway, its metered one: every endpoint runs on this. */
  readonly inference: Inference
  readonly ops: Ops
  /** Keys, budgets and receipts; without one, the API key of the options is all there is. */
  readonly gateway?: Gateway
  /** Opens `/admin`; needed where there is a gateway. */
  readonly admin?: AdminAccess
  /** Files and batches; without, there are none. */
  readonly batches?: ServedBatches
}

export function createClientApi(deps: ClientApiDeps, options: ClientApiOptions): ClientApi {
  const { gateway } = deps
  const app = createHttpServer(deps, options, (request, { code }, status, durationMs) => {
    const path = request.routeOptions.url ?? ''
    if (gateway === undefined || !ASKS_A_MODEL.has(path)) return
    const { id, caller } = request
    gateway.refused({ request: id, caller, model: NOBODY, path, status, code, durationMs })
  })
  const gate = createGate(deps.clock, options.maxRunning)
  deps.metrics.gauge('http_running', 'Requests in work.', () => gate.running)
  if (options.corsOrigins.length > 0)
    void app.register(cors, {
      origin: options.corsOrigins.includes('*') ? '*' : [...options.corsOrigins],
      methods: ['GET', 'POST', 'DELETE'],
      exposedHeaders: EXPOSED_HEADERS,
      maxAge: 600,
      strictPreflight: false,
    })
  const ops: Ops = {
    ready: () => (gate.draining ? ['This node is shutting down.', ...deps.ops.ready()] : deps.ops.ready()),
    status: () => deps.ops.status(),
    jsonstats: () => deps.ops.jsonstats(),
    metricsText: () => deps.ops.metricsText(),
  }
  // After cors: refusals need its headers too, or a page cannot read them.
  app.after(() => {
    addOpsRoutes(app, ops, options)
    let document: string | undefined
    app.get('/openapi.json', async (_request, reply) =>
      reply.type('application/json; charset=utf-8').send((document ??= JSON.stringify(openApiDocument()))),
    )
    addOpenAiRoutes(app, deps, options, gate)
    if (deps.gateway !== undefined && deps.admin !== undefined) addOwnerRoutes(app, deps.gateway, deps.admin)
  })
  return {
    app,
    async listen() {
      if (!isLoopback(options.host) && options.apiKey === undefined)
        deps.log.warn('the API is open to other machines without an API key', { host: options.host })
      return app.listen({ host: options.host, port: options.port })
    },
    drain: (deadlineMs) => gate.drain(deadlineMs),
    close: () => app.close(),
  }
}

/** What a page of another origin may read of an answer. */
const EXPOSED_HEADERS = [
  'retry-after',
  'x-request-id',
  'x-cocoon-request-id',
  ...COST_HEADERS,
  'x-cocoon-max-cost-nano',
  'x-cocoon-evidence',
  'x-cocoon-proxy',
  'x-cocoon-worker',
  'x-cocoon-attempts',
  'x-ratelimit-limit-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-requests',
  'x-ratelimit-limit-tokens',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-tokens',
]

function addOwnerRoutes(app: FastifyInstance, gateway: Gateway, admin: AdminAccess): void {
  addAdminRoutes(app, gateway, admin)
  if (admin.console !== undefined) addConsoleRoutes(app, admin.console)
}

/** Where refused requests are counted. */
const ASKS_A_MODEL: ReadonlySet<string> = new Set([...INFERENCE_PATHS, ...TRANSLATED_PATHS, TRANSCRIPTION_PATH])

/** What only lists; all else asks a model. */
const LISTS = /^\/v1\/(?:models|prices)\b/

const FIRST_BYTE_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

function addOpenAiRoutes(
  app: FastifyInstance,
  deps: ClientApiDeps,
  options: ClientApiOptions,
  gate: ReturnType<typeof createGate>,
): void {
  const firstByte = deps.metrics.histogram(
    'http_first_byte_seconds',
    'Time to the head of an answer.',
    FIRST_BYTE_BUCKETS,
  )
  void app.register(async (scope) => {
    const check = createCallerCheck(options.apiKey, deps.admin?.key, deps.gateway)
    scope.decorateRequest('caller', '')
    scope.addHook('onRequest', async (request) => {
      request.caller = check(request.headers, LISTS.test(request.url) ? 'models' : 'inference')
    })
    // While draining, connections end with the answer they carry.
    scope.addHook('onRequest', async (_request, reply) => {
      if (gate.draining) reply.header('connection', 'close')
    })
    addModelRoutes(scope, deps.inference)
    const defaults = {
      maxTokens: options.defaultMaxTokens,
      maxCoefficient: options.defaultMaxCoefficient,
      timeoutMs: options.defaultTimeoutMs,
    }
    addQuoteRoutes(scope, deps.inference, defaults, deps.admin?.fiat)
    if (deps.batches !== undefined) {
      const viewerOf = createViewerOf(deps.gateway)
      addFileRoutes(scope, deps.batches.of.files, viewerOf)
      addBatchRoutes(scope, deps.batches.of, viewerOf, deps.batches.defaults, deps.admin?.fiat)
    }
    await scope.register(async (inner) => {
      addInferenceRoutes(inner, gate, defaults, {
        inference: deps.inference,
        clock: deps.clock,
        log: deps.log,
        limits: options,
        firstByte: (ms) => firstByte.observe(ms / 1000),
      })
    })
  })
}
