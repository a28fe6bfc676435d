/** A fastify server with our limits, whose every answer to every mishap is an OpenAI-shaped error. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Clock, CocoonError, type Counter, type Log, type Metrics, type Random, toHex } from '../util/index.ts'
import { checkHost, isLoopback } from './auth.ts'
import { apiError, type HttpError, toHttpError } from './errors.ts'
import type { OpsApiOptions } from './options.ts'
import { errorBodyFor } from './translated-paths.ts'

export interface HttpDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
}

/** Told of every request that ends in an error before its handler has an answer. */
export type OnRefused = (request: FastifyRequest, error: CocoonError, status: number, elapsedMs: number) => void

/** Enough for every path of ours; the rest of a longer one is nobody's business in a log. */
const MAX_PATH_CHARS = 1024

/** Paths and what they take; what is registered, 405 and 404 are told apart by. */
type Routes = Map<string, Set<string>>

export function createHttpServer(
  deps: HttpDeps,
  options: OpsApiOptions & { readonly maxBodyBytes?: number },
  onRefused?: OnRefused,
): FastifyInstance {
  const routes: Routes = new Map()
  const requests = deps.metrics.counter('http_requests_total', 'Requests by route and status.', ['route', 'status'])
  const app = fastify({
    bodyLimit: options.maxBodyBytes ?? 1024,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: options.keepAliveTimeoutMs,
    forceCloseConnections: true,
    genReqId: () => toHex(deps.random.bytes(16)),
    requestIdHeader: false,
    routerOptions: { maxParamLength: MAX_PATH_CHARS },
    http: {
      maxHeaderSize: options.maxHeaderBytes,
      headersTimeout: options.headersTimeoutMs,
      connectionsCheckingInterval: Math.max(100, Math.min(5_000, options.headersTimeoutMs / 2)),
      // Requests that two parsers could read differently.
      insecureHTTPParser: false,
      requireHostHeader: true,
    },
    clientErrorHandler(error, socket) {
      const status = answerGarbage(error, socket, options)
      if (status !== null) requests.add(1, { route: 'none', status: String(status) })
    },
    frameworkErrors: (_error, _request, reply) => void sendError(reply, toHttpError(apiError('request.bad-http'))),
  })
  // Node answers these itself when nobody listens, and nobody would know.
  app.server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    requests.add(1, { route: 'none', status: '417' })
    response.writeHead(417, { connection: 'close' }).end()
  })
  app.addHook('onRoute', ({ url, method }) => {
    const methods = routes.get(url) ?? new Set()
    for (const one of typeof method === 'string' ? [method] : method) methods.add(one)
    routes.set(url, methods)
  })
  const guardHost = isLoopback(options.host) && options.apiKey === undefined
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id).header('x-cocoon-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    // Anthropic’s libraries have a name of their own for the id.
    reply.header('request-id', request.id)
    if (guardHost) checkHost(request.headers.host)
  })
  app.setErrorHandler((thrown: FastifyError, request, reply) => {
    const error =
      thrown instanceof CocoonError
        ? thrown
        : hasLeft(request, thrown)
          ? apiError('request.hung-up')
          : fromFastify(thrown, options.maxBodyBytes)
    if (error.family === 'bug')
      deps.log.error('request failed', {
        traceId: request.id,
        code: error.code,
        message: error.message,
        stack: thrown.stack,
      })
    else deps.log.debug('request refused', { traceId: request.id, code: error.code, message: error.message })
    const told = toHttpError(error)
    onRefused?.(request, error, told.status, reply.elapsedTime)
    return sendError(reply, told)
  })
  // Before the body is read: of a wrong path nothing else matters.
  app.addHook('preParsing', async (request) => {
    if (request.is404) throw notFound(routes, request.url)
  })
  app.setNotFoundHandler((request) => {
    throw notFound(routes, request.url)
  })
  countRequests(app, deps, requests)
  return app
}

/** What was waited for has ended with the caller's connection. */
const hasLeft = ({ signal }: FastifyRequest, thrown: unknown): boolean => signal.aborted && thrown === signal.reason

function sendError(reply: FastifyReply, error: HttpError): FastifyReply {
  const { id, routeOptions } = reply.request
  return reply
    .code(error.status)
    .headers(error.headers)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(errorBodyFor(routeOptions.url ?? '', error, id)))
}

function notFound(routes: Routes, url: string): CocoonError {
  const path = url.split('?', 1)[0] as string
  const known = (pattern: string): boolean =>
    pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : isPathOf(pattern, path)
  const allow = [...routes].filter(([pattern]) => known(pattern)).flatMap(([, methods]) => [...methods])
  if (allow.length > 0)
    return apiError('request.method-not-allowed', {
      message: `This path takes ${allow.join(', ')}.`,
      allow: allow.join(', '),
    })
  const paths = [...routes.keys()].filter((pattern) => !pattern.endsWith('*'))
  return apiError('request.not-found', { message: `There is nothing at this path; try ${paths.join(', ')}.` })
}

/** `/v1/files/:id` has a part that may be anything. */
function isPathOf(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  return wanted.length === given.length && wanted.every((part, i) => part.startsWith(':') || part === given[i])
}

/** Our error for one that fastify found before a handler ran. */
function fromFastify(error: FastifyError, maxBodyBytes: number | undefined): CocoonError {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return apiError('request.too-large', { message: `The body is above ${maxBodyBytes} bytes.` })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return apiError('request.unsupported-media')
    default:
      if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
        return apiError('request.bad-http')
      return new CocoonError('bug.unexpected', { message: error.message }, { cause: error })
  }
}

/** What arrived is no HTTP request: say so and close. Returns the status; null when nothing could be said. */
function answerGarbage(error: Error & { code?: string }, socket: Socket, options: OpsApiOptions): number | null {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return null
  }
  const { status, body } = toHttpError(garbageError(error.code, options))
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${status} ${status === 431 ? 'Request Header Fields Too Large' : status === 408 ? 'Request Timeout' : 'Bad Request'}\r\n` +
      `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  )
  return status
}

function garbageError(code: string | undefined, options: OpsApiOptions): CocoonError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return apiError('request.headers-too-large', { message: `The headers are above ${options.maxHeaderBytes} bytes.` })
  return apiError(code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request.timeout' : 'request.bad-http')
}

/** Up to ten minutes: answers of reasoning models take that long. */
const SECONDS_BUCKETS = [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600]

function countRequests(app: FastifyInstance, { metrics }: HttpDeps, total: Counter): void {
  const seconds = metrics.histogram('http_request_seconds', 'Time from request to end of answer.', SECONDS_BUCKETS, [
    'route',
  ])
  app.addHook('onResponse', async (request, reply) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none')
    total.add(1, { route, status: String(reply.raw.statusCode) })
    seconds.observe(reply.elapsedTime / 1000, { route })
  })
}
