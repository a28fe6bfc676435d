/** The sequence whose gas stands in contracts/gas.json: every order once, under fixed conditions (see world.ts). */
import type { Address, Cell, TransactionDescriptionGeneric } from '@ton/core'
import { CONTRACTS, type ContractName } from '../../build.ts'
import { measureEndToEnd, measureRent } from './cost-run.ts'
import * as m from './messages.ts'
import * as root from './root.ts'
import * as wallet from './wallet.ts'
import * as w from './world.ts'

export interface Cost {
  /** Of each contract that ran, in order. */
  readonly gas: readonly number[]
  /** nanoTON that nobody has afterwards; of that for messages, and for storage since the last order. The rest is gas. */
  readonly feeNano: number
  readonly forwardNano: number
  readonly storageNano: number
}

export interface GasReport {
  readonly orders: Readonly<Record<string, Cost>>
  /** Through a node's wallet, nanoTON in all. */
  readonly endToEndNano: Readonly<Record<string, number>>
  readonly rentNanoPerYear: Readonly<Record<ContractName, number>>
  readonly code: Readonly<Record<ContractName, { readonly bits: number; readonly cells: number }>>
}

const { TON, STRANGER, CLIENT_OWNER, PROXY_OWNER, WORKER_OWNER } = w
const tenths = (n: number): bigint => (BigInt(n) * TON) / 10n

export async function measureGas(): Promise<GasReport> {
  const orders: Record<string, Cost> = {}
  const note = (name: string, outcome: w.Outcome): void => {
    const [fee, gas, storage] = [w.burnt(outcome), gasFeeOf(outcome), storageFeeOf(outcome)].map(Number) as [
      number,
      number,
      number,
    ]
    orders[name] = {
      gas: outcome.gas.map(Number),
      feeNano: fee,
      forwardNano: fee - gas - storage,
      storageNano: storage,
    }
  }
  for (const run of [firstRun, secondRun, thirdRun]) await run(note)
  await root.gasRun(note)
  await wallet.gasRun(note)
  const code = Object.fromEntries(CONTRACTS.map((name) => [name, sizeOf(w.codeOf(name))])) as GasReport['code']
  return { orders, endToEndNano: await measureEndToEnd(), rentNanoPerYear: await measureRent(), code }
}

const sumOver = (outcome: w.Outcome, of: (d: TransactionDescriptionGeneric) => bigint): bigint =>
  outcome.transactions.reduce((sum, t) => sum + (t.description.type === 'generic' ? of(t.description) : 0n), 0n)

const gasFeeOf = (outcome: w.Outcome): bigint =>
  sumOver(outcome, (d) => (d.computePhase.type === 'vm' ? d.computePhase.gasFees : 0n))

const storageFeeOf = (outcome: w.Outcome): bigint => sumOver(outcome, (d) => d.storagePhase?.storageFeesCollected ?? 0n)

type Note = (name: string, outcome: w.Outcome) => void

