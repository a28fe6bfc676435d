/** What happens to money when things change: parameters, ledgers, contracts, wallets, endpoints. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import {
  type Address,
  clientContractAddress,
  clientState,
  formatAddress,
  orderTransfer,
  parseBoc,
  proxyState,
  type RootParams,
  signClosing,
  workerContractAddress,
  workerState,
} from '../../src/chain/index.ts'
import { createProxyChain } from '../../src/roles/proxy/index.ts'
import { proxyChainOptions } from '../../src/roles/proxy/chain/index.ts'
import { silentLog, systemClock, systemRandom } from '../../src/util/index.ts'
import { call } from '../devnet/support.ts'
import {
  ask,
  type ChainTestNetwork,
  startChainNetwork,
  type TestClient,
  type TestProxy,
  type TestWorker,
  TON,
} from '../support/chain-network.ts'
import { bookEverything, receivedBy } from '../support/conservation.ts'
import { until } from '../support/network.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let engine: ScriptedEngine
let network: ChainTestNetwork
let proxy: TestProxy
let worker: TestWorker
let client: TestClient

beforeAll(async () => void (engine = await startScriptedEngine()))
afterAll(() => engine?.close())

/** Nothing is charged or paid before a test says so. */
const PATIENT = { chain: { chargeAtTon: 1_000, payoutAtTon: 1_000 } }

async function bringUp(proxyOptions: object = {}, workerOptions: object = {}, terms: object = {}): Promise<void> {
  network = await startChainNetwork({ engineUrl: engine.url, terms })
  proxy = await network.startProxy(1, proxyOptions)
  worker = await network.startWorker(1, workerOptions)
  client = await network.startClient(1)
  await client.node.whenReady(AbortSignal.timeout(60_000))
  await until(() => proxy.node.status().workers.some((w) => w.enabled), 'a worker is enabled', 60_000)
}
beforeEach(() => {
  network = undefined as never
})
afterEach(async () => {
  await network?.close()
})

const partiesOf = (owner: Address, of = proxy) => ({
  owner,
  proxy: of.contract,
  proxyPublicKey: Buffer.from(of.node.status().publicKey, 'hex'),
})
async function stateOf<T>(address: Address, load: (data: never) => T): Promise<T | null> {
  // An endpoint that was made to fail rests for a while.
  const found = await network.access.getAccount(address).catch(() => null)
  return found === null || found.data === null ? null : load(found.data as never)
}
const clientOnChain = (params: RootParams) =>
  stateOf(clientContractAddress(params, partiesOf(client.wallet.sender.address)), clientState.loadCell)
const workerOnChain = (params: RootParams) =>
  stateOf(workerContractAddress(params, partiesOf(worker.owner)), workerState.loadCell)
const proxyOnChain = () => stateOf(proxy.contract, proxyState.loadCell)

test('with new parameters everybody moves on, and everybody has what is theirs from the old contracts', async () => {
  await bringUp(PATIENT, {}, { proxyDelayBeforeCloseS: 30, clientDelayBeforeCloseS: 10 })
  for (let i = 0; i < 4; i++) expect((await ask(client.node)).error).toBeUndefined()
  const { params } = network.registry.current()
  const before = { ...proxy, client: await clientOnChain(params) }
  await network.change({ terms: { pricePerToken: 2_000_000n, workerFeePerToken: 1_800_000n } })
  await proxy.node.outdated
  await before.node.close(1_000)
  const old = createProxyChain(
    {
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      ledger: before.ledger,
      access: network.access,
      wallet: before.wallet.sender,
      key: network.proxyKey(1),
      owner: before.owner,
      root: network.root,
      params,
      contract: before.contract,
      isDraining: true,
    },
    proxyChainOptions.parse({ pollMs: 60, checkpointEveryMs: 0 }),
  )
  await old.open(AbortSignal.timeout(30_000))
  // The proxy's delay before closing is waited for: the chain's time moves on.
  await until(async () => (await proxyOnChain())?.state === 'closing', 'the contract closes', 60_000)
  await until(async () => (await clientOnChain(params))?.state === 'closed', 'the client has its rest', 60_000)
  await until(async () => (await workerOnChain(params))?.state === 'closed', 'the worker has its pay', 60_000)
  expect(await clientOnChain(params)).toMatchObject({ balance: 0n, tokensUsed: 32n })
  expect(await receivedBy(network.access, worker.owner)).toBeGreaterThanOrEqual(32n * params.workerFeePerToken)
  await call(network.url, '/devnet/time', { advanceSeconds: params.proxyDelayBeforeCloseS })
  await until(async () => (await proxyOnChain())?.state === 'closed', 'the contract is closed', 60_000)
  await old.drained
  await old.close()
  expect(before.ledger.fact('chain.drained')).toBeDefined()
})

