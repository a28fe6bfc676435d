/** The HTTP server of one endpoint: API v2 by name and path, API v3, and the devnet's own calls; errors in each one's shape. */
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Clock, CocoonError, type Log, toCocoonError } from '../../util/index.ts'
import type { DevnetControl } from '../devnet.ts'
import type { Endpoint } from '../endpoint.ts'
import { devnetError } from '../errors.ts'
import { controlGet, controlPost } from './control.ts'
import type { Method } from './method.ts'
import { v2 } from './v2.ts'
import { v3Get, v3Post } from './v3.ts'

/** A message of the greatest size in Base64, with its state; stacks are smaller. */
const MAX_BODY_BYTES = 1024 * 1024

type Style = 'rpc' | 'v2' | 'v3' | 'devnet'

interface Deps {
  readonly endpoint: Endpoint
  readonly control: DevnetControl
  readonly clock: Clock
  readonly log: Log
}

export function createDevnetServer({ endpoint, control, clock, log }: Deps): FastifyInstance {
  const app = Fastify({ bodyLimit: MAX_BODY_BYTES, logger: false, forceCloseConnections: true })
  // Pages of wallets and Mini Apps under development call it directly, as they do toncenter.
  void app.register(cors, { origin: '*', methods: ['GET', 'POST', 'DELETE'] })
  app.setErrorHandler((error, request, reply) => {
    const id = isObject(request.body) ? request.body.id : undefined
    const { status, body } = renderError(error, styleOf(request.url), id)
    if (status === 500 && !(error instanceof CocoonError)) log.warn('a call failed', { error: String(error) })
    return reply.code(status).send(body)
  })
  app.setNotFoundHandler(() => {
    throw devnetError('request.devnet-method')
  })

  const answer = async (methods: Readonly<Record<string, Method>>, name: string, params: unknown): Promise<unknown> => {
    const delayMs = endpoint.faults.delayMs()
    if (delayMs > 0) await new Promise<void>((resolve) => void clock.after(delayMs, resolve))
    endpoint.faults.beforeReply()
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined
    if (method === undefined)
      throw devnetError('request.devnet-method', { message: `Unknown method: ${name.slice(0, 64)}` })
    return await method(endpoint, params)
  }

  const rpc = async (request: { body: unknown }): Promise<unknown> => {
    const call = isObject(request.body) ? request.body : {}
    const { method, params, id } = call
    if (typeof method !== 'string') throw devnetError('request.devnet-parameter', { message: 'method: missing' })
    const result = await answer(v2, method, params)
    return { ok: true, result, jsonrpc: '2.0', id: idOf(id) }
  }
  type Named = { Params: { method: string } }
  // What is registered before cors is ready would answer pages without its headers.
  app.after(() => {
    app.post('/jsonRPC', rpc)
    app.post('/api/v2/jsonRPC', rpc)
    app.get<Named>('/api/v2/:method', async ({ params, query }) => ({
      ok: true,
      result: await answer(v2, params.method, query),
    }))
    app.post<Named>('/api/v2/:method', async ({ params, body }) => ({
      ok: true,
      result: await answer(v2, params.method, body),
    }))
    app.get<Named>('/api/v3/:method', ({ params, query }) => answer(v3Get, params.method, query))
    app.post<Named>('/api/v3/:method', ({ params, body }) => answer(v3Post, params.method, body))
    for (const [name, route] of Object.entries(controlPost))
      app.post(`/devnet/${name}`, async ({ body }) => ({ ok: true, result: await route(endpoint, body, control) }))
    for (const [name, route] of Object.entries(controlGet))
      app.get(`/devnet/${name}`, async () => ({ ok: true, result: await route(endpoint, undefined, control) }))
    app.delete('/devnet/faults', async () => ({ ok: true, result: await control.clearFaults() }))
  })
  return app
}

function styleOf(url: string): Style {
  if (/^\/(api\/v2\/)?jsonRPC/.test(url)) return 'rpc'
  if (url.startsWith('/api/v3/')) return 'v3'
  return url.startsWith('/devnet') ? 'devnet' : 'v2'
}

function statusOf(error: CocoonError, style: Style): number {
  switch (error.code) {
    case 'request.devnet-parameter':
    case 'request.devnet-time':
      return 422
    case 'request.devnet-method':
      return style === 'rpc' ? 422 : 404
    case 'request.devnet-not-found':
      // What a lite server does not have is toncenter's 500.
      return style === 'rpc' || style === 'v2' ? 500 : 404
    case 'capacity.devnet-rate':
      return 429
    case 'capacity.devnet-pool':
      return 503
    case 'capacity.devnet-failing':
      return typeof error.info.status === 'number' ? error.info.status : 503
    default:
      return 500
  }
}

function renderError(error: unknown, style: Style, id: unknown): { readonly status: number; readonly body: unknown } {
  const mine = toCocoonError(error)
  // Fastify's own: a body that is no JSON, too long, of another type.
  const given = isObject(error) && typeof error.statusCode === 'number' ? error.statusCode : undefined
  const status = error instanceof CocoonError ? statusOf(mine, style) : (given ?? 500)
  const failure = { ok: false, error: mine.message, code: status }
  switch (style) {
    case 'rpc':
      return { status, body: { ...failure, jsonrpc: '2.0', id: idOf(id) } }
    case 'v2':
      return { status, body: failure }
    case 'v3':
      return { status, body: { error: mine.message } }
    case 'devnet':
      return { status, body: { ...failure, reason: mine.code } }
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** A caller's id is given back when it is one. */
const idOf = (id: unknown): string | number | null => (typeof id === 'string' || typeof id === 'number' ? id : null)
