/** What operators and their tools ask of a node, the same on every role. */
import type { FastifyInstance } from 'fastify'
import { createKeyCheck } from './auth.ts'
import { createHttpServer, type HttpDeps } from './http-server.ts'
import type { OpsApiOptions } from './options.ts'

/** What a role tells about itself. */
export interface Ops {
  /** Why the node cannot do its work, one sentence each. None: it can. */
  ready(): readonly string[]
  /** Own format. Counts of money and tokens may be bigint: they become decimal strings. */
  status(): unknown
  /** The reference's format. Bigint stays a number, however long. */
  jsonstats(): unknown
  /** Prometheus text format. */
  metricsText(): Promise<string>
}

export interface OpsApi {
  readonly app: FastifyInstance
  /** Resolves with the URL. */
  listen(): Promise<string>
  close(): Promise<void>
}

/** The operations endpoints on a port of their own: for nodes that serve no inference over HTTP. */
export function createOpsApi(deps: HttpDeps & { readonly ops: Ops }, options: OpsApiOptions): OpsApi {
  const app = createHttpServer(deps, options)
  app.after(() => addOpsRoutes(app, deps.ops, options))
  return { app, listen: () => app.listen({ host: options.host, port: options.port }), close: () => app.close() }
}

/** `/healthz` and `/readyz` are open to probes; the rest asks for the API key where there is one. */
export function addOpsRoutes(app: FastifyInstance, ops: Ops, options: Pick<OpsApiOptions, 'apiKey'>): void {
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const reasons = ops.ready()
    return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons })
  })
  void app.register(async (scope) => {
    if (options.apiKey !== undefined) {
      const checkKey = createKeyCheck(options.apiKey)
      scope.addHook('onRequest', async (request) => checkKey(request.headers.authorization))
    }
    scope.get('/status', async (_request, reply) => reply.type(JSON_TYPE).send(toJson(ops.status(), String)))
    scope.get('/jsonstats', async (_request, reply) => reply.type(JSON_TYPE).send(toJson(ops.jsonstats(), rawNumber)))
    scope.get('/metrics', async (_request, reply) => reply.type(PROMETHEUS_TYPE).send(await ops.metricsText()))
  })
}

const JSON_TYPE = 'application/json; charset=utf-8'
const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const toJson = (value: unknown, ofBigint: (value: bigint) => unknown): string =>
  `${JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? ofBigint(item) : item), 2)}\n`

/** A number with all its digits. */
const rawNumber = (value: bigint): unknown =>
  (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value))
