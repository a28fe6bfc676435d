/**
 * What every embedded engine has around its routes: an HTTP server whose errors have OpenAI's shape, requests that end when their
 * caller leaves, and an orderly end. Bodies and answers reach no log and no error.
 */
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { type Clock, CocoonError, type Log, toCocoonError } from '../../util/index.ts'
import { errorAnswer, invalid, queueFull } from './errors.ts'

export interface ShellOptions {
  readonly host: string
  readonly port: number
  /** How long running answers may take when the engine is told to stop. */
  readonly drainMs: number
  readonly maxBodyBytes: number
  /** What a body must be, for the error about one that is not. */
  readonly bodyIs: string
  readonly log: Log
  readonly clock: Clock
  /** Places that still compute, perhaps for callers who have left. */
  readonly busy: () => number
}

export interface Shell {
  readonly app: FastifyInstance
  /** Counts a request in. Aborted when the caller leaves or the server closes. Throws `capacity.queue-full` while closing. */
  enter(reply: FastifyReply): AbortSignal
  /** Throws what listening throws. */
  listen(): Promise<{ readonly url: string; readonly port: number }>
  /** Lets running answers finish for `drainMs`, then cuts them. True the first time only. */
  close(): Promise<boolean>
}

/** Not an error of anybody's: the reader went away. */
export class CallerLeft extends Error {}

export function createShell(options: ShellOptions): Shell {
  const { host, port, log, clock, maxBodyBytes } = options
  const running = new Set<AbortController>()
  let closing = false
  const app = Fastify({ bodyLimit: maxBodyBytes, forceCloseConnections: true })
  app.setErrorHandler((error, _, reply) => answerError(reply, fromFastify(error, options), log))
  app.setNotFoundHandler((request) => {
    throw new CocoonError('request.not-found', {
      message: `There is no ${request.method} ${request.url.split('?')[0]} here.`,
    })
  })
  return {
    app,
    enter(reply) {
      if (closing) throw queueFull('The engine is closing.')
      if (reply.raw.closed) throw new CallerLeft()
      const controller = new AbortController()
      running.add(controller)
      reply.raw.once('close', () => {
        running.delete(controller)
        if (!reply.raw.writableFinished) controller.abort(new CallerLeft())
      })
      return controller.signal
    },
    async listen() {
      await app.listen({ host, port })
      const address = app.server.address() as AddressInfo
      return { url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`, port: address.port }
    },
    async close() {
      if (closing) return false
      closing = true
      await Promise.race([
        allDone(() => running.size === 0 && options.busy() === 0, clock),
        waited(clock, options.drainMs),
      ])
      for (const controller of running)
        controller.abort(new CocoonError('capacity.queue-full', { message: 'The engine is closing.' }))
      await allDone(() => options.busy() === 0, clock)
      await app.close()
      return true
    },
  }
}

/** Codes only: an error's message may quote the request. */
export function report(log: Log, thrown: unknown): void {
  const error = toCocoonError(thrown)
  if (error.family === 'request' || error.family === 'capacity') log.debug('request refused', { code: error.code })
  else
    log.error('request failed', {
      code: error.code,
      cause: error.cause instanceof Error ? error.cause.name : undefined,
    })
}

function answerError(reply: FastifyReply, error: unknown, log: Log): void {
  if (error instanceof CallerLeft) {
    reply.hijack()
    return
  }
  report(log, error)
  const { status, headers, body } = errorAnswer(error)
  void reply.code(status).headers(headers).send(body)
}

/** Fastify refuses bodies that are too large or of another type before a route sees them. */
function fromFastify(thrown: unknown, { maxBodyBytes, bodyIs }: ShellOptions): unknown {
  const code = (thrown as { code?: unknown }).code
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new CocoonError('request.too-large', { message: `The body is larger than ${maxBodyBytes} bytes.` })
  const status = (thrown as { statusCode?: unknown }).statusCode
  return typeof status === 'number' && status >= 400 && status < 500 ? invalid('body', bodyIs) : thrown
}

/** A name is optional; a wrong one is a mistake worth hearing about. Throws `request.not-found`. */
export function checkModel(asked: string | undefined, served: string): void {
  if (asked === undefined || asked === served) return
  throw new CocoonError('request.not-found', {
    message: `This engine serves "${served}" only.`,
    param: 'model',
    code: 'model_not_found',
  })
}

const POLL_MS = 10

async function allDone(isDone: () => boolean, clock: Clock): Promise<void> {
  while (!isDone()) await waited(clock, POLL_MS)
}

const waited = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve)
  })
