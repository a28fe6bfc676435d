/** Endpoints that are slow, gone, on another network or lying; contracts nobody may act on; no TON, no disk: what nodes do, and where the money is. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import {
  chainNetwork,
  clientContractAddress,
  NETWORKS,
  openChainAccess,
  parseRootState,
  type RootDraft,
  storeRootState,
  workerState,
} from '../../src/chain/index.ts'
import { createFaults, FAULT } from '../../src/ledger/faults.ts'
import { proxyChainOptions } from '../../src/roles/proxy/chain/index.ts'
import { createProxyChain } from '../../src/roles/proxy/index.ts'
import { noMetrics, silentLog, systemClock, systemRandom } from '../../src/util/index.ts'
import { call } from '../devnet/support.ts'
import {
  ask,
  type ChainNetworkOptions,
  type ChainTestNetwork,
  type ProxySite,
  startChainNetwork,
  type TestClient,
  type TestProxy,
  type TestWorker,
  TON,
} from '../support/chain-network.ts'
import { bookEverything } from '../support/conservation.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { type LyingEndpoint, startLyingEndpoint } from '../support/lying-endpoint.ts'
import { until } from '../support/network.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

/** Of the scripted answer. */
const TOKENS = 8n

let engine: ScriptedEngine
let network: ChainTestNetwork
let endpoint: LyingEndpoint | undefined
let proxy: TestProxy
let worker: TestWorker
let client: TestClient

beforeAll(async () => void (engine = await startScriptedEngine()))
afterAll(() => engine?.close())
beforeEach(() => {
  network = undefined as never
  endpoint = undefined
})
afterEach(async () => {
  await network?.close()
  await endpoint?.close()
})

async function bringUp(options: Partial<ChainNetworkOptions> = {}, over = {}, site: ProxySite = {}): Promise<void> {
  network = await startChainNetwork({ engineUrl: engine.url, ...options })
  proxy = await network.startProxy(1, over, site)
  worker = await network.startWorker(1)
  client = await network.startClient(1)
  await client.node.whenReady(AbortSignal.timeout(60_000))
  await until(() => proxy.node.status().workers.some((w) => w.enabled), 'a worker is enabled', 60_000)
}

/** All nodes ask the chain through an endpoint that can lie. */
async function bringUpBehindEndpoint(): Promise<LyingEndpoint> {
  let between: LyingEndpoint | undefined
  await bringUp({
    endpoints: async ({ url }) => {
      between = await startLyingEndpoint(`${url}/api/v2`)
      return [between.url]
    },
  })
  return (endpoint = between as LyingEndpoint)
}

const serves = async (): Promise<void> => expect((await ask(client.node)).error).toBeUndefined()
const settledTokens = (): bigint => proxy.ledger.clients().reduce((sum, { totals }) => sum + totals.max, 0n)
const clientContract = () => {
  const owner = client.wallet.sender.address
  const publicKey = Buffer.from(proxy.node.status().publicKey, 'hex')
  const who = { owner, proxy: proxy.contract, proxyPublicKey: publicKey }
  return clientContractAddress(network.registry.current().params, who)
}
const paidTokens = async (): Promise<bigint> => {
  const { data } = await network.access.getAccount(proxy.workerContract(worker.owner.toRawString()))
  return data === null ? 0n : workerState.loadPrefix(data).tokens
}

/** The worker has all that was settled, and every nanoTON is somewhere. */
async function expectPaidAndConserved(): Promise<void> {
  await until(async () => (await paidTokens()) === settledTokens(), 'the worker is paid', 120_000)
  await network.quiet()
  const { mintedNano, heldNano, burnedNano } = await bookEverything(network.access, network.minted)
  expect(mintedNano - heldNano - burnedNano).toBe(0n)
}

test('an endpoint that never answers stops no request; orders wait, say why, and go on when it is back', async () => {
  const between = await bringUpBehindEndpoint()
  between.lie = { status: null }
  await serves()
  await serves()
  const why = (): string | undefined => proxy.node.status().chain?.lastError ?? undefined
  await until(
    () => /no answer in 10000 ms|no toncenter endpoint could be asked/.test(why() ?? ''),
    'it says why',
    60_000,
  )
  expect(await paidTokens()).toBe(0n)
  expect(proxy.node.ready()).toEqual([])
  between.lie = { delayMs: 300 }
  await expectPaidAndConserved()
})

