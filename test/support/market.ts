/** Many clients, workers and proxies on one chain, doing things at random and failing at random; then every nanoTON is looked for. */
import { clientState, proxyState, workerState } from '../../src/chain/index.ts'
import { formatTon, type Random, seededRandom } from '../../src/util/index.ts'
import { call } from '../devnet/support.ts'
import {
  ask,
  type ChainTestNetwork,
  readPatiently,
  startChainNetwork,
  type TestClient,
  type TestProxy,
} from './chain-network.ts'
import { bookEverything } from './conservation.ts'
import { until } from './network.ts'
import { startScriptedEngine } from './scripted-engine.ts'

export interface MarketOptions {
  readonly seed: number
  readonly clients: number
  readonly workers: number
  readonly proxies: number
  readonly operations: number
  readonly blockIntervalMs?: number
  /** How often each node reads its contracts. */
  readonly pollMs: number
  readonly patienceMs: number
  progress?(text: string): void
}

export interface MarketReport {
  readonly answered: number
  readonly refused: number
  readonly faults: Readonly<Record<string, number>>
  /** Tokens: used by clients, charged to them, paid for to workers. */
  readonly used: bigint
  readonly charged: bigint
  readonly paid: bigint
  readonly mintedNano: bigint
  readonly heldNano: bigint
  readonly burnedNano: bigint
  readonly transactions: number
}

export async function runMarket(options: MarketOptions): Promise<MarketReport> {
  const random = seededRandom(options.seed)
  const engine = await startScriptedEngine()
  const network = await startChainNetwork({ engineUrl: engine.url, blockIntervalMs: options.blockIntervalMs ?? 50 })
  try {
    return await run(network, options, random)
  } finally {
    await network.close()
    await engine.close()
  }
}

async function run(network: ChainTestNetwork, options: MarketOptions, random: Random): Promise<MarketReport> {
  const { progress = () => undefined, patienceMs } = options
  const chain = { pollMs: options.pollMs }
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.fraction() * from.length)] as T
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
  const proxies = new Map<number, TestProxy>()
  for (const n of numbers(options.proxies)) proxies.set(n, await network.startProxy(n, { chain }))
  progress(`${proxies.size} proxies`)
  // Every worker at every proxy, so that no client waits for one.
  await Promise.all(
    numbers(options.workers).map((n) => network.startWorker(n, { proxyConnections: options.proxies, chain })),
  )
  await until(() => [...proxies.values()].every((p) => p.node.ready().length === 0), 'workers are there', patienceMs)
  progress(`${options.workers} workers`)
  const clients = new Map<number, TestClient>()
  await Promise.all(numbers(options.clients).map(async (n) => clients.set(n, await network.startClient(n, { chain }))))
  await Promise.all([...clients.values()].map((c) => c.node.whenReady(AbortSignal.timeout(patienceMs))))
  progress(`${clients.size} clients`)

  let [answered, refused] = [0, 0]
  const faults: Record<string, number> = {}
  const running = new Set<Promise<void>>()
  const count = (name: string): void => void (faults[name] = (faults[name] ?? 0) + 1)
  const fault = (body: object): Promise<unknown> => call(network.url, '/devnet/faults', body)

  /** Each ends with the network as it was, sooner or later. */
  const mishaps: Readonly<Record<string, () => Promise<unknown>>> = {
    'endpoint fails': () => fault({ failReplies: { next: 4 } }),
    'endpoint lags': () => fault({ staleReplies: { blocks: 3, probability: 0.3 } }),
    'messages are lost': () => fault({ loseMessages: { next: 1 } }),
    'endpoint is well': () => call(network.url, '/devnet/faults', { staleReplies: null, failReplies: null }),
    'a client restarts': async () => {
      const n = pick([...clients.keys()])
      await clients.get(n)?.close()
      clients.set(n, await network.startClient(n, { chain }))
    },
    'a proxy restarts': async () => {
      const n = pick([...proxies.keys()])
      await proxies.get(n)?.close()
      proxies.set(n, await network.startProxy(n, { chain }))
    },
  }
  const mishapEvery = Math.max(20, Math.floor(options.operations / 40))
  const toldEvery = Math.max(1, Math.floor(options.operations / 50))
  for (let i = 1; i <= options.operations; i++) {
    if (i % toldEvery === 0) progress(`${i} operations`)
    if (i % mishapEvery === 0) {
      const name = pick(Object.keys(mishaps))
      count(name)
      await mishaps[name]?.()
      progress(`${i} operations: ${name}`)
      continue
    }
    const client = pick([...clients.values()])
    // Who has just lost its proxy waits for it, as applications do that try again.
    const connected =
      client.node.ready().length === 0
        ? Promise.resolve()
        : client.node.whenReady(AbortSignal.timeout(patienceMs)).catch(() => undefined)
    const asking = connected
      .then(() => ask(client.node))
      .then(({ error }) => {
        if (error === undefined) answered++
        else refused++
      })
    running.add(asking)
    void asking.finally(() => running.delete(asking))
    if (running.size >= 8) await Promise.race(running)
  }
  await Promise.all(running)
  await call(network.url, '/devnet/faults', { staleReplies: null, failReplies: null, loseMessages: null })
  progress(`${answered} answered, ${refused} refused; settling`)

  const totals = (of: 'clients' | 'workers'): bigint =>
    [...proxies.values()].flatMap((p) => p.ledger[of]()).reduce((sum, a) => sum + a.totals.max, 0n)
  const used = totals('clients')
  const state = async () => {
    let [charged, paid] = [0n, 0n]
    for (const proxy of proxies.values()) {
      for (const { owner } of proxy.ledger.clients())
        charged += await onChain(network, proxy.clientContract(owner), true)
      for (const { owner } of proxy.ledger.workers()) paid += await onChain(network, proxy.workerContract(owner), false)
    }
    return { charged, paid }
  }
  await until(
    async () => {
      const { charged, paid } = await state()
      return charged === used && paid === used
    },
    'everything used is charged and paid',
    patienceMs,
  )
  const { charged, paid } = await state()
  await network.quiet()
  const books = await bookEverything(network.access, network.minted)
  for (const proxy of proxies.values()) {
    const { data, balanceNano } = await readPatiently(network.access, proxy.contract)
    const { balance, stake } = proxyState.loadCell(data as never)
    if (balanceNano < balance + stake) throw new Error('a proxy contract owes more than it holds')
  }
  const report = { answered, refused, faults, used, charged, paid, ...books }
  progress(describeMarket(report))
  return report
}

async function onChain(
  network: ChainTestNetwork,
  address: Parameters<ChainTestNetwork['balanceOf']>[0],
  isClient: boolean,
): Promise<bigint> {
  const { data } = await readPatiently(network.access, address)
  if (data === null) return 0n
  return isClient ? clientState.loadCell(data).tokensUsed : workerState.loadCell(data).tokens
}

export const describeMarket = (r: MarketReport): string =>
  `${r.answered} answered, ${r.refused} refused, ${JSON.stringify(r.faults)}; tokens used ${r.used}, charged ${r.charged}, paid ${r.paid}; ` +
  `minted ${formatTon(r.mintedNano)} = held ${formatTon(r.heldNano)} + burned ${formatTon(r.burnedNano)} TON in ${r.transactions} transactions`