async function firstRun(note: Note): Promise<void> {
  const world = await w.createWorld()
  const [proxy, client, worker] = [world.proxy.address, world.client.address, world.worker.address]
  const go = async (name: string, to: Address, from: Address, value: bigint, body?: Cell): Promise<void> =>
    note(name, await world.send(to, { from, value, ...(body === undefined ? {} : { body }) }))
  const total = (op: number, queryId: bigint, tokens: bigint, of: Address): Cell =>
    m.signed(op, queryId, STRANGER, m.totalPayload(op, queryId, tokens, of), w.PROXY_KEY)
  const order = (op: number, queryId: bigint): Cell =>
    m.signed(op, queryId, STRANGER, m.orderPayload(op, queryId, proxy), w.PROXY_KEY)
  note(
    'proxy deploy',
    await world.send(proxy, { from: PROXY_OWNER, value: tenths(3), init: world.proxy.init, bounce: false }),
  )
  note(
    'client deploy',
    await world.send(client, { from: CLIENT_OWNER, value: tenths(8), init: world.client.init, bounce: false }),
  )
  note(
    'worker deploy',
    await world.send(worker, { from: WORKER_OWNER, value: tenths(3), init: world.worker.init, bounce: false }),
  )
  await go('proxy increase stake', proxy, PROXY_OWNER, tenths(157), m.increaseProxyStake(1n, 15n * TON, PROXY_OWNER))
  await go('client register', client, CLIENT_OWNER, TON, m.registerClient(2n, 0x1234567890n, CLIENT_OWNER))
  await go('client top up', client, CLIENT_OWNER, tenths(157), m.topUp(3n, 15n * TON, CLIENT_OWNER))
  await go('client secret', client, CLIENT_OWNER, tenths(7), m.changeSecret(4n, 0xabcdn, CLIENT_OWNER))
  await go(
    'client secret and top up',
    client,
    CLIENT_OWNER,
    tenths(157),
    m.topUpWithSecret(5n, 15n * TON, 0xabcen, CLIENT_OWNER),
  )
  await go('client charge', client, STRANGER, tenths(7), total(m.OP.charge, 6n, 100_000_000n, client))
  await go('client charge again', client, STRANGER, tenths(7), total(m.OP.charge, 7n, 150_000_000n, client))
  await go('client charge stale', client, STRANGER, tenths(7), total(m.OP.charge, 7n, 150_000_000n, client))
  await go('worker register', worker, WORKER_OWNER, tenths(5), m.plain(m.OP.registerWorker, 8n, WORKER_OWNER))
  await go('worker payout', worker, STRANGER, tenths(7), total(m.OP.workerPayoutSigned, 9n, 100_000_000n, worker))
  await go(
    'worker payout unpaid',
    worker,
    STRANGER,
    tenths(7),
    total(m.OP.workerPayoutSigned, 9n, 900_000_000n, worker),
  )
  const checkpoint = m
    .head(m.OP.doNotProcess, 10n)
    .storeUint(0x53109c0f, 32)
    .storeInt(5, 32)
    .storeUint(77, 256)
    .endCell()
  await go('proxy checkpoint of 0.01 TON', proxy, PROXY_OWNER, TON / 100n, checkpoint)
  await go('proxy request payout', proxy, STRANGER, tenths(2), m.plain(m.OP.requestPayout, 11n, STRANGER))
  await go('client withdraw', client, CLIENT_OWNER, tenths(7), m.plain(m.OP.withdraw, 12n, CLIENT_OWNER))
  await world.send(client, { from: STRANGER, value: tenths(57), body: m.topUp(13n, 5n * TON, STRANGER) })
  await go(
    'client request refund with surplus',
    client,
    CLIENT_OWNER,
    tenths(7),
    m.plain(m.OP.requestRefund, 14n, CLIENT_OWNER),
  )
  await go('client grant refund', client, STRANGER, tenths(7), total(m.OP.grantRefund, 16n, 160_000_000n, client))
  await go('worker last payout', worker, STRANGER, TON, total(m.OP.workerLastPayoutSigned, 17n, 160_000_000n, worker))
  await go('proxy close signed', proxy, STRANGER, TON, order(m.OP.closeSigned, 18n))
  world.chain.now = w.NOW + 86_401
  await go('proxy complete signed', proxy, STRANGER, TON, order(m.OP.closeCompleteSigned, 19n))
}

async function secondRun(note: Note): Promise<void> {
  const world = await w.createDeployedWorld()
  const [proxy, client] = [world.proxy.address, world.client.address]
  const own = async (name: string, body: Cell): Promise<void> =>
    note(name, await world.send(client, { from: CLIENT_OWNER, value: tenths(7), body }))
  await world.send(proxy, {
    from: PROXY_OWNER,
    value: tenths(157),
    body: m.increaseProxyStake(1n, 15n * TON, PROXY_OWNER),
  })
  await world.send(client, { from: CLIENT_OWNER, value: tenths(157), body: m.topUp(2n, 15n * TON, CLIENT_OWNER) })
  await own('client increase stake', m.increaseClientStake(3n, 20n * TON, CLIENT_OWNER))
  await own('client request refund without surplus', m.plain(m.OP.requestRefund, 4n, CLIENT_OWNER))
  await own('client request refund too early', m.plain(m.OP.requestRefund, 5n, CLIENT_OWNER))
  world.chain.now = w.NOW + 43_201
  await own('client forced refund', m.plain(m.OP.requestRefund, 6n, CLIENT_OWNER))
  note(
    'proxy owner close',
    await world.send(proxy, { from: PROXY_OWNER, value: tenths(2), body: m.plain(m.OP.ownerClose, 7n, PROXY_OWNER) }),
  )
}

async function thirdRun(note: Note): Promise<void> {
  const world = await w.createDeployedWorld()
  note(
    'proxy text c',
    await world.send(world.proxy.address, { from: PROXY_OWNER, value: tenths(2), body: m.text('c') }),
  )
  note(
    'proxy text w',
    await world.send(world.proxy.address, { from: PROXY_OWNER, value: tenths(2), body: m.text('w') }),
  )
}

/** Distinct cells and their bits: what storage is paid for. */
function sizeOf(code: Cell): { bits: number; cells: number } {
  const seen = new Map<string, number>()
  const visit = (cell: Cell): void => {
    const hash = cell.hash().toString('hex')
    if (seen.has(hash)) return
    seen.set(hash, cell.bits.length)
    cell.refs.forEach(visit)
  }
  visit(code)
  return { bits: [...seen.values()].reduce((a, b) => a + b, 0), cells: seen.size }
}
