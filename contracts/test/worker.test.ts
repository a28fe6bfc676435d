import { Address, beginCell, type Cell } from '@ton/core'
import { type BlockchainSnapshot, internal } from '@ton/sandbox'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectDone, expectRefused, expectUndone } from './support/expectations.ts'
import { envelope, type Excess, head, OP, plain, signed, totalPayload } from './support/messages.ts'
import {
  arrivals,
  createDeployedWorld,
  createWorld,
  ELSEWHERE,
  keyOf,
  type Outcome,
  outcomeOf,
  PROXY_KEY,
  PROXY_OWNER,
  received,
  STRANGER,
  TON,
  WORKER_OWNER,
  type World,
} from './support/world.ts'

const FEES = TON / 10n
const RENT = (TON * 11n) / 100n
const RENT_FLOOR = TON / 100n

let world: World
let worker: Address
let proxy: Address
let start: BlockchainSnapshot

beforeAll(async () => {
  world = await createDeployedWorld()
  worker = world.worker.address
  proxy = world.proxy.address
  await world.send(proxy, { from: PROXY_OWNER, value: 20n * TON, bounce: false })
  start = world.chain.snapshot()
})

beforeEach(async () => {
  await world.chain.loadFrom(start)
})

const strange = (body: Cell, value = (7n * TON) / 10n) => ({ from: STRANGER, value, body })
const total = (op: number, tokens: bigint, excess: Excess = STRANGER, of = worker): Cell =>
  signed(op, 6n, excess, totalPayload(op, 6n, tokens, of), PROXY_KEY)
const payout = (tokens: bigint, excess: Excess = STRANGER): Cell => total(OP.workerPayoutSigned, tokens, excess)
const last = (tokens: bigint, excess: Excess = STRANGER): Cell => total(OP.workerLastPayoutSigned, tokens, excess)
const register = (excess: Excess = WORKER_OWNER): Cell => plain(OP.registerWorker, 3n, excess)

function request(outcome: Outcome, index = 0) {
  const one = received(outcome, proxy, OP.workerRequest)[index]
  if (one === undefined) throw new RangeError('no request')
  const body = one.body.beginParse().skip(32)
  const [queryId, owner, state, tokens] = [
    body.loadUintBig(64),
    body.loadAddress(),
    body.loadUint(2),
    body.loadUintBig(64),
  ]
  const payload = body.loadMaybeRef()
  body.endParse()
  return { value: one.value, exit: one.exit, queryId, owner, state, tokens, payload }
}

