/** A whole network on a local chain in this process: real TVM, real TLS, real ledgers. For tests of the money path. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AccountState,
  Address,
  type ChainAccess,
  chainNetwork,
  clientContractAddress,
  type ChainRegistry,
  changeRoot,
  createChainRegistry,
  deployRoot,
  formatAddress,
  nodeWalletAddress,
  openChainAccess,
  openFileJournal,
  openSender,
  type OrderDeps,
  ownCode,
  payFrom,
  proxyContractAddress,
  type RootConfig,
  type RootTerms,
  type SigningKey,
  signingKeyFromSeed,
  type WalletSender,
  type WalletTransfer,
  workerContractAddress,
} from '../../src/chain/index.ts'
import { type Devnet, devnetOptions, startDevnet } from '../../src/devnet/index.ts'
import { createHttpEngine, httpEngineOptions } from '../../src/engine/index.ts'
import { createSqliteLedger, type DurableLedger } from '../../src/ledger/index.ts'
import {
  type ClientNode,
  clientOptions,
  type FinalInfo,
  type InferenceRequest,
  startClientNode,
} from '../../src/roles/client/index.ts'
import { type ProxyNode, proxyOptions, startProxyNode } from '../../src/roles/proxy/index.ts'
import { startWorkerNode, type WorkerNode, workerOptions } from '../../src/roles/worker/index.ts'
import { createIdentity, createVerifier } from '../../src/tee/index.ts'
import { createPowSolver, createTransportMetrics } from '../../src/transport/index.ts'
import {
  type CocoonError,
  type Log,
  noMetrics,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
} from '../../src/util/index.ts'
import { talkTo } from '../devnet/support.ts'

export const TON = 1_000_000_000n

/** As quick as a test may be: blocks every 50 ms, everything looked at as often. */
const POLL_MS = 60
const SENDER_POLL_MS = [40, 80] as const

export const TERMS: RootTerms = {
  pricePerToken: 1_000_000n,
  workerFeePerToken: 900_000n,
  proxyDelayBeforeCloseS: 600,
  clientDelayBeforeCloseS: 300,
  minProxyStakeNano: TON,
  minClientStakeNano: 2n * TON,
}

export interface ChainNetworkOptions {
  readonly engineUrl: string
  readonly log?: Log
  readonly terms?: Partial<RootTerms>
  readonly blockIntervalMs?: number
  /** What the nodes ask instead of the devnet, up to the version; the tests themselves ask the devnet. */
  readonly endpoints?: (devnet: Devnet) => readonly string[] | Promise<readonly string[]>
}

export interface Wallet {
  readonly key: SigningKey
  readonly sender: WalletSender
}

export interface TestProxy {
  readonly node: ProxyNode
  readonly ledger: DurableLedger
  readonly wallet: Wallet
  readonly owner: Address
  readonly contract: Address
  /** @param owner raw */
  clientContract(owner: string): Address
  workerContract(owner: string): Address
  /** Dies as a process would, as far as one process can show it: connections go, nothing more is sent. */
  close(): Promise<void>
}

export interface TestClient {
  readonly node: ClientNode
  readonly wallet: Wallet
  close(): Promise<void>
}

export interface TestWorker {
  readonly node: WorkerNode
  readonly wallet: Wallet
  readonly owner: Address
}

/** Where a proxy runs. */
export interface ProxySite {
  /** Of its wallet, the first time. */
  readonly fundsNano?: bigint
  /** Of its ledger. */
  readonly faults?: Int32Array
}

