/** A client node inside an application: the network behind a `fetch`, without an HTTP port. */
import {
  apiError,
  type AnswerMemory,
  createAnswerMemory,
  createGate,
  errorBodyFor,
  findModel,
  fingerprintOf,
  listModels,
  prepareInference,
  pricesOf,
  toHttpError,
} from '../api/index.ts'
import { type InteractiveWatch, watchInteractive } from '../batch/index.ts'
import { formatAddress } from '../chain/index.ts'
import { type ClientNode, type Inference, type ModelOffer, type Offers, OWNER } from '../roles/client/index.ts'
import { CocoonError, toCocoonError, toHex } from '../util/index.ts'
import { type Connection, connectByFile, connectOnChain } from './connection.ts'
import { openSdkBatches, type SdkBatches } from './batches.ts'
import { type CreateClientOptions, readOptions, type SdkBatchOptions, type SdkOptions } from './options.ts'
import { readBody, routeOf } from './request.ts'
import { type Cost, respond } from './respond.ts'

export interface CocoonClient extends AsyncDisposable {
  /**
   * Answers the inference paths of the HTTP API, `/v1/models` and `/v1/models/ID` from the network, and with `batches` also
   * `/v1/files` and `/v1/batches`, whatever host the URL names; statuses, headers and error bodies are those of the HTTP API, `Idempotency-Key` included. Hand it to any library that
   * takes a `fetch`, with a base URL that ends in `/v1`. It rejects only with the reason of an aborted signal, and with a
   * TypeError for arguments that `fetch` itself would refuse. A body that fails without being a stream of events ends with
   * a CocoonError.
   */
  readonly fetch: typeof globalThis.fetch
  /**
   * Resolves when a proxy is connected. Requests wait for that by themselves; this is for telling at start-up what is wrong.
   * Rejects with `capacity.no-proxy`, which has the last failure in its message, when the signal fires or after 30 s; the first
   * time at a proxy on TON takes a deposit and some blocks, so give it minutes. Rejects at once with `chain.*` and `config.*`
   * for what waiting does not mend, among it a folder for batches that another process uses.
   */
  ready(signal?: AbortSignal): Promise<void>
  /** Models on offer now, with their workers. Waits for a proxy as requests do; throws `capacity.no-proxy`. */
  models(): Promise<readonly ModelOffer[]>
  /** Proxies, accounts and counts of this client. */
  status(): ReturnType<ClientNode['status']>
  /**
   * What the request behind a response of this client's `fetch` cost; resolves when its answer has ended. Undefined for a
   * request that was refused or given up. Whole answers tell it in their headers as well.
   */
  costOf(response: Response): Promise<Cost | undefined>
  /**
   * On TON: takes the rest of the accounts at all connected proxies out, to the wallet, and closes them for good. Throws
   * `payment.in-use` while requests run, `capacity.no-proxy` where none is connected.
   */
  leave(): Promise<void>
  /**
   * Takes no new requests, lets running ones finish for a while, and disconnects. Until then the process stays alive. Batches go on when
   * the next client opens their folder.
   */
  close(): Promise<void>
}

const READY_TIMEOUT_MS = 30_000

/**
 * Connects to a network and gives it the shape of a `fetch`. Returns at once; connecting goes on behind it. Throws
 * `config.sdk-option`, `config.ton-endpoints`, `config.ton-api-keys`, `chain.network-file`, `chain.address`, `config.test-roots`.
 *
 * ```ts
 * await using cocoon = createClient({ network: 'network.json' })
 * const openai = new OpenAI({ baseURL: 'http://cocoon/v1', apiKey: 'unused', fetch: cocoon.fetch })
 * ```
 *
 * On TON a wallet pays: it deposits at the proxies, proves itself to them, and gets the rest back with `leave()`.
 *
 * ```ts
 * const wallet = { key: process.env.COCOON_KEY, ownerAddress: 'UQ…', statePath: './cocoon-wallet' }
 * await using cocoon = createClient({ network: 'mainnet', wallet })
 * ```
 */