test('a ledger that is older than the chain is refused, and nothing is signed with it', async () => {
  await bringUp()
  const file = `ledger-${formatAddress(proxy.contract, false)}.sqlite`
  const folder = join(network.folder, 'proxy-1')
  await client.close()
  await proxy.close()
  cpSync(folder, join(network.folder, 'backup'), { recursive: true })
  proxy = await network.startProxy(1)
  await proxy.close()
  rmSync(folder, { recursive: true })
  cpSync(join(network.folder, 'backup'), folder, { recursive: true })
  await expect(network.startProxy(1)).rejects.toMatchObject({
    code: 'config.ledger-behind-chain',
    message: expect.stringContaining('Bring the newest ledger back'),
  })
  rmSync(join(folder, file))
  for (const rest of ['-wal', '-shm', '.redo', '.witness', '.pid']) rmSync(join(folder, file + rest), { force: true })
  await expect(network.startProxy(1)).rejects.toMatchObject({ code: 'config.ledger-behind-chain' })
})

test('a worker that does not want to wait collects what is signed by itself', async () => {
  await bringUp({ chain: { payoutAtTon: 1_000 } }, { chain: { collectAtTon: 0.001 } })
  for (let i = 0; i < 3; i++) expect((await ask(client.node)).error).toBeUndefined()
  const { params } = network.registry.current()
  const earned = 24n * params.workerFeePerToken
  await until(async () => (await receivedBy(network.access, worker.owner)) >= earned, 'the worker is paid', 60_000)
  expect(proxy.node.status().chain?.settlements.some((s) => s.do === 'pay')).toBe(false)
  expect(worker.node.status().accounts[0]?.onChain?.transaction).toMatch(/^[0-9a-f]{64}$/)
})

test('a client whose stake is used up takes the proxy’s word to its contract, and goes on', async () => {
  await bringUp(PATIENT)
  // Each request costs 8 of 2 000 tokens; half of the stake is 1 000.
  const { params } = network.registry.current()
  for (let i = 0; i < 130; i++) expect((await ask(client.node)).error).toBeUndefined()
  await until(async () => ((await clientOnChain(params))?.tokensUsed ?? 0n) > 0n, 'the client is charged', 60_000)
  expect(proxy.node.status().chain?.settlements.some((s) => s.do === 'charge')).toBe(false)
  await until(async () => ((await clientOnChain(params))?.balance ?? 0n) > TON, 'and has topped up', 60_000)
  expect((await ask(client.node)).error).toBeUndefined()
})

test('a proxy whose contract is being closed serves nobody, and gives everybody what is theirs', async () => {
  await bringUp(PATIENT)
  expect((await ask(client.node)).error).toBeUndefined()
  const { params } = network.registry.current()
  const order = signClosing({ kind: 'close', contract: proxy.contract }, network.proxyKey(1), proxy.owner, 1n)
  await network.send([
    orderTransfer({ to: proxy.contract, valueNano: TON / 5n, body: parseBoc(order, 'closing order') }),
  ])
  await until(() => proxy.node.ready().some((why) => why.includes('closing')), 'the proxy knows', 60_000)
  expect((await ask(client.node)).error?.code).toMatch(/^(capacity|payment)\./)
  await until(async () => (await clientOnChain(params))?.state === 'closed', 'the client has its rest', 60_000)
  await until(async () => (await workerOnChain(params))?.tokens === 8n, 'the worker has its pay', 60_000)
})

test('a client without TON is told what its wallet needs, and is served as soon as it has it', async () => {
  network = await startChainNetwork({ engineUrl: engine.url })
  proxy = await network.startProxy(1)
  worker = await network.startWorker(1)
  client = await network.startClient(9, {}, 'secret', TON / 10n)
  const needs = /the wallet .* holds 0\.1 TON and needs .*: send it at least/
  await until(() => needs.test(client.node.status().proxies[0]?.lastFailure ?? ''), 'it says what it needs', 60_000)
  await network.faucet(client.wallet.sender.address, 20n * TON)
  await client.node.whenReady(AbortSignal.timeout(60_000))
  await until(() => proxy.node.status().workers.some((w) => w.enabled), 'a worker is enabled', 60_000)
  expect((await ask(client.node)).error).toBeUndefined()
})

test('while no endpoint answers requests go on, and the money moves when one is back', async () => {
  await bringUp()
  const fault = (failReplies: unknown) => call(network.url, '/devnet/faults', { failReplies })
  await fault({ probability: 1, status: 503 })
  for (let i = 0; i < 3; i++) expect((await ask(client.node)).error).toBeUndefined()
  expect(proxy.node.ready()).toEqual([])
  await fault(null)
  const { params } = network.registry.current()
  await until(async () => (await workerOnChain(params))?.tokens === 24n, 'the worker is paid', 120_000)
  await network.quiet()
  const { mintedNano, heldNano, burnedNano } = await bookEverything(network.access, network.minted)
  expect(mintedNano - heldNano - burnedNano).toBe(0n)
})
