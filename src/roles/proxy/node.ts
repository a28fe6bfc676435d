/** A proxy node: listeners, timers and the wiring of its parts. Decisions are in admission, request and the sessions. */
import { createHash } from 'node:crypto'
import {
  formatAddress,
  type Address,
  type ChainAccess,
  proxyContractAddress,
  type Registry,
  type RootConfig,
  type SigningKey,
  type WalletSender,
} from '../../chain/index.ts'
import type { Commitment, Ledger, OwnerKey } from '../../ledger/index.ts'
import { encode, proxySignedPayment } from '../../tl/index.ts'
import {
  type Listener,
  listen,
  type PeerVerifier,
  type TlsIdentity,
  type TransportMetrics,
} from '../../transport/index.ts'
import {
  type Clock,
  CocoonError,
  type Log,
  type Metrics,
  type Random,
  randomUint64,
  type Timer,
  uniform,
  type Trace,
} from '../../util/index.ts'
import { createProxyChain, isRealSecret, type ProxyChain } from './chain/index.ts'
import { createClients } from './clients.ts'
import type { AuthOffer } from './client-session.ts'
import type { ProxyIdentity } from './identity.ts'
import type { ProxyOptions } from './options.ts'
import { createPaymentSigner } from './payments.ts'
import { createPrefixKeys } from './prefix-memory.ts'
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
  readonly trace?: Trace | undefined
  readonly transportMetrics: TransportMetrics
  readonly registry: Registry
  readonly ledger: Ledger
  /** Signs payments and is the proxy's identity on chain. */
  readonly key: SigningKey
  readonly owner: Address
  readonly tls: TlsIdentity
  /** Clients need no evidence; workers need what the network asks for. */
  readonly verifiers: { readonly clients: PeerVerifier; readonly workers: PeerVerifier }
  /** Absent in a network without a chain: then nothing is submitted, and every client owns what the network file says. */
  readonly chain?: { readonly access: ChainAccess; readonly wallet: WalletSender }
}

export interface ProxyNode {
  /** Bound addresses. Throws `config.port-in-use` and the like. */
  readonly clientPort: number
  readonly workerPort: number
  /** Reasons why it cannot serve now; empty when ready. */
  ready(): readonly string[]
  status(): ReturnType<typeof proxyStatus>
  jsonstats(): unknown
  /**
   * Resolves when the proxy contract is there and in step with the ledger, at once where there is no chain. Rejects when they can
   * never be: `config.ledger-behind-chain`. Until then every peer is refused.
   */
  readonly opened: Promise<void>
  /** Resolves when the network has new parameters: every contract has another address from then on, and this node is over. */
  readonly outdated: Promise<void>
  /** Takes no new requests, waits for running ones up to `graceMs`, then closes every connection. */
  close(graceMs: number): Promise<void>
}

/** Totals are written down on this cadence, uniformly drawn so that proxies do not march in step. */
const COMMIT_EVERY_MS = { low: 1_000, high: 2_000 }