export function createClient(options: CreateClientOptions): CocoonClient {
  const read = readOptions(options)
  const { api, clock, random, log, network } = read
  const gate = createGate(clock, api.maxRunning)
  const closing = new AbortController()
  const costs = new WeakMap<Response, Promise<Cost | undefined>>()
  const defaults = {
    maxTokens: api.defaultMaxTokens,
    maxCoefficient: api.defaultMaxCoefficient,
    timeoutMs: api.defaultTimeoutMs,
  }
  const answering = { clock, log, limits: api, firstByte: () => undefined }
  let connection: Connection | null = network.kind === 'file' ? connectByFile(read, network) : null
  const opening = network.kind === 'chain' ? connectOnChain(read, network, closing.signal) : null
  let failure: CocoonError | null = null
  const opened = opening?.connection.then(
    (now) => void (connection = now),
    (error: unknown) => void (failure = toCocoonError(error)),
  )
  let watch: InteractiveWatch | undefined
  const batches =
    read.batches === null ? null : Promise.resolve(opened).then(() => openBatches(read.batches as SdkBatchOptions))
  // Told to whoever asks for them.
  batches?.catch(() => undefined)
  let memory: AnswerMemory | undefined
  let closed: Promise<void> | undefined

  /** The node, as soon as there is one. */
  async function nodeBy(signal: AbortSignal): Promise<ClientNode> {
    await new Promise<void>((resolve) => {
      void Promise.resolve(opened).then(resolve)
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    return nodeNow()
  }

  function nodeNow(): ClientNode {
    if (connection !== null) return connection.node
    if (failure !== null) throw failure
    const why = opening?.why()
    throw new CocoonError('capacity.no-proxy', {
      message: `the network is not known yet${why === null || why === undefined ? '' : `: ${why}`}`,
      retryAfterMs: 1_000,
    })
  }

  /** What live requests run on. Batches leave room for those that somebody waits for, so these are watched. */
  function liveInference(): Inference {
    const node = nodeNow()
    if (read.batches === null) return node
    return (watch ??= watchInteractive(node, clock)).inference
  }

  function openBatches(wanted: SdkBatchOptions): Promise<SdkBatches> {
    const node = nodeNow()
    return openSdkBatches(read, wanted, node, node, (watch ??= watchInteractive(node, clock)))
  }

  /** Rejects when the time is over, this client closes or the signal fires. */
  async function connected(withinMs: number, signal: AbortSignal | undefined): Promise<void> {
    const late = new AbortController()
    const timer = clock.after(withinMs, () => late.abort())
    // Timers of the clock do not keep the process alive, and between two attempts there is no socket that would.
    const hold = setInterval(() => undefined, READY_TIMEOUT_MS)
    const until = AbortSignal.any([late.signal, closing.signal, ...(signal === undefined ? [] : [signal])])
    try {
      await (await nodeBy(until)).whenReady(until)
    } finally {
      timer.cancel()
      clearInterval(hold)
    }
  }

  /** Waits a while for a proxy. That there is none is then told by whoever asks it. */
  async function untilConnected(signal: AbortSignal | undefined): Promise<void> {
    if (connection === null || connection.node.ready().length > 0)
      await connected(read.connectWaitMs, signal).catch(() => undefined)
    signal?.throwIfAborted()
  }

  async function infer(request: Request, path: string, traceId: string, signal: AbortSignal | undefined) {
    const leave = gate.enter()
    try {
      const body = await readBody(request, api.maxBodyBytes, signal)
      const prepared = prepareInference({ path, headers: request.headers, body, traceId, caller: OWNER, defaults })
      await untilConnected(signal)
      const inference = liveInference()
      const key = request.headers.get('idempotency-key')
      memory ??= createAnswerMemory(clock, inference)
      const kept = key === null ? undefined : memory.inferenceFor(key, path, fingerprintOf(prepared))
      const ownHeaders = kept?.isRepeated === true ? [...idHeaders(traceId), ...REPLAYED] : idHeaders(traceId)
      const answer = respond(prepared, ownHeaders, signal, { ...answering, inference: kept?.inference ?? inference })
      void answer.over.then(leave)
      const response = await answer.response
      costs.set(response, answer.cost)
      return response
    } catch (error) {
      leave()
      throw error
    }
  }

  async function offers(signal: AbortSignal | undefined): Promise<Offers> {
    await untilConnected(signal)
    return nodeNow().models(signal)
  }

  async function answerWithBatches(request: Request, signal: AbortSignal | undefined): Promise<Response> {
    if (batches === null)
      throw apiError('request.not-found', {
        message: "Files and batches are kept in a folder: give createClient 'batches.statePath'.",
      })
    const leave = gate.enter()
    try {
      if (connection === null) await untilConnected(signal)
      nodeNow()
      return await (await batches).answer(request, signal)
    } finally {
      leave()
    }
  }

  async function answerTo(request: Request, traceId: string, signal: AbortSignal | undefined): Promise<Response> {
    const route = routeOf(request.method, request.url)
    switch (route.to) {
      case 'inference':
        return infer(request, route.path, traceId, signal)
      case 'models':
        return json(listModels(await offers(signal), pricesOf(nodeNow())), traceId)
      case 'model':
        return json(findModel(await offers(signal), route.id, pricesOf(nodeNow())), traceId)
      case 'batches':
        return answerWithBatches(request, signal)
    }
  }

  async function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init)
    // Not the request's own copy of it, which nothing but the request keeps alive.
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined)
    signal?.throwIfAborted()
    const traceId = toHex(random.bytes(16))
    try {
      return await answerTo(request, traceId, signal)
    } catch (thrown) {
      if (signal?.aborted === true) throw signal.reason
      const error = toCocoonError(thrown)
      const fields = { traceId, code: error.code, message: error.message }
      if (error.family === 'bug') log.error('request failed', { ...fields, stack: error.stack })
      else log.debug('request refused', fields)
      const failure = toHttpError(error)
      const body = errorBodyFor(new URL(request.url).pathname, failure, traceId)
      return json(body, traceId, failure.status, failure.headers)
    }
  }

  async function shutDown(): Promise<void> {
    closing.abort()
    const draining = gate.drain(read.closeGraceMs)
    await opened
    const kept = await batches?.catch(() => null)
    await Promise.all([draining, kept?.drain(read.closeGraceMs)])
    const disconnect = async (): Promise<void> => connection?.close()
    await (kept ? kept.close(disconnect) : disconnect())
  }

  const client: CocoonClient = {
    fetch,
    async ready(signal) {
      await Promise.all([connected(READY_TIMEOUT_MS, signal), connection === null ? null : batches])
      await batches
    },
    models: async () => (await offers(undefined)).models,
    status: () => connection?.node.status() ?? unconnected(read),
    costOf: (response) => costs.get(response) ?? Promise.resolve(undefined),
    leave: async () => nodeNow().leave(),
    close: () => (closed ??= shutDown()),
    [Symbol.asyncDispose]: () => client.close(),
  }
  return client
}

/** Before the chain was read nothing is known but who pays. */
const unconnected = ({ owner, node }: SdkOptions): ReturnType<ClientNode['status']> => ({
  role: 'client',
  enabled: false,
  uptimeS: 0,
  owner: formatAddress(owner, node.isTestnet),
  pricePerTokenNano: 0n,
  requests: { running: 0, succeeded: 0, failed: 0, tokens: 0 },
  proxies: [],
  accounts: [],
})

const REPLAYED = ['idempotent-replayed', 'true']
const idHeaders = (traceId: string): string[] => ['x-request-id', traceId, 'x-cocoon-request-id', traceId]

function json(body: unknown, traceId: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  const own = { 'x-request-id': traceId, 'x-cocoon-request-id': traceId }
  return Response.json(body, { status, headers: { ...own, ...headers } })
}
