/** Money on its whole way: deposited on chain, used off chain, charged and paid on chain, to the nanoTON. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Address,
  clientContractAddress,
  clientState,
  proxyState,
  workerContractAddress,
  workerState,
} from '../../src/chain/index.ts'
import { formatTon } from '../../src/util/index.ts'
import {
  ask,
  type ChainTestNetwork,
  startChainNetwork,
  TERMS,
  type TestClient,
  type TestProxy,
  type TestWorker,
  TON,
} from '../support/chain-network.ts'
import { bookEverything, receivedBy } from '../support/conservation.ts'
import { until } from '../support/network.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

/** Of the scripted answer, at the network's price. */
const TOKENS = 8n

let engine: ScriptedEngine
let network: ChainTestNetwork
let proxy: TestProxy
let worker: TestWorker
let client: TestClient

const partiesOf = (owner: Address) => ({ owner, proxy: proxy.contract, proxyPublicKey: publicKey() })
const publicKey = (): Uint8Array => Buffer.from(proxy.node.status().publicKey, 'hex')
const clientContract = (of = client): Address =>
  clientContractAddress(network.registry.current().params, partiesOf(of.wallet.sender.address))
const workerContract = (): Address => workerContractAddress(network.registry.current().params, partiesOf(worker.owner))

async function stateOf<T>(address: Address, load: (data: never) => T): Promise<T> {
  const { data } = await network.access.getAccount(address)
  if (data === null) throw new Error('no such contract')
  return load(data as never)
}
const clientOnChain = (of = client) => stateOf(clientContract(of), clientState.loadCell)
const workerOnChain = () => stateOf(workerContract(), workerState.loadCell)
const proxyOnChain = () => stateOf(proxy.contract, proxyState.loadCell)

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startChainNetwork({ engineUrl: engine.url })
  proxy = await network.startProxy(1)
  worker = await network.startWorker(1)
  client = await network.startClient(1)
  await client.node.whenReady(AbortSignal.timeout(60_000))
  await until(() => proxy.node.status().workers.some((w) => w.enabled), 'a worker is enabled')
}, 120_000)
afterAll(async () => {
  await network?.close()
  await engine?.close()
})

test('a first client deposits the stake with its secret, and may use what it has deposited', async () => {
  expect(proxy.node.status().clients[0]?.availableTokens).toBe((2n * TON) / TERMS.pricePerToken)
  const { balance, stake, secretHash } = await clientOnChain()
  expect({ balance, stake }).toEqual({ balance: 2n * TON, stake: 2n * TON })
  expect(Buffer.from(secretHash).every((byte) => byte === 0)).toBe(false)
})

test('what is used is charged to the client and paid to the worker, to the nanoTON', async () => {
  for (let i = 0; i < 5; i++) expect((await ask(client.node)).error).toBeUndefined()
  const used = 5n * TOKENS
  await until(async () => (await clientOnChain()).tokensUsed === used, 'the client is charged')
  expect((await clientOnChain()).balance).toBe(2n * TON - used * TERMS.pricePerToken)
  const earned = used * TERMS.workerFeePerToken
  await until(async () => (await receivedBy(network.access, worker.owner)) >= earned, 'the worker is paid')
  expect(await receivedBy(network.access, worker.owner)).toBe(earned)
  const { balance } = await proxyOnChain()
  expect(balance).toBe(used * (TERMS.pricePerToken - TERMS.workerFeePerToken))
  const sent = (what: string): boolean =>
    proxy.node.status().chain?.settlements.some((s) => s.do === what && /^[0-9a-f]{64}$/.test(s.transaction ?? '')) ===
    true
  for (const what of ['checkpoint', 'charge', 'pay'])
    await until(() => sent(what), `${what} is shown with its transaction`)
})

test('a client that comes back shows its secret and sends nothing to the chain', async () => {
  const before = client.wallet.sender.status().seqno
  await client.close()
  client = await network.startClient(1)
  await client.node.whenReady(AbortSignal.timeout(20_000))
  expect((await ask(client.node)).info?.tokens.total).toBe(TOKENS)
  expect(client.wallet.sender.status()).toMatchObject({ seqno: null, waiting: 0 })
  expect(before).toBeGreaterThan(0)
})

test('a client with another secret than its contract proves itself on chain, and the contract learns the new one', async () => {
  const { secretHash } = await clientOnChain()
  await client.close()
  client = await network.startClient(1, {}, 'a new secret')
  await client.node.whenReady(AbortSignal.timeout(30_000))
  await until(async () => !Buffer.from((await clientOnChain()).secretHash).equals(secretHash), 'the secret is changed')
  expect((await ask(client.node)).error).toBeUndefined()
})

test('a client without a secret is served, sets none, and proves itself on chain each time', async () => {
  const other = await network.startClient(2, {}, '')
  await other.node.whenReady(AbortSignal.timeout(30_000))
  expect((await ask(other.node)).error).toBeUndefined()
  expect(Buffer.from((await clientOnChain(other)).secretHash).every((byte) => byte === 0)).toBe(true)
  await other.close()
  const again = await network.startClient(2, {}, '')
  await again.node.whenReady(AbortSignal.timeout(30_000))
  expect(again.wallet.sender.status().seqno).toBeGreaterThan(1)
})

test('a proxy that is started again agrees with the chain, and goes on', async () => {
  const before = proxy.ledger.clients().map(({ owner, totals }) => [owner, totals.max])
  await proxy.close()
  proxy = await network.startProxy(1)
  expect(proxy.ledger.clients().map(({ owner, totals }) => [owner, totals.max])).toEqual(before)
  await until(() => client.node.ready().length === 0 && proxy.node.ready().length === 0, 'everybody is back')
  expect((await ask(client.node)).error).toBeUndefined()
  const used = proxy.ledger.client(client.wallet.sender.address.toRawString())?.totals.max
  await until(async () => (await clientOnChain()).tokensUsed === used, 'the client is charged for it')
})

test('a client that leaves gets its rest, and is not served again', async () => {
  const owner = client.wallet.sender.address
  const before = await network.balanceOf(owner)
  const used = proxy.ledger.client(owner.toRawString())?.totals.max ?? 0n
  const { balance, tokensUsed } = await clientOnChain()
  const rest = balance - (used - tokensUsed) * TERMS.pricePerToken
  await client.node.leave()
  await until(async () => (await clientOnChain()).state === 'closed', 'the contract is closed')
  expect(await clientOnChain()).toMatchObject({ balance: 0n, tokensUsed: used })
  await until(async () => (await network.balanceOf(owner)) > before + rest - TON / 20n, 'the rest is back')
  expect((await ask(client.node)).error).toMatchObject({ code: 'payment.closing' })
})

test('every nanoTON is somewhere: what was minted is held or was burned', async () => {
  await until(async () => (await workerOnChain()).tokens === proxy.ledger.workers()[0]?.totals.max, 'all is paid')
  await network.quiet()
  const { mintedNano, heldNano, burnedNano, accounts, transactions } = await bookEverything(
    network.access,
    network.minted,
  )
  process.stdout.write(
    `minted ${formatTon(mintedNano)} = held ${formatTon(heldNano)} + burned ${formatTon(burnedNano)} TON in ${accounts} accounts, ${transactions} transactions\n`,
  )
  expect(mintedNano - heldNano - burnedNano).toBe(0n)
  expect(transactions).toBeGreaterThan(30)
})
