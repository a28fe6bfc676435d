/** A local TON chain behind the toncenter HTTP API: chain, state folder, cadence and endpoints put together. */
import type { FastifyInstance } from 'fastify'
import type { Clock, Log, Random } from '../util/index.ts'
import { type Chain, createChain, genesis } from './chain.ts'
import { createEndpoint, type Endpoint } from './endpoint.ts'
import { devnetError } from './errors.ts'
import { createFaults, type FaultOrder } from './faults.ts'
import { createDevnetServer } from './http/server.ts'
import type { DevnetOptions } from './options.ts'
import { type Producer, startProducer } from './producer.ts'
import { newChainId, openStore, type Store, zeroStateOf } from './store.ts'
import { createVm } from './vm.ts'

export interface DevnetDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface Devnet {
  /** `http://127.0.0.1:18080`; for `TonClient` add `/api/v2/jsonRPC`. */
  readonly url: string
  /** Of the second endpoint, when `forkPort` is set. */
  readonly forkUrl: string | null
  /** Stops taking calls, finishes the block that is being made and saves the state, so that the next start is quick. */
  close(): Promise<void>
}

/** What `/devnet/*` can do beyond its own endpoint's chain. */
export interface DevnetControl {
  orderFaults(endpoint: Endpoint, order: FaultOrder): Promise<unknown>
  faultsOf(endpoint: Endpoint): unknown
  clearFaults(): Promise<unknown>
  /** Saves the whole state now. */
  save(): Promise<unknown>
  status(endpoint: Endpoint): unknown
}

interface Running {
  readonly chain: Chain
  readonly producer: Producer
}

/** Listens, with the state of the last run if there is one. Throws `config.devnet-locked`, `chain.devnet-state`. */
export async function startDevnet(options: DevnetOptions, deps: DevnetDeps): Promise<Devnet> {
  const { clock, random, log } = deps
  const store = options.statePath === undefined ? null : openStore(options.statePath, options, { log, random })
  const id = store?.id ?? newChainId(random)
  const servers: FastifyInstance[] = []
  let main: Running | null = null
  let forked: Running | null = null

  let closed: Promise<void> | null = null
  /** Once: a second save would write into a folder that is somebody else's by then. */
  const close = (): Promise<void> => (closed ??= closeAll())

  async function closeAll(): Promise<void> {
    await Promise.all(servers.map((server) => server.close()))
    await Promise.all([main?.producer.close(), forked?.producer.close()])
    if (store !== null && main !== null) await saveBetweenBlocks(main.chain, store).catch(() => {})
    await store?.close()
  }

  try {
    const chain = await openChain(options, deps, store)
    const chainFaults = createFaults(deps)
    const produce = (of: Chain): Running => ({
      chain: of,
      producer: startProducer(of, { intervalMs: options.blockIntervalMs, lateMs: chainFaults.lateMs }, deps),
    })
    main = produce(chain)
    const common = main

    async function setFork(isForked: boolean): Promise<void> {
      if (isForked && options.forkPort === undefined)
        throw devnetError('request.devnet-parameter', {
          message: 'forkEndpoints: there is one endpoint only; start with `forkPort`',
        })
      if (isForked === (forked !== null)) return
      const before = forked
      forked = isForked ? produce(common.chain.branch(`fork-${Math.floor(random.fraction() * 2 ** 32)}`)) : null
      await before?.producer.close()
    }

    const endpoints: Endpoint[] = []
    const control: DevnetControl = {
      async orderFaults(endpoint, { lateBlocksMs, loseMessages, forkEndpoints, ...replies }) {
        if (forkEndpoints !== undefined) await setFork(forkEndpoints === true)
        chainFaults.order({ lateBlocksMs, loseMessages })
        endpoint.faults.order(replies)
        return control.faultsOf(endpoint)
      },
      faultsOf: (endpoint) => ({
        ...chainFaults.current,
        ...endpoint.faults.current,
        forkEndpoints: forked !== null,
      }),
      async clearFaults() {
        chainFaults.clear()
        for (const endpoint of endpoints) endpoint.faults.clear()
        await setFork(false)
        return {}
      },
      async save() {
        if (store === null)
          throw devnetError('request.devnet-parameter', { message: 'this chain is in memory; start with `statePath`' })
        await saveBetweenBlocks(common.chain, store)
        return { statePath: options.statePath }
      },
      status: (endpoint) => {
        const { block } = endpoint.chain().view()
        return {
          id,
          seqno: block.seqno,
          utime: block.utime,
          lt: block.endLt.toString(),
          now: endpoint.chain().now(),
          idle: endpoint.chain().isIdle(),
          ...endpoint.chain().sizes(),
          blockIntervalMs: options.blockIntervalMs,
          journalBytes: store?.journalBytes() ?? 0,
          rssBytes: process.memoryUsage.rss(),
          forked: forked !== null,
        }
      },
    }

    const listen = async (port: number, running: () => Running): Promise<string> => {
      const endpoint = createEndpoint({
        chain: () => running().chain,
        kick: () => running().producer.kick(),
        faults: createFaults(deps),
        chainFaults,
        zeroState: zeroStateOf(id),
      })
      endpoints.push(endpoint)
      const server = createDevnetServer({ endpoint, control, clock, log })
      servers.push(server)
      return await server.listen({ host: options.host, port })
    }
    const url = await listen(options.port, () => common)
    const forkUrl = options.forkPort === undefined ? null : await listen(options.forkPort, () => forked ?? common)
    log.info('the devnet listens', { url, forkUrl, seqno: chain.view().block.seqno })
    return { url, forkUrl, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Blocks go on while it is written. A failure is the store's to log; the journals stay, so nothing is lost by it. */
async function saveBetweenBlocks(chain: Chain, store: Store): Promise<void> {
  const { written } = await chain.quiesced(async () => ({ written: store.begin(chain.capture()) }))
  await written
}

/** A new chain, or the saved one with everything that its journals tell; from here on it is saved as it goes. */
async function openChain(options: DevnetOptions, deps: DevnetDeps, store: Store | null): Promise<Chain> {
  const { clock, log } = deps
  const saved = (await store?.recover()) ?? null
  let isReplaying = saved !== null
  const chain = createChain(
    {
      clock,
      log,
      limits: options,
      vm: await createVm(log),
      journal: (record) => {
        if (!isReplaying) store?.append(record)
      },
    },
    saved?.state ?? genesis(clock),
  )
  for (const record of saved?.since ?? []) await chain.replay(record)
  isReplaying = false
  if (store !== null) {
    const written = store.begin(chain.capture())
    // Without a first snapshot there is nothing that a journal could follow.
    if (saved === null) await written
    else written.catch(() => {})
    chain.onBlock(() => {
      if (store.journalBytes() < options.journalBytes || store.isSaving()) return
      // Its failure is the store's to log; the journals stay, so nothing is lost.
      store.begin(chain.capture()).catch(() => {})
    })
  }
  if (saved === null) await chain.mine()
  log.info('the chain is open', {
    ...chain.sizes(),
    seqno: chain.view().block.seqno,
    replayed: saved?.since.length ?? 0,
  })
  return chain
}