describe('a payout', () => {
  test('is asked of the proxy contract with both parts, and what is not used comes back', async () => {
    const held = await world.balance(worker)
    const outcome = await expectDone(world, worker, strange(payout(100_000_000n, ELSEWHERE)))
    expect(await world.workerState()).toEqual({ state: 0, tokens: 100_000_000n })
    const asked = request(outcome)
    expect(asked).toMatchObject({ exit: 0, queryId: 6n, state: 0, tokens: 100_000_000n })
    expect(asked.owner.equals(WORKER_OWNER)).toBe(true)
    const parts = beginCell().storeUint(OP.workerPayout, 32).storeCoins(1_900_000_000n).storeCoins(100_000_000n)
    expect(asked.payload?.equals(parts.storeAddress(ELSEWHERE).endCell())).toBe(true)
    expect(received(outcome, WORKER_OWNER, OP.payout).map((a) => a.value)).toEqual([1_900_000_000n])
    expect((await world.proxyState()).balance).toBe(100_000_000n)
    const [excess] = received(outcome, ELSEWHERE, OP.excesses)
    expect(excess?.value).toBeGreaterThan((69n * TON) / 100n)
    expect(await world.balance(worker)).toBe(held)
  })

  test('counts up to its total, once', async () => {
    await expectDone(world, worker, strange(payout(100n)))
    const outcome = await expectDone(world, worker, strange(payout(150n)))
    expect(received(outcome, WORKER_OWNER, OP.payout).map((a) => a.value)).toEqual([50n * 19n])
    await expectRefused(world, worker, strange(payout(150n)), 1000)
    await expectRefused(world, worker, strange(payout(149n)), 1000)
  })

  test('that the proxy contract cannot pay stays owed, and the nodes are told', async () => {
    await expectDone(world, worker, strange(payout(100n)))
    const held = await world.balance(worker)
    const outcome = await expectDone(world, worker, strange(payout(2_000_000_000n, ELSEWHERE)))
    expect(request(outcome)).toMatchObject({ tokens: 2_000_000_000n, exit: 1002 })
    expect(await world.workerState()).toEqual({ state: 0, tokens: 100n })
    expect(request(outcome, 1)).toMatchObject({ value: 1n, queryId: 6n, state: 0, tokens: 100n, payload: null })
    expect(received(outcome, WORKER_OWNER, OP.payout)).toEqual([])
    expect(received(outcome, ELSEWHERE, OP.excesses)).toHaveLength(1)
    expect(await world.balance(worker)).toBe(held)
    await world.send(proxy, { from: PROXY_OWNER, value: 30n * TON, bounce: false })
    const again = await expectDone(world, worker, strange(payout(2_000_000_000n)))
    expect(received(again, WORKER_OWNER, OP.payout).map((a) => a.value)).toEqual([1_999_999_900n * 19n])
  })

  test('undone is subtracted, so that one that passed in between stays counted', async () => {
    // Two payouts in flight: the first does not fit, the second does.
    const big = await world.chain.sendMessageIter(
      (await import('./support/world.ts')).messageTo(worker, strange(payout(1_500_000_000n))),
      { allowParallel: true },
    )
    await big.next()
    expect((await world.workerState()).tokens).toBe(1_500_000_000n)
    await expectDone(world, worker, strange(payout(1_500_000_100n)))
    expect((await world.workerState()).tokens).toBe(1_500_000_100n)
    for await (const _ of big);
    expect(await world.workerState()).toEqual({ state: 0, tokens: 100n })
  })
})

describe('the last payout', () => {
  test('closes the contract and returns its rent to the owner, nothing to the submitter', async () => {
    const outcome = await expectDone(world, worker, strange(last(100n, ELSEWHERE), TON))
    expect(await world.workerState()).toEqual({ state: 2, tokens: 100n })
    expect(request(outcome)).toMatchObject({ state: 2, tokens: 100n, exit: 0 })
    const [rent, earned] = received(outcome, WORKER_OWNER, OP.payout)
    expect(earned?.value).toBe(1900n)
    expect(rent?.value).toBeGreaterThan((28n * TON) / 100n)
    expect(await world.balance(worker)).toBe(RENT_FLOOR)
    const [excess] = received(outcome, ELSEWHERE, OP.excesses)
    expect(excess?.value).toBeLessThan(TON)
    for (const body of [payout(200n), last(200n), register(), head(0x12345678, 1n).endCell()])
      await expectRefused(world, worker, { from: WORKER_OWNER, value: TON, body }, 1006)
  })

  test('may repeat the total already paid, but not fall behind it', async () => {
    await expectDone(world, worker, strange(payout(100n)))
    await expectRefused(world, worker, strange(last(99n)), 1000)
    const outcome = await expectDone(world, worker, strange(last(100n)))
    expect(request(outcome)).toMatchObject({ state: 2, tokens: 100n })
    expect(received(outcome, WORKER_OWNER, OP.payout).map((a) => a.value)[1]).toBe(0n)
  })

  test('that cannot be paid opens the contract again', async () => {
    const outcome = await expectDone(world, worker, strange(last(2_000_000_000n)))
    expect(request(outcome).exit).toBe(1002)
    expect(await world.workerState()).toEqual({ state: 0, tokens: 0n })
    expect(request(outcome, 1)).toMatchObject({ state: 0, tokens: 0n })
    // Its rent went to the owner the first time; there is none to send again, not even a message of nothing.
    const again = await expectDone(world, worker, strange(last(2_000_000_000n)))
    expect(received(again, WORKER_OWNER, OP.payout)).toEqual([])
    await expectDone(world, worker, strange(payout(5n)))
  })

  test('pays no rent when there is none above the floor', async () => {
    const fresh = await createWorld()
    const { address, init } = fresh.worker
    const body = signed(
      OP.workerLastPayoutSigned,
      6n,
      STRANGER,
      totalPayload(OP.workerLastPayoutSigned, 6n, 0n, address),
      PROXY_KEY,
    )
    const outcome = await fresh.send(address, { from: STRANGER, value: TON, body, init })
    expect([outcome.exit, outcome.action]).toEqual([0, 0])
    expect(received(outcome, WORKER_OWNER, OP.payout)).toEqual([])
    expect(await fresh.workerState(address)).toMatchObject({ state: 0 })
  })
})