test('an endpoint that comes back as another network is told nothing, and its accounts are not believed', async () => {
  const between = await bringUpBehindEndpoint()
  await serves()
  await until(async () => (await paidTokens()) === TOKENS, 'the worker is paid', 60_000)
  between.lie = { status: 0 }
  await until(() => network.registry.status().lastError?.code === 'chain.unavailable', 'it is gone', 60_000)
  // Money that is not there, on a chain that is not meant.
  const rich = { balance: (1_000n * TON).toString() }
  between.lie = {
    zeroState: Buffer.from(NETWORKS.mainnet.zeroState, 'hex').toString('base64'),
    accounts: [[clientContract(), rich]],
  }
  between.asked()
  await serves()
  await until(() => network.registry.status().lastError?.code === 'chain.other-network', 'it is found out', 60_000)
  expect(network.registry.status().lastError?.message).toMatch(
    /serves mainnet, and this node is set for devnet: correct --ton-endpoints/,
  )
  await serves()
  expect(new Set(between.asked())).toEqual(new Set(['getMasterchainInfo']))
  between.lie = {}
  await expectPaidAndConserved()
})

test('two endpoints that have forked have nothing decided on them, and the money moves when they agree again', async () => {
  await bringUp({ endpoints: ({ url, forkUrl }) => [`${url}/api/v2`, `${forkUrl}/api/v2`] })
  await serves()
  await until(async () => (await paidTokens()) === TOKENS, 'the worker is paid', 60_000)
  await call(network.url, '/devnet/faults', { forkEndpoints: true })
  await network.faucet(proxy.contract, TON)
  await until(() => proxy.node.status().chain?.lastError !== null, 'the proxy notices', 120_000)
  expect(proxy.node.status().chain?.lastError).toMatch(/tell different states|do not come to the same state/)
  for (let i = 0; i < 3; i++) await serves()
  expect(proxy.node.ready()).toEqual([])
  expect(await paidTokens()).toBe(TOKENS)
  await call(network.url, '/devnet/faults', { forkEndpoints: false })
  await expectPaidAndConserved()
})

test('a machine whose clock is wrong sends nothing, says by how much, and goes on when it was set', async () => {
  const between = await bringUpBehindEndpoint()
  const sentBefore = proxy.wallet.sender.status().seqno
  for (const [clockMs, says] of [
    [7_200_000, /clock is 7[12]\d\d s behind the chain’s/],
    [-7_200_000, /clock is 7[12]\d\d s ahead of the chain’s/],
  ] as const) {
    between.lie = { clockMs }
    await serves()
    await until(() => says.test(proxy.node.status().chain?.lastError ?? ''), 'the proxy notices', 60_000)
    await until(() => network.registry.status().lastError?.code === 'chain.clock', 'the registry notices', 60_000)
    expect(proxy.node.status().chain?.lastError).toContain('set it, best by NTP')
  }
  expect(await paidTokens()).toBe(0n)
  expect(proxy.wallet.sender.status().seqno).toBe(sentBefore)
  between.lie = {}
  await expectPaidAndConserved()
})

test('a client’s contract that is told to be frozen, or of another code, gets no TON and keeps nobody else from theirs', async () => {
  const between = await bringUpBehindEndpoint()
  await serves()
  const contract = clientContract()
  const { code } = await network.access.getAccount(proxy.contract)
  for (const [fields, says] of [
    [{ state: 'frozen', code: '', data: '' }, /owes rent and is frozen/],
    [{ code: code?.toBoc().toString('base64') }, /told to run another code/],
  ] as const) {
    between.lie = { accounts: [[contract, fields]] }
    const seqno = client.wallet.sender.status().seqno
    await until(
      () => says.test(client.node.status().accounts[0]?.onChain?.lastError ?? ''),
      'the client notices',
      60_000,
    )
    await serves()
    expect(client.wallet.sender.status().seqno).toBe(seqno)
  }
  // What the proxy knows of it comes from its own contract’s history: the worker is paid meanwhile.
  await until(async () => (await paidTokens()) === settledTokens(), 'the worker is paid', 120_000)
  between.lie = {}
  await expectPaidAndConserved()
})