export async function startProxyNode(deps: ProxyDeps, options: ProxyOptions): Promise<ProxyNode> {
  const { clock, ledger, log, registry, key } = deps
  const pool = new WorkerPool(deps.random)
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
  const chain =
    deps.chain === undefined
      ? null
      : createProxyChain(
          {
            ...deps,
            onSignable: tellSigned,
            ...deps.chain,
            contract,
            params: registry.current().params,
            root: registry.current().root ?? deps.owner,
          },
          options.chain,
        )
  /** Whoever is connected hears of it at once: what is signed can be taken to a contract. */
  function tellSigned(): void {
    for (const role of [clients, workers])
      for (const { connection, owner } of role.parties.values()) {
        const payment = role.payment(owner)
        if (payment._ === 'proxy.signedPayment') connection.send(encode(proxySignedPayment, payment))
      }
  }
  const isEnabled = (): boolean => enabled && (chain === null || chain.trouble() === null)
  const payments = createPaymentSigner(key, deps.chain?.wallet.address ?? deps.owner, deps.random)
  const shared = {
    log,
    ledger,
    pool,
    payments,
    contract,
    isTestnet,
    config: (): RootConfig => registry.current(),
    identity: () => identity,
    enabled: isEnabled,
    now: () => clock.now(),
    sha256: (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest()),
  }
  const workers = createWorkers({ ...shared, requests: () => requests })
  const requests = createRequests({
    clock,
    random: deps.random,
    log,
    metrics: deps.metrics,
    trace: deps.trace,
    ledger,
    pool,
    queue: {
      maxQueued: options.maxQueuedRequests,
      maxQueueWaitMs: options.maxQueueWaitMs,
      startedMs: clock.now(),
    },
    prefixKeys: createPrefixKeys(deps.random.bytes(32)),
    rules: () => ({
      configVersion: registry.current().version,
      // Work that could not be settled would be lost: refused as a proxy that does not take part refuses it.
      enabled: isEnabled() && ledger.trouble() === null,
      multipliers: registry.current().params.multipliers,
    }),
    worker: (id) => workers.parties.get(id),
    workerPayment: workers.payment,
    shownOwner: workers.shownOwner,
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
  const clients = createClients({
    ...shared,
    requests,
    showWorkers: workers.show,
    ...(chain === null
      ? { offer: testNetworkOffer }
      : {
          offer: (owner: OwnerKey) => offerByContract(chain, owner, deps.random),
          accounts: { ...chain, meet: chain.meetClient },
        }),
  })

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
  deps.metrics.gauge('queued_requests', 'Requests waiting for a worker', () => requests.scheduling().waiting)
  deps.metrics.gauge('running_requests', 'Requests running now', () => requests.running)

  let timer: Timer | undefined
  const scheduleCommit = (): void => {
    timer = clock.after(uniform(deps.random, COMMIT_EVERY_MS.low, COMMIT_EVERY_MS.high), () => {
      // With a chain, only checkpoints say what may be signed; the call still finds out whether the ledger has recovered.
      ledger.commit(chain === null ? undefined : NOTHING_MORE).then(scheduleCommit, (error: unknown) => {
        log.error('totals could not be written down; will be tried again', { error: String(error) })
        scheduleCommit()
      })
    })
  }
  scheduleCommit()

  let becomeOutdated = (): void => undefined
  const outdated = new Promise<void>((resolve) => (becomeOutdated = resolve))
  const unsubscribe = registry.subscribe((config) => {
    if (config.params.paramsVersion === startedWith.params.paramsVersion) return
    log.warn(
      chain === null
        ? 'the registry’s parameters changed: restart this proxy to move to new contract addresses'
        : 'the network has new parameters: this proxy moves to a new contract and winds up the old one',
      { paramsVersion: config.params.paramsVersion },
    )
    if (chain !== null) enabled = false
    becomeOutdated()
  })
  const opening = new AbortController()
  const opened = chain === null ? Promise.resolve() : chain.open(opening.signal)
  // Whoever does not wait for it sees the reason in `ready`.
  opened.catch((error: unknown) => log.error('the proxy contract could not be opened', { why: String(error) }))
  const startedWith = registry.current()
  const startedAtMs = clock.now()
  const facts = (): ProxyFacts => ({
    config: registry.current(),
    identity,
    enabled: isEnabled(),
    startedAtMs,
    nowMs: clock.now(),
    requests,
    pool,
    clients: clients.parties,
    workers: workers.parties,
    ledger,
    chain: chain?.status() ?? null,
    isTestnet,
  })
  return {
    clientPort,
    workerPort,
    opened,
    outdated,
    ready: () => [
      ...(enabled ? [] : ['shutting down']),
      ...[chain?.trouble()?.message ?? []].flat(),
      ...(pool.slots().some((s) => s.enabled) ? [] : ['no worker is connected and enabled']),
    ],
    status: () => proxyStatus(facts()),
    jsonstats: () => proxyJsonStats(facts()),
    async close(graceMs) {
      enabled = false
      unsubscribe()
      opening.abort(new CocoonError('capacity.closing', { message: 'the proxy is shutting down' }))
      const late = new Promise<void>((resolve) => clock.after(graceMs, resolve))
      await Promise.race([requests.idle(), late])
      for (const notices of [workerNotices, clientNotices]) notices.flush()
      const why = new CocoonError('capacity.closing', { message: 'the proxy is shutting down' })
      for (const { connection } of [...clients.parties.values(), ...workers.parties.values()]) connection.close(why)
      timer?.cancel()
      await chain?.close()
      await ledger
        .commit(chain === null ? undefined : NOTHING_MORE)
        .catch((error: unknown) => log.error('the last totals are not committed', { error: String(error) }))
      await Promise.all(listeners.map((l) => l.close()))
    },
  }
}

const NOTHING_MORE: Commitment = { clients: new Map(), workers: new Map() }

/** A contract with a real secret can be asked for it; every other client registers on chain. */
function offerByContract(chain: ProxyChain, owner: OwnerKey, random: Random): AuthOffer {
  // Positive on the wire, where numbers have a sign, and the same on chain, where they have none.
  const nonce = BigInt.asUintN(63, randomUint64(random))
  const secretHash = chain.client(owner)?.secretHash
  return secretHash !== undefined && isRealSecret(secretHash)
    ? { by: 'secret', secretHash, nonce }
    : { by: 'registration', nonce }
}

/** Where there is no chain, every client is offered the short form for the empty secret, as peers expect of a test network. */
function testNetworkOffer(_owner: OwnerKey): AuthOffer {
  return { by: 'test-network', secretHash: new Uint8Array(createHash('sha256').digest()), nonce: 0n }
}
