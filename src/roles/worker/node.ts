/** A worker node: keeps connections to proxies and hands their requests to one engine. */
import { type Address, type ChainAccess, onNewParams, type Registry, type WalletSender } from '../../chain/index.ts'
import { type Engine, watchEngine } from '../../engine/index.ts'
import {
  keepTargets,
  type PeerVerifier,
  type PowSolver,
  type TlsIdentity,
  type TransportMetrics,
} from '../../transport/index.ts'
import {
  type Abilities,
  abilitiesFrom,
  type Clock,
  CocoonError,
  firstOf,
  type Log,
  type Metrics,
  type Random,
  type Trace,
} from '../../util/index.ts'
import { createWorkerChain } from './chain/index.ts'
import type { WorkerOptions } from './options.ts'
import { type Link, openLink, type ProxyMemory } from './proxy-link.ts'
import { createRequests } from './requests.ts'
import { type WorkerFacts, workerJsonStats, workerStatus } from './status.ts'

export interface WorkerDeps {
  readonly clock: Clock
  readonly trace?: Trace | undefined
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly transportMetrics: TransportMetrics
  readonly registry: Registry
  readonly engine: Engine
  /** Is paid for the work. */
  readonly owner: Address
  readonly tls: TlsIdentity
  readonly verifier: PeerVerifier
  readonly solver: PowSolver
  /** Absent in a network without a chain. The wallet pays for collecting; what is earned goes to `owner`. */
  readonly chain?: { readonly access: ChainAccess; readonly wallet: WalletSender }
}

export interface WorkerNode {
  ready(): readonly string[]
  status(): ReturnType<typeof workerStatus>
  jsonstats(): unknown
  /** Tells proxies to send nothing more, waits for running answers up to `graceMs`, then closes. */
  close(graceMs: number): Promise<void>
}

/** Enough that no two workers draw the same. */
const INSTANCE_BYTES = 32

export function startWorkerNode(deps: WorkerDeps, options: WorkerOptions): WorkerNode {
  const { clock, random, log, registry } = deps
  const memory = new Map<string, ProxyMemory>()
  let stopping = false
  let engineDown = true
  const model = options.model.split('@', 1)[0] as string
  const requests = createRequests({
    clock,
    log,
    metrics: deps.metrics,
    trace: deps.trace,
    engine: deps.engine,
    suspect: () => watch.suspect(),
    model,
    maxActive: options.maxActiveRequests,
    price: () => registry.current().params,
  })
  const chain =
    deps.chain &&
    createWorkerChain(
      { clock, random, log, ...deps.chain, owner: deps.owner, params: () => registry.current().params },
      options.chain,
    )
  const disabled = (): boolean => stopping || engineDown
  /** The operator's word first: an engine knows less of its model than whoever chose it. */
  const configured = abilitiesFrom(options.can, options.cannot, options.contextLength)
  let abilities: Abilities = configured
  const closing = new AbortController()
  const linkDeps = {
    clock,
    random,
    log,
    owner: deps.owner,
    options,
    requests,
    memory,
    config: () => registry.current(),
    chain,
    disabled,
    abilities: () => abilities,
    instance: random.bytes(INSTANCE_BYTES),
  }

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
    listed: () => registry.current().proxies.map((p) => p.forWorkers),
    open: (connection) => openLink(connection, linkDeps),
  })
  const announce = (): void => {
    for (const target of targets.all()) target.link?.announceDisabled(disabled())
  }
  /** Asked whenever the engine has come: another may have taken its place. */
  async function askEngine(): Promise<void> {
    const told = await deps.engine.describe?.(model, closing.signal).catch((error: unknown) => {
      if (!stopping) log.warn('the engine does not say what its model can do', { reason: String(error) })
    })
    abilities = told === undefined ? configured : firstOf(configured, told)
    for (const target of targets.all()) target.link?.announceAbilities()
  }
  const watch = watchEngine({
    engine: deps.engine,
    clock,
    random: () => random.fraction(),
    onChange(state) {
      engineDown = !state.ready
      if (state.ready) log.info('the engine is ready', { models: state.models.slice(0, 8) })
      else log.warn('the engine is down; proxies are told to send nothing', { reason: state.why?.message })
      announce()
      if (state.ready) void askEngine()
    },
  })
  const unsubscribe =
    chain === undefined
      ? () => undefined
      : onNewParams(registry, log, () => {
          const why = new CocoonError('capacity.closing', { message: 'the network has new parameters' })
          for (const { link } of targets.all()) link?.leave(why)
        })
  deps.metrics.gauge('proxy_connections', 'Ready proxy connections', () => targets.all().filter((t) => t.ready).length)
  deps.metrics.gauge('running_requests', 'Requests running now', () => requests.running)
  deps.metrics.gauge('engine_up', '1 while the engine answers', () => (engineDown ? 0 : 1))

  const startedAtMs = clock.now()
  const facts = (): WorkerFacts => ({
    config: registry.current(),
    owner: deps.owner,
    options,
    requests,
    memory,
    chain: chain?.status() ?? null,
    engine: watch.state,
    targets: targets.all(),
    startedAtMs,
    nowMs: clock.now(),
    enabled: !disabled(),
  })
  return {
    ready: () => [
      ...(stopping ? ['shutting down'] : []),
      ...(engineDown ? ['the engine does not answer'] : []),
      ...(targets.all().some((t) => t.ready) ? [] : ['not registered at any proxy']),
    ],
    status: () => workerStatus(facts()),
    jsonstats: () => workerJsonStats(facts()),
    async close(graceMs) {
      stopping = true
      closing.abort()
      announce()
      await Promise.race([requests.idle(), new Promise<void>((resolve) => clock.after(graceMs, resolve))])
      watch.stop()
      unsubscribe()
      chain?.close()
      targets.stop(new CocoonError('capacity.closing', { message: 'the node is shutting down' }))
      await deps.engine.close()
    },
  }
}
