/** A proxy node: listeners, timers and the wiring of its parts. Decisions are in admission, request and the sessions. */
import { createHash } from 'node:crypto'
import {
  formatAddress,
  type Address,
  proxyContractAddress,
  type Registry,
  type RootConfig,
  type SigningKey,
} from '../../chain/index.ts'
import type { Ledger, OwnerKey } from '../../ledger/index.ts'
import {
  type Listener,
  listen,
  type PeerVerifier,
  type TlsIdentity,
  type TransportMetrics,
} from '../../transport/index.ts'
import { type Clock, CocoonError, type Log, type Metrics, type Random, type Timer, uniform } from '../../util/index.ts'
import { createClients } from './clients.ts'
import type { AuthOffer } from './client-session.ts'
import type { ProxyIdentity } from './identity.ts'
import type { ProxyOptions } from './options.ts'
import { createPaymentSigner } from './payments.ts'
import { type Announcement, createRequests } from './requests.ts'
import { WorkerPool } from './scheduler.ts'
import { proxyJsonStats, proxyStatus, type ProxyFacts } from './status.ts'
import { createThinned } from './thinned.ts'
import { createWorkers } from './workers.ts'

export interface ProxyDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly transportMetrics: TransportMetrics
  readonly registry: Registry
  readonly ledger: Ledger
  /** Signs payments and is the proxy's identity on chain. */
  readonly key: SigningKey
  readonly owner: Address
  readonly tls: TlsIdentity
  /** Clients need no evidence; workers need what the network asks for. */
  readonly verifiers: { readonly clients: PeerVerifier; readonly workers: PeerVerifier }
}

export interface ProxyNode {
  /** Bound addresses. Throws `config.port-in-use` and the like. */
  readonly clientPort: number
  readonly workerPort: number
  /** Reasons why it cannot serve now; empty when ready. */
  ready(): readonly string[]
  status(): ReturnType<typeof proxyStatus>
  jsonstats(): unknown
  /** Takes no new requests, waits for running ones up to `graceMs`, then closes every connection. */
  close(graceMs: number): Promise<void>
}

/** Totals are written down on this cadence, uniformly drawn so that proxies do not march in step. */
const COMMIT_EVERY_MS = { low: 1_000, high: 2_000 }