describe.each([
  ['payout', OP.workerPayoutSigned, OP.workerLastPayoutSigned],
  ['last payout', OP.workerLastPayoutSigned, OP.workerPayoutSigned],
])('a signed %s is refused', (_, op, other) => {
  const payload = () => totalPayload(op, 6n, 5n, worker)

  test('under another key or with a changed total', async () => {
    await expectRefused(world, worker, strange(signed(op, 6n, STRANGER, payload(), keyOf(9))), 1007)
    const signature = PROXY_KEY.sign(payload().hash())
    await expectRefused(
      world,
      worker,
      strange(envelope(op, 6n, STRANGER, signature, totalPayload(op, 6n, 6n, worker))),
      1007,
    )
  })

  test('with another op or query id inside, or anything behind the fields', async () => {
    await expectRefused(world, worker, strange(signed(op, 7n, STRANGER, payload(), PROXY_KEY)), 1005)
    await expectRefused(
      world,
      worker,
      strange(signed(op, 6n, STRANGER, totalPayload(other, 6n, 5n, worker), PROXY_KEY)),
      1005,
    )
    const more = beginCell().storeSlice(payload().beginParse()).storeBit(1).endCell()
    await expectRefused(world, worker, strange(signed(op, 6n, STRANGER, more, PROXY_KEY)), 9)
    const outer = beginCell().storeSlice(total(op, 5n).beginParse()).storeBit(1).endCell()
    await expectRefused(world, worker, strange(outer), 9)
  })

  test('for another contract, and unless it brings more than the fees', async () => {
    await expectRefused(world, worker, strange(total(op, 5n, STRANGER, world.client.address)), 1015)
    await expectRefused(world, worker, strange(total(op, 5n), FEES), 1003)
    await expectDone(world, worker, strange(total(op, 5n), FEES + 1n))
  })

  test('before anything is stored if the excess cannot be delivered', async () => {
    await expectRefused(world, worker, strange(total(op, 5n, 'none')), 9)
    await expectRefused(world, worker, strange(total(op, 5n, new Address(7, Buffer.alloc(32, 1)))), 1100)
    await expectRefused(world, worker, strange(total(op, 5n, new Address(-1, Buffer.alloc(32, 1)))), 1100)
  })
})

