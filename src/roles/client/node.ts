/** A client node: keeps connections to proxies and runs requests on whichever serves them. */
import { createHash } from 'node:crypto'
import { type Address, type ChainAccess, onNewParams, type Registry, type WalletSender } from '../../chain/index.ts'
import {
  keepTargets,
  type PeerVerifier,
  type PowSolver,
  type TlsIdentity,
  type TransportMetrics,
} from '../../transport/index.ts'
import {
  type Clock,
  CocoonError,
  type Log,
  type Metrics,
  type Random,
  reveal,
  type Secret,
  type Trace,
} from '../../util/index.ts'
import { type ClientChain, type ContractList, createClientChain } from './chain/index.ts'
import { createFailover, type ReadyProxy } from './failover.ts'
import type { ChargeRecall, Inference, InferenceRequest, InferenceSink, Quote } from './inference.ts'
import { createOfferLists } from './offer-lists.ts'
import type { ClientOptions } from './options.ts'
import { type Link, openLink, type ProxyMemory } from './proxy-link.ts'
import { createProxyShares, type ShareSource } from './proxy-shares.ts'
import { createRequests } from './requests.ts'
import { type ClientFacts, clientJsonStats, clientStatus } from './status.ts'
import type { WorkerJudge } from './worker-proofs.ts'

export interface ClientDeps {
  readonly clock: Clock
  readonly trace?: Trace | undefined
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly transportMetrics: TransportMetrics
  readonly registry: Registry
  readonly owner: Address
  readonly secret: Secret<string>
  readonly tls: TlsIdentity
  readonly verifier: PeerVerifier
  /** Judges workers that proxies tell about; null where nobody looks at them. */
  readonly workerJudge?: WorkerJudge | null
  readonly solver: PowSolver
  /** Absent in a network without a chain. The wallet is the owner of the client's contracts, and pays for them. */
  readonly chain?: {
    readonly access: ChainAccess
    readonly wallet: WalletSender
    /** Where its contracts are remembered. */
    readonly contracts?: ContractList
  }
}

export interface ClientNode extends Inference, ChargeRecall {
  ready(): readonly string[]
  /** Resolves when a proxy is ready; rejects when the signal fires, with the last reason why none was. */
  whenReady(signal: AbortSignal): Promise<void>
  status(): ReturnType<typeof clientStatus>
  jsonstats(): unknown
  /**
   * Takes the rest of the account at every connected proxy out, or at the one with this contract, and closes it there, for good.
   * Throws `payment.in-use` while requests run, `capacity.no-proxy` where none is connected.
   */
  leave(proxy?: Address): Promise<void>
  /** Refuses new requests, waits for running ones up to `graceMs`, then closes. */
  close(graceMs: number): Promise<void>
}

const shareSource = ({ link, connectionId, address, running }: ReadyProxy & { readonly link: Link }): ShareSource => ({
  connectionId,
  address,
  running,
  models: () => link.models(),
})

const READY_POLL_MS = 20
/** More than any number of running requests. */
const LAST_CHOICE = 1e9