test('a root of an unknown layout leaves the last good one in force, and says to update', async () => {
  const between = await bringUpBehindEndpoint()
  const { data } = await network.access.getAccount(network.root)
  if (data === null) throw new Error('no root')
  const { proxyHashes: _p, workerHashes: _w, modelHashes: _m, ...state } = parseRootState(data)
  const draft: RootDraft = {
    owner: state.owner,
    version: state.version + 1,
    proxyHashes: [],
    workerHashes: [],
    modelHashes: [],
    proxies: [],
    lastProxySeqno: state.lastProxySeqno,
    params: {
      ...state.params,
      structVersion: 6,
      codes: {
        proxy: state.params.codes.proxy.cell ?? null,
        worker: state.params.codes.worker.cell ?? null,
        client: state.params.codes.client.cell ?? null,
      },
    },
  }
  const newer = storeRootState(draft).toBoc().toString('base64')
  between.lie = { accounts: [[network.root, { data: newer }]] }
  await until(() => network.registry.status().lastError?.code === 'chain.struct-version', 'it is noticed', 60_000)
  expect(network.registry.status().lastError?.message).toMatch(/struct version 6; .*: update it/)
  await serves()
  expect(network.registry.current().proxies).toHaveLength(1)
  between.lie = {}
  await expectPaidAndConserved()
})

test('a proxy whose wallet is empty says what it needs, opens when it has it, and serves then', async () => {
  const log = createRecordingLog()
  network = await startChainNetwork({ engineUrl: engine.url, log })
  const starting = network.startProxy(1, {}, { fundsNano: TON / 5n })
  const needs = /waiting for TON on the wallet[^]*holds 0\.2 TON and needs [^]*: send it at least/
  await until(() => log.lines.some((line) => needs.test(line)), 'it says what it needs', 60_000)
  const poor = network.minted.at(-1)
  if (poor === undefined) throw new Error('no wallet')
  await network.faucet(poor, 20n * TON)
  proxy = await starting
  worker = await network.startWorker(1)
  client = await network.startClient(1)
  await client.node.whenReady(AbortSignal.timeout(60_000))
  await until(() => proxy.node.status().workers.some((w) => w.enabled), 'a worker is enabled', 60_000)
  await serves()
  await expectPaidAndConserved()
})

test('a local chain that was begun anew is not the one of the ledger: refused, with what to do, and nothing is sent', async () => {
  const between = await bringUpBehindEndpoint()
  await serves()
  await proxy.close()
  // The same addresses, and none of the history.
  between.lie = { zeroState: Buffer.alloc(32, 7).toString('base64') }
  const seqno = proxy.wallet.sender.status().seqno
  const again = createProxyChain(
    {
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      ledger: await network.openLedger(1),
      access: openChainAccess(chainNetwork('devnet', { endpoints: [between.url] }), {
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        metrics: noMetrics,
      }),
      wallet: proxy.wallet.sender,
      key: network.proxyKey(1),
      owner: proxy.owner,
      root: network.root,
      params: network.registry.current().params,
      contract: proxy.contract,
    },
    proxyChainOptions.parse({ pollMs: 60 }),
  )
  await expect(again.open(AbortSignal.timeout(30_000))).rejects.toMatchObject({
    code: 'config.ledger-other-chain',
    message: expect.stringMatching(/kept on another chain .*: bring that chain back, or move the ledger away/),
  })
  await again.close()
  expect(proxy.wallet.sender.status().seqno).toBe(seqno)
})

test('a full disk of the ledger admits nothing and charges nothing, and is over by itself', async () => {
  const faults = createFaults()
  await bringUp({}, {}, { faults })
  await serves()
  await until(async () => (await paidTokens()) === TOKENS, 'the worker is paid', 60_000)
  faults[FAULT.maxPages] = 1
  // As many as fit into the pages that are there.
  let answered = 1n
  let refused = await ask(client.node)
  for (; refused.error === undefined && answered < 1_000n; refused = await ask(client.node)) answered++
  expect(refused.error?.code).toMatch(/^capacity\./)
  expect(proxy.ledger.trouble()).toMatchObject({
    code: 'capacity.ledger-full',
    message: expect.stringContaining('until there is room again'),
  })
  expect((await ask(client.node)).error).toBeDefined()
  expect(settledTokens()).toBe(answered * TOKENS)
  faults[FAULT.maxPages] = 0
  await until(async () => (await ask(client.node)).error === undefined, 'it serves again', 60_000)
  await expectPaidAndConserved()
})