describe('register', () => {
  test('tells the nodes what is stored', async () => {
    await expectDone(world, worker, strange(payout(100n)))
    const held = await world.balance(worker)
    const outcome = await expectDone(world, worker, { from: WORKER_OWNER, value: TON / 2n, body: register() })
    expect(request(outcome)).toMatchObject({
      value: 1n,
      queryId: 3n,
      state: 0,
      tokens: 100n,
      payload: null,
      exit: null,
    })
    expect(received(outcome, WORKER_OWNER, OP.excesses)).toHaveLength(1)
    expect(await world.balance(worker)).toBe(held)
  })

  test('is the owner’s, needs more than the fees, and ends where it ends', async () => {
    await expectRefused(world, worker, strange(register()), 1010)
    await expectRefused(world, worker, { from: WORKER_OWNER, value: FEES, body: register() }, 1003)
    const more = beginCell().storeSlice(register().beginParse()).storeBit(1).endCell()
    await expectRefused(world, worker, { from: WORKER_OWNER, value: TON, body: more }, 9)
    await expectUndone(world, worker, {
      from: WORKER_OWNER,
      value: TON,
      body: register(new Address(7, Buffer.alloc(32))),
    })
    await expectDone(world, worker, { from: WORKER_OWNER, value: FEES + 1n, body: register() })
  })
})

test('deployed with its first order the contract keeps the rent, and asks for it', async () => {
  const fresh = await createWorld()
  const { address, init } = fresh.worker
  const send = (value: bigint) => fresh.send(address, { from: WORKER_OWNER, value, body: register(), init })
  expect((await send(FEES)).exit).toBe(1003)
  expect((await send(FEES + 1n)).exit).toBe(1001)
  expect((await send(FEES + RENT)).exit).toBe(1001)
  const outcome = await send(FEES + RENT + 1n)
  expect([outcome.exit, outcome.action]).toEqual([0, 0])
  expect(await fresh.balance(address)).toBe(RENT)
})

test('an owner that no message can reach stays owed, and is not paid its rent', async () => {
  const odd = world.workerOf(new Address(7, Buffer.alloc(32, 7)))
  await world.send(odd.address, { from: STRANGER, value: TON, init: odd.init, bounce: false })
  const outcome = await expectDone(world, odd.address, strange(total(OP.workerPayoutSigned, 5n, STRANGER, odd.address)))
  expect(request(outcome).exit).toBe(0)
  expect(await world.workerState(odd.address)).toEqual({ state: 0, tokens: 0n })
  expect(received(outcome, STRANGER, OP.excesses)).toHaveLength(1)
  await expectUndone(world, odd.address, strange(total(OP.workerLastPayoutSigned, 5n, STRANGER, odd.address)))
})

test('a fee above the price can be booked by nobody', async () => {
  const odd = await createDeployedWorld({ pricePerToken: 18n })
  const body = signed(
    OP.workerPayoutSigned,
    6n,
    STRANGER,
    totalPayload(OP.workerPayoutSigned, 6n, 5n, odd.worker.address),
    PROXY_KEY,
  )
  await expectRefused(odd, odd.worker.address, strange(body), 5)
})

test('params of another layout are refused', async () => {
  for (const [structVersion, exit] of [
    [3, 0],
    [5, 0],
    [6, 1008],
    [9, 1008],
  ] as const) {
    const other = await createDeployedWorld({ structVersion })
    const of = other.worker.address
    const body = signed(OP.workerPayoutSigned, 6n, STRANGER, totalPayload(OP.workerPayoutSigned, 6n, 5n, of), PROXY_KEY)
    expect((await other.send(of, strange(body))).exit).toBe(exit)
  }
})

test('a message that only looks bounced changes nothing', async () => {
  const before = await world.data(worker)
  const body = beginCell().storeUint(0xfffffffe, 32).storeRef(beginCell().endCell()).endCell()
  const result = await world.chain.sendMessage(
    internal({ from: STRANGER, to: worker, value: TON, body, bounced: true, bounce: false }),
  )
  expect(result.transactions).toHaveLength(1)
  expect(outcomeOf(result).exit).toBe(1014)
  expect((await world.data(worker)).equals(before)).toBe(true)
})