export async function startProxyNode(deps: ProxyDeps, options: ProxyOptions): Promise<ProxyNode> {
  const { clock, ledger, log, registry, key } = deps
  const pool = new WorkerPool()
  const { isTestnet } = options
  const contract = proxyContractAddress(registry.current().params, {
    owner: deps.owner,
    publicKey: key.publicKey,
    root: registry.current().root ?? deps.owner,
  })
  const identity: ProxyIdentity = {
    publicKey: key.publicKey,
    ownerAddress: formatAddress(deps.owner, isTestnet),
    contractAddress: formatAddress(contract, isTestnet),
    isTest: registry.current().params.isTest,
  }
  let enabled = true
  const payments = createPaymentSigner(key, deps.owner, deps.random)
  const shared = {
    log,
    ledger,
    pool,
    payments,
    contract,
    isTestnet,
    config: (): RootConfig => registry.current(),
    identity: () => identity,
    enabled: () => enabled,
    sha256: (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest()),
  }
  const workers = createWorkers({ ...shared, requests: () => requests })
  const requests = createRequests({
    clock,
    random: deps.random,
    log,
    metrics: deps.metrics,
    ledger,
    pool,
    rules: () => ({
      configVersion: registry.current().version,
      // Work that could not be settled would be lost: refused as a proxy that does not take part refuses it.
      enabled: enabled && ledger.trouble() === null,
      multipliers: registry.current().params.multipliers,
    }),
    worker: (id) => workers.parties.get(id),
    workerPayment: workers.payment,
    announce(request) {
      workerNotices.tell(request.worker.connection, request)
      clientNotices.tell(request.client.connection, request)
    },
  })
  const workerNotices = createThinned<Announcement>(clock, ({ worker, workerRequestId, tokens, client }) => {
    const account = ledger.worker(worker.owner)
    if (account !== undefined) workers.notifyPayment(worker, workerRequestId, account, tokens, client.owner)
  })
  const clientNotices = createThinned<Announcement>(clock, ({ client, clientRequestId, tokens }) => {
    const account = ledger.client(client.owner)
    if (account !== undefined) clients.notifyPayment(client, clientRequestId, account, tokens)
  })
  const clients = createClients({ ...shared, requests, offer: testNetworkOffer })

  const limits = { powDifficulty: options.powDifficulty, maxConnections: options.maxConnections }
  const common = { clock, metrics: deps.transportMetrics, identity: deps.tls, limits }
  const listeners: Listener[] = []
  const open = async (port: number, name: 'clients' | 'workers'): Promise<number> => {
    const onConnection = name === 'clients' ? clients.accept : workers.accept
    const verifier = deps.verifiers[name]
    const listener = await listen({
      ...common,
      host: options.host,
      port,
      verifier,
      log: log.with({ port: name }),
      onConnection,
    })
    listeners.push(listener)
    return listener.port
  }
  let workerPort: number
  let clientPort: number
  try {
    workerPort = await open(options.workerPort, 'workers')
    clientPort = await open(options.clientPort, 'clients')
  } catch (error) {
    await Promise.all(listeners.map((l) => l.close()))
    throw error
  }

  deps.metrics.gauge('worker_connections', 'Ready worker connections', () => workers.parties.size)
  deps.metrics.gauge('client_connections', 'Ready client connections', () => clients.parties.size)
  deps.metrics.gauge('running_requests', 'Requests running now', () => requests.running)

  let timer: Timer | undefined
  const scheduleCommit = (): void => {
    timer = clock.after(uniform(deps.random, COMMIT_EVERY_MS.low, COMMIT_EVERY_MS.high), () => {
      ledger.commit().then(scheduleCommit, (error: unknown) => {
        log.error('totals could not be written down; will be tried again', { error: String(error) })
        scheduleCommit()
      })
    })
  }
  scheduleCommit()

  const unsubscribe = registry.subscribe((config) => {
    if (config.params.paramsVersion !== startedWith.params.paramsVersion)
      log.warn('the registry’s parameters changed: restart this proxy to move to new contract addresses', {
        paramsVersion: config.params.paramsVersion,
      })
  })
  const startedWith = registry.current()
  const startedAtMs = clock.now()
  const facts = (): ProxyFacts => ({
    config: registry.current(),
    identity,
    enabled,
    startedAtMs,
    nowMs: clock.now(),
    requests,
    pool,
    clients: clients.parties,
    workers: workers.parties,
    ledger,
    isTestnet,
  })
  return {
    clientPort,
    workerPort,
    ready: () =>
      enabled ? (pool.slots().some((s) => s.enabled) ? [] : ['no worker is connected and enabled']) : ['shutting down'],
    status: () => proxyStatus(facts()),
    jsonstats: () => proxyJsonStats(facts()),
    async close(graceMs) {
      enabled = false
      unsubscribe()
      const late = new Promise<void>((resolve) => clock.after(graceMs, resolve))
      await Promise.race([requests.idle(), late])
      for (const notices of [workerNotices, clientNotices]) notices.flush()
      const why = new CocoonError('capacity.closing', { message: 'the proxy is shutting down' })
      for (const { connection } of [...clients.parties.values(), ...workers.parties.values()]) connection.close(why)
      timer?.cancel()
      await ledger
        .commit()
        .catch((error: unknown) => log.error('the last totals are not committed', { error: String(error) }))
      await Promise.all(listeners.map((l) => l.close()))
    },
  }
}

/** Where there is no chain, every client is offered the short form for the empty secret, as peers expect of a test network. */
function testNetworkOffer(_owner: OwnerKey): AuthOffer {
  return { by: 'test-network', secretHash: new Uint8Array(createHash('sha256').digest()), nonce: 0n }
}