export interface ChainTestNetwork {
  readonly devnet: Devnet
  readonly url: string
  readonly folder: string
  /** The chain itself, whatever the nodes are told. */
  readonly access: ChainAccess
  /** What the nodes ask. */
  readonly nodeAccess: ChainAccess
  readonly registry: ChainRegistry
  readonly root: Address
  /** Changes the root as its owner. */
  change(wish: Parameters<typeof changeRoot>[2]): Promise<void>
  /** @param seed of its keys: the same one is the same node, with the same ledger. */
  startProxy(seed: number, options?: object, site?: ProxySite): Promise<TestProxy>
  startClient(seed: number, options?: object, secret?: string, fundsNano?: bigint): Promise<TestClient>
  proxyKey(seed: number): SigningKey
  /** Of a proxy that was closed; closed with the network. */
  openLedger(seed: number): Promise<DurableLedger>
  /** From a wallet that is nobody's in the network. */
  send(transfers: readonly WalletTransfer[]): Promise<void>
  startWorker(seed: number, options?: object): Promise<TestWorker>
  faucet(to: Address, amountNano: bigint): Promise<void>
  /** Accounts that the faucet gave to. */
  readonly minted: readonly Address[]
  /** Stops all nodes, and waits until no message is under way. */
  quiet(): Promise<void>
  balanceOf(address: Address): Promise<bigint>
  close(): Promise<void>
}

const addressOf = (seed: number, kind: number): Address =>
  new Address(
    0,
    Buffer.alloc(32)
      .fill(kind, 0, 28)
      .fill(Buffer.from([0, 0, seed >> 8, seed & 255]), 28),
  )
const keyOf = (seed: number, kind: number): SigningKey =>
  signingKeyFromSeed(
    new Uint8Array(32)
      .fill(kind)
      .fill(seed & 255, 30)
      .fill(seed >> 8, 29, 30),
  )