test('a payout that comes back with no more than its gas is owed again all the same', async () => {
  const unpaid = beginCell()
    .storeUint(OP.workerPayout, 32)
    .storeCoins(19n * 40n)
    .storeCoins(40n)
    .storeAddress(STRANGER)
  const original = head(OP.workerRequest, 6n).storeAddress(WORKER_OWNER).storeUint(0, 2).storeUint(100, 64)
  const bounced = beginCell()
    .storeUint(0xfffffffe, 32)
    .storeRef(original.storeMaybeRef(unpaid.endCell()).endCell())
    .storeRef(beginCell().storeCoins(TON).storeBit(0).storeUint(0, 64).storeUint(0, 32).endCell())
    .storeUint(0, 8)
    .storeInt(1002, 32)
    .storeBit(0)
    .endCell()
  const back = async (value: bigint): Promise<Outcome> => {
    await world.chain.loadFrom(start)
    await expectDone(world, worker, strange(payout(100n)))
    const contract = await world.chain.getContract(worker)
    contract.balance = 0n
    const message = internal({ from: proxy, to: worker, value, body: bounced, bounced: true, bounce: false })
    return outcomeOf(await world.chain.sendMessage(message))
  }
  const rich = await back(TON)
  expect(arrivals(rich).map((a) => String(a.to))).toEqual([proxy, STRANGER].map(String))
  expect(await world.workerState()).toEqual({ state: 0, tokens: 60n })
  const gasPrice = 400n
  const poor = await back((rich.gas[0] ?? 0n) * gasPrice + 5n)
  expect([poor.exit, poor.action, arrivals(poor)]).toEqual([0, 0, []])
  expect(await world.workerState()).toEqual({ state: 0, tokens: 60n })
  // Enough for the notice, not for the excess.
  const notice = rich.transactions[1]?.inMessage?.info
  if (notice?.type !== 'internal') throw new RangeError('no notice')
  const better = await back((rich.gas[0] ?? 0n) * gasPrice + 2n * notice.forwardFee)
  expect([better.exit, better.action, arrivals(better).map((a) => String(a.to))]).toEqual([0, 0, [String(proxy)]])
  expect(await world.workerState()).toEqual({ state: 0, tokens: 60n })
})

test('a payout bounced by a network without prices owes nothing, and opens again', async () => {
  const free = await createWorld({ pricePerToken: 0n, workerFeePerToken: 0n })
  const { address, init } = free.worker
  const op = OP.workerLastPayoutSigned
  const body = signed(op, 6n, STRANGER, totalPayload(op, 6n, 5n, address), PROXY_KEY)
  const outcome = await free.send(address, { from: STRANGER, value: TON, body, init })
  expect(arrivals(outcome).some((a) => a.bounced && a.exit === 0)).toBe(true)
  expect(await free.workerState(address)).toEqual({ state: 0, tokens: 5n })
})

test('what is not understood is refused, what is for nobody is kept', async () => {
  await expectRefused(world, worker, strange(head(0x12345678, 1n).endCell()), 1012)
  await expectRefused(world, worker, strange(beginCell().storeUint(5, 16).endCell()), 1012)
  for (const body of [beginCell().endCell(), head(OP.doNotProcess, 1n).endCell()]) {
    const outcome = await expectDone(world, worker, strange(body))
    expect(arrivals(outcome)).toEqual([])
  }
})

test('get_cocoon_worker_data lists owner, proxy, key, state and tokens', async () => {
  await expectDone(world, worker, strange(payout(100n)))
  await expectDone(world, worker, strange(last(100n)))
  const { stackReader: s } = await world.chain.runGetMethod(worker, 'get_cocoon_worker_data')
  expect(s.readAddress().equals(WORKER_OWNER)).toBe(true)
  expect(s.readAddress().equals(proxy)).toBe(true)
  expect(s.readBigNumber()).toBe(BigInt(`0x${Buffer.from(PROXY_KEY.publicKey).toString('hex')}`))
  expect([s.readBigNumber(), s.readBigNumber(), s.remaining]).toEqual([2n, 100n, 0])
})
