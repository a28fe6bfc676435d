/** Files and batches of an SDK client: kept in a folder, answered by the routes of the HTTP API, without a port. */
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { FastifyInstance } from 'fastify'
import { createBatchServer, openServedBatches } from '../api/index.ts'
import type { InteractiveWatch } from '../batch/index.ts'
import { gatewayOptions, meterInference, openGateway } from '../gateway/index.ts'
import type { ChargeRecall, Inference } from '../roles/client/index.ts'
import type { SdkBatchOptions, SdkOptions } from './options.ts'

export interface SdkBatches {
  /** Rejects with the reason of an aborted signal. */
  answer(request: Request, signal: AbortSignal | undefined): Promise<Response>
  /** Sends no further lines, and waits for those under way. */
  drain(deadlineMs: number): Promise<void>
  /** @param disconnect in between: then what still runs is told, and accounted for */
  close(disconnect: () => Promise<void>): Promise<void>
}

/**
 * Goes on with batches that an earlier process left. Throws `config.gateway-…` and `config.batch-…` for a folder that is in use or
 * cannot be used.
 * @param watch what live requests run on
 */
export async function openSdkBatches(
  options: Pick<SdkOptions, 'api' | 'clock' | 'random' | 'log' | 'metrics'>,
  { statePath, batch }: SdkBatchOptions,
  inference: Inference,
  recall: ChargeRecall,
  watch: InteractiveWatch,
): Promise<SdkBatches> {
  const { api, clock, random, log, metrics } = options
  const deps = { clock, random, log, metrics }
  const gateway = await openGateway(
    { ...deps, fetch },
    { ...gatewayOptions.parse({}), path: join(statePath, 'gateway.sqlite') },
  )
  const metered = meterInference({ inference, gateway, clock })
  const served = await openServedBatches(
    { ...deps, gateway, metered, recall, isInteractiveWaiting: () => watch.isWaiting() },
    { batch, http: api, folder: statePath },
  ).catch(async (error: unknown) => {
    await gateway.close()
    throw error
  })
  const app = createBatchServer(deps, served, api)
  return {
    answer: (request, signal) => ask(app, request, signal),
    drain: async (deadlineMs) => void (await served.of.drain(deadlineMs)),
    async close(disconnect) {
      await app.close()
      await served.of.close()
      await disconnect()
      await gateway.close()
    },
  }
}

/** Of one connection, which there is none of. */
const NOT_PASSED: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date'])

async function ask(app: FastifyInstance, request: Request, signal: AbortSignal | undefined): Promise<Response> {
  signal?.throwIfAborted()
  const { pathname, search } = new URL(request.url)
  // Uploads and files are passed on as they come: neither is ever whole in memory.
  const payload = request.body === null ? null : Readable.fromWeb(request.body as ReadableStream<Uint8Array>)
  payload?.on('error', () => undefined)
  const replying = app.inject({
    method: request.method as 'GET',
    url: `${pathname}${search}`,
    headers: Object.fromEntries([...request.headers].filter(([name]) => name !== 'host')),
    payloadAsStream: true,
    ...(payload === null ? {} : { payload }),
  })
  const { promise: left, reject } = Promise.withResolvers<never>()
  left.catch(() => undefined)
  let body: Readable | undefined
  const leave = (): void => {
    const reason = signal?.reason as Error
    reject(reason)
    payload?.destroy(reason)
    body?.destroy(reason)
  }
  signal?.addEventListener('abort', leave, { once: true })
  try {
    const reply = await Promise.race([replying, left])
    body = reply.stream()
    body.once('close', () => signal?.removeEventListener('abort', leave))
    return new Response(Readable.toWeb(body), { status: reply.statusCode, headers: passed(reply.headers) })
  } catch (error) {
    signal?.removeEventListener('abort', leave)
    replying.then(
      (late) => late.stream().destroy(),
      () => undefined,
    )
    throw error
  }
}

const passed = (headers: Readonly<Record<string, unknown>>): [string, string][] =>
  Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || NOT_PASSED.has(name) ? [] : [[name, String(value)]],
  )