export function startClientNode(deps: ClientDeps, options: ClientOptions): ClientNode {
  const { clock, random, log, registry } = deps
  const memory = new Map<string, ProxyMemory>()
  const config = (): ReturnType<Registry['current']> => registry.current()
  const requests = createRequests({ clock, random, log, metrics: deps.metrics, trace: deps.trace, config })
  const secretHash = new Uint8Array(createHash('sha256').update(reveal(deps.secret)).digest())
  const chain: ClientChain | undefined =
    deps.chain &&
    createClientChain(
      {
        clock,
        random,
        log,
        ...deps.chain,
        // An empty secret is everybody's: it is never put on chain, and no proxy of ours would take it.
        secretHash: reveal(deps.secret) === '' ? null : secretHash,
        params: () => registry.current().params,
        mostOwedNano: () => requests.mostOwedNano(),
      },
      options.chain,
    )
  const linkDeps = {
    clock,
    random,
    log,
    owner: deps.owner,
    secret: deps.secret,
    secretHash,
    options,
    requests,
    memory,
    config,
    chain,
    workerJudge: deps.workerJudge ?? undefined,
    lost: () => void (lostAtMs = clock.now()),
  }
  let stopping = false
  let lostAtMs: number | null = null

  const targets = keepTargets<Link>({
    clock,
    random,
    log,
    wanted: options.proxyConnections,
    dial: {
      identity: deps.tls,
      verifier: deps.verifier,
      solver: deps.solver,
      maxPowDifficulty: options.maxPowDifficulty,
      clock,
      log,
      metrics: deps.transportMetrics,
    },
    listed: () => registry.current().proxies.map((p) => p.forClients),
    open: (connection) => openLink(connection, linkDeps),
  })

  const unsubscribe =
    chain === undefined
      ? () => undefined
      : onNewParams(registry, log, () => {
          const why = new CocoonError('capacity.closing', { message: 'the network has new parameters' })
          for (const { link } of targets.all()) link?.connection.close(why)
        })

  /** Ready proxies, with their links. */
  const ready = (): readonly (ReadyProxy & { readonly link: Link })[] =>
    targets.all().flatMap(({ link, host, port }) => {
      if (link === null || link.session.at !== 'ready') return []
      const { connection, session } = link
      const { version } = session.proxy
      return [
        {
          link,
          connectionId: connection.id,
          address: `${host}:${port}`,
          running: requests.runningOn(connection.id) + (link.retiring ? LAST_CHOICE : 0),
          run: (request: InferenceRequest, sink: InferenceSink) => requests.run(connection, version, request, sink),
        },
      ]
    })

  function nobody(): CocoonError {
    if (stopping) return new CocoonError('capacity.shutting-down', { message: 'this client is shutting down' })
    const reason = targets.all().find((t) => t.lastFailure !== null)?.lastFailure?.message
    const listed = registry.current().proxies.length
    const message =
      listed === 0 ? 'the registry lists no proxy' : `no proxy is connected${reason ? `: ${reason}` : ' yet'}`
    return new CocoonError('capacity.no-proxy', { message, retryAfterMs: 1_000 })
  }

  function quote(request: InferenceRequest): Quote {
    const one = requests.quote(request)
    // Of two hedged attempts both may be charged.
    return (request.hedgeAfterMs ?? options.hedgeAfterMs) > 0 ? { ...one, maxCostNano: 2n * one.maxCostNano } : one
  }

  const shares = createProxyShares(clock)
  /** Where there is a choice, with what each has for this request. */
  function candidates({ model, maxCoefficient, recall }: InferenceRequest): readonly ReadyProxy[] {
    if (stopping) return []
    const connected = ready()
    const all = recall === undefined ? connected : connected.filter(({ address }) => recall.proxies.has(address))
    if (all.length < 2) return all
    shares.refresh(all.map(shareSource))
    return all.map((one) => ({ ...one, share: shares.of(one.connectionId, model, maxCoefficient) }))
  }

  const failover = createFailover(
    {
      clock,
      log,
      metrics: deps.metrics,
      ready: candidates,
      quote,
      lostAtMs: () => lostAtMs,
      nobody,
      stopping: () => stopping,
    },
    options,
  )

  deps.metrics.gauge('proxy_connections', 'Ready proxy connections', () => targets.all().filter((t) => t.ready).length)
  deps.metrics.gauge('running_requests', 'Requests running now', () => requests.running)
  const startedAtMs = clock.now()
  const facts = (): ClientFacts => ({
    config: registry.current(),
    owner: deps.owner,
    options,
    requests,
    memory,
    chain: chain?.status() ?? null,
    targets: targets.all(),
    startedAtMs,
    nowMs: clock.now(),
    enabled: !stopping,
  })
  return {
    run: failover.run,
    quote,
    models: createOfferLists({
      clock,
      ready: () => (stopping ? [] : ready().map(shareSource)),
      nobody,
    }),
    proxies: () => (stopping ? [] : ready().map(({ address }) => address)),
    async chargesAt(proxy, names) {
      const found = ready().find(({ address }) => address === proxy)
      if (found === undefined) throw new CocoonError('capacity.no-proxy', { message: `${proxy} is not connected` })
      return found.link.charges(names)
    },
    ready: () => [
      ...(stopping ? ['shutting down'] : []),
      ...(targets.all().some((t) => t.ready) ? [] : ['no proxy is connected']),
    ],
    whenReady: (signal) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (targets.all().some((t) => t.ready)) return resolve()
          if (signal.aborted) {
            const why = targets.all().find((t) => t.lastFailure !== null)?.lastFailure?.message
            return reject(
              new CocoonError('capacity.no-proxy', { message: `no proxy became ready${why ? `: ${why}` : ''}` }),
            )
          }
          clock.after(READY_POLL_MS, look)
        }
        look()
      }),
    status: () => clientStatus(facts()),
    jsonstats: () => clientJsonStats(facts()),
    async leave(proxy) {
      const links = ready()
        .map(({ link }) => link)
        .filter(
          ({ session }) => proxy === undefined || (session.at === 'ready' && session.proxy.contract.equals(proxy)),
        )
      if (links.length === 0)
        throw new CocoonError('capacity.no-proxy', {
          message: `${proxy === undefined ? 'no proxy' : `the proxy ${proxy.toString()}`} is connected: it could sign no refund`,
        })
      await Promise.all(links.map((link) => link.leave()))
    },
    async close(graceMs) {
      stopping = true
      unsubscribe()
      await Promise.race([requests.idle(), new Promise<void>((resolve) => clock.after(graceMs, resolve))])
      chain?.close()
      targets.stop(new CocoonError('capacity.closing', { message: 'the node is shutting down' }))
    },
  }
}