export async function startChainNetwork(options: ChainNetworkOptions): Promise<ChainTestNetwork> {
  const { log = silentLog, engineUrl } = options
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-chain-'))
  const clock = systemClock
  const random = systemRandom
  const base = { clock, random, log, metrics: noMetrics }
  const devnet = await startDevnet(
    devnetOptions.parse({
      port: 0,
      forkPort: 0,
      blockIntervalMs: options.blockIntervalMs ?? 50,
      keepTransactions: 10_000_000,
      keepTransactionsPerAccount: 1_000_000,
    }),
    {
      clock,
      random,
      log: silentLog,
    },
  )
  const direct = [`${devnet.url}/api/v2`]
  const access = openChainAccess(chainNetwork('devnet', { endpoints: direct }), base)
  const endpoints = (await options.endpoints?.(devnet)) ?? direct
  const nodeAccess = openChainAccess(chainNetwork('devnet', { endpoints }), base)
  const local = talkTo(devnet.url)
  const solver = createPowSolver()
  const code = ownCode('wallet')
  const closers: (() => Promise<void> | void)[] = []

  const balanceOf = async (address: Address): Promise<bigint> => (await readPatiently(access, address)).balanceNano
  const minted: Address[] = []
  const faucet = async (to: Address, amountNano: bigint): Promise<void> => {
    minted.push(to)
    const before = await balanceOf(to)
    await local.faucet(to, amountNano)
    while ((await balanceOf(to)) <= before) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  async function openWallet(name: string, key: SigningKey, owner: Address, by = nodeAccess): Promise<Wallet> {
    const journal = await openFileJournal(join(folder, `${name}.jsonl`))
    const sender = await openSender({ ...base, access: by, journal }, { key, owner, code, pollMs: SENDER_POLL_MS })
    return { key, sender }
  }

  const adminKey = keyOf(1, 0xa0)
  const admin = addressOf(1, 0xa1)
  await faucet(nodeWalletAddress({ owner: admin, publicKey: adminKey.publicKey }, code), 10_000n * TON)
  const administrator = await openWallet('admin', adminKey, admin, access)
  closers.push(() => administrator.sender.close())
  const orders: OrderDeps = { ...base, reader: access, payer: payFrom(administrator.sender), pollMs: [40, 80] }
  const root = await deployRoot(orders, {
    owner: administrator.sender.address,
    isTest: true,
    uniqueId: 7,
    terms: { ...TERMS, ...options.terms },
    multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
  })
  const openRegistry = (): ChainRegistry =>
    createChainRegistry({
      ...base,
      reader: nodeAccess,
      rootAddress: root,
      isTest: true,
      evidence: 'simulated',
      checkHashes: false,
      pollMs: [POLL_MS, POLL_MS * 2],
    })
  const registry = openRegistry()
  await registry.ready()
  closers.push(() => registry.close())
  const proxies: string[] = []
  const tls = (): ReturnType<typeof createIdentity> => createIdentity({ evidence: 'simulated' })
  const verifier = createVerifier({ accept: ['simulated'] })
  const shared = { ...base, transportMetrics: createTransportMetrics(noMetrics), registry, solver }

  const ledgerAt = (seed: number, contract: Address, { faults }: ProxySite = {}): Promise<DurableLedger> =>
    createSqliteLedger(base, {
      path: join(folder, `proxy-${seed}`, `ledger-${formatAddress(contract, false)}.sqlite`),
      contract: contract.toRawString(),
      pricePerToken: registry.current().params.pricePerToken,
      ...(faults === undefined ? {} : { faults }),
    })

  const ports = new Map<number, { workerPort: number; clientPort: number }>()
  async function startProxy(seed: number, over: object = {}, site: ProxySite = {}): Promise<TestProxy> {
    const config: RootConfig = registry.current()
    const owner = addressOf(seed, 0xb1)
    const key = keyOf(seed, 0xb0)
    const walletKey = keyOf(seed, 0xb2)
    const walletAddress = nodeWalletAddress({ owner, publicKey: walletKey.publicKey }, code)
    if ((await balanceOf(walletAddress)) === 0n) await faucet(walletAddress, site.fundsNano ?? 50n * TON)
    const wallet = await openWallet(`proxy-${seed}`, walletKey, owner)
    const contract = proxyContractAddress(config.params, { owner, publicKey: key.publicKey, root })
    const ledger = await ledgerAt(seed, contract, site)
    const node = await startProxyNode(
      {
        ...shared,
        ledger,
        key,
        owner,
        tls: tls(),
        verifiers: { clients: createVerifier({ accept: ['none'] }), workers: verifier },
        chain: { access: nodeAccess, wallet: wallet.sender },
      },
      proxyOptions.parse({
        powDifficulty: 4,
        ...(ports.get(seed) ?? { workerPort: 0, clientPort: 0 }),
        ...over,
        chain: {
          pollMs: POLL_MS,
          checkpointEveryMs: 0,
          checkpointAtTon: 0,
          chargeAtTon: 0.001,
          payoutAtTon: 0.001,
          ...(over as { chain?: object }).chain,
        },
      }),
    )
    let closed: Promise<void> | null = null
    const close = (): Promise<void> =>
      (closed ??= (async () => {
        await node.close(0)
        await ledger.close()
        await wallet.sender.close()
      })())
    closers.unshift(close)
    await node.opened.catch(async (error: unknown) => {
      await close()
      throw error
    })
    if (!ports.has(seed)) {
      ports.set(seed, { workerPort: node.workerPort, clientPort: node.clientPort })
      proxies.push(`127.0.0.1:${node.workerPort} 127.0.0.1:${node.clientPort}`)
      await changeRoot(orders, root, { proxies })
      while (registry.current().proxies.length < proxies.length) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const of = (raw: string) => ({ owner: Address.parse(raw), proxy: contract, proxyPublicKey: key.publicKey })
    return {
      node,
      ledger,
      wallet,
      owner,
      contract,
      close,
      clientContract: (raw) => clientContractAddress(config.params, of(raw)),
      workerContract: (raw) => workerContractAddress(config.params, of(raw)),
    }
  }

  async function startClient(
    seed: number,
    over: object = {},
    secret = `secret of ${seed}`,
    fundsNano = 100n * TON,
  ): Promise<TestClient> {
    const key = keyOf(seed, 0xc0)
    const owner = addressOf(seed, 0xc1)
    const address = nodeWalletAddress({ owner, publicKey: key.publicKey }, code)
    if ((await balanceOf(address)) === 0n) await faucet(address, fundsNano)
    const wallet = await openWallet(`client-${seed}`, key, owner)
    const node = startClientNode(
      {
        ...shared,
        owner: wallet.sender.address,
        secret: new Secret(secret),
        tls: tls(),
        verifier,
        chain: { access: nodeAccess, wallet: wallet.sender },
      },
      clientOptions.parse({ ...over, chain: { pollMs: POLL_MS, ...(over as { chain?: object }).chain } }),
    )
    let closed: Promise<void> | null = null
    const close = (): Promise<void> =>
      (closed ??= (async () => {
        await node.close(0)
        await wallet.sender.close()
      })())
    closers.unshift(close)
    return { node, wallet, close }
  }

  async function startWorker(seed: number, over: object = {}): Promise<TestWorker> {
    const key = keyOf(seed, 0xd0)
    const owner = addressOf(seed, 0xd1)
    const address = nodeWalletAddress({ owner, publicKey: key.publicKey }, code)
    if ((await balanceOf(address)) === 0n) await faucet(address, 20n * TON)
    const wallet = await openWallet(`worker-${seed}`, key, owner)
    const engine = createHttpEngine({ clock, log, metrics: noMetrics }, httpEngineOptions.parse({ url: engineUrl }))
    const node = startWorkerNode(
      { ...shared, engine, owner, tls: tls(), verifier, chain: { access: nodeAccess, wallet: wallet.sender } },
      workerOptions.parse({
        model: 'test-model',
        ...over,
        chain: { pollMs: POLL_MS, ...(over as { chain?: object }).chain },
      }),
    )
    closers.unshift(async () => {
      await node.close(0)
      await wallet.sender.close()
    })
    return { node, wallet, owner }
  }

  return {
    devnet,
    url: devnet.url,
    folder,
    access,
    nodeAccess,
    registry,
    root,
    async change(wish) {
      await changeRoot(orders, root, wish)
    },
    startProxy,
    proxyKey: (seed) => keyOf(seed, 0xb0),
    async openLedger(seed) {
      const [owner, { publicKey }] = [addressOf(seed, 0xb1), keyOf(seed, 0xb0)]
      const ledger = await ledgerAt(seed, proxyContractAddress(registry.current().params, { owner, publicKey, root }))
      closers.unshift(() => ledger.close())
      return ledger
    },
    async send(transfers) {
      await administrator.sender.send({ id: `test-${random.fraction()}`, transfers })
    },
    startClient,
    startWorker,
    faucet,
    minted,
    async quiet() {
      for (const close of closers.splice(0)) await close()
      await local.settle()
    },
    balanceOf,
    async close() {
      for (const close of closers) await close()
      solver.close()
      await devnet.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** As often as it takes: tests make endpoints fail, and endpoints that fail rest for a while. */
export async function readPatiently(access: ChainAccess, address: Address): Promise<AccountState> {
  const deadline = Date.now() + 120_000
  for (;;)
    try {
      return await access.getAccount(address)
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
}

export function chatRequest(body: Record<string, unknown> = {}): InferenceRequest {
  const whole = { model: 'test-model', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 64, ...body }
  return {
    path: '/v1/chat/completions',
    headers: [['content-type', 'application/json']],
    body: new TextEncoder().encode(JSON.stringify(whole)),
    model: whole.model,
    maxTokens: 64,
    maxCoefficient: 1000,
    timeoutMs: 20_000,
    debug: false,
    traceId: 'test',
  }
}

export interface Asked {
  readonly info: FinalInfo | undefined
  readonly error: CocoonError | undefined
}

export function ask(client: ClientNode, request = chatRequest()): Promise<Asked> {
  return new Promise((resolve) => {
    client.run(request, {
      head() {},
      part() {},
      end: (info) => resolve({ info, error: undefined }),
      fail: (error, info) => resolve({ error, info }),
    })
  })
}
