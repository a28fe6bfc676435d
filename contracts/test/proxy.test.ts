import { Address, beginCell, type Cell } from '@ton/core'
import type { BlockchainSnapshot } from '@ton/sandbox'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectDone, expectRefused, expectUndone, storageFee } from './support/expectations.ts'
import {
  envelope,
  type Excess,
  head,
  increaseProxyStake,
  OP,
  orderPayload,
  plain,
  signed,
  storeExcess,
  text,
  topUp,
  totalPayload,
} from './support/messages.ts'
import {
  account,
  arrivals,
  CLIENT_OWNER,
  createDeployedWorld,
  createWorld,
  deployment,
  ELSEWHERE,
  keyOf,
  NOW,
  PROXY_KEY,
  proxyData,
  PROXY_OWNER,
  received,
  ROOT,
  STRANGER,
  TON,
  WORKER_OWNER,
  type World,
} from './support/world.ts'

const FEES = TON / 10n
const RENT_FLOOR = TON / 100n
const DELAY = 86_400
const GRACE = 30 * 86_400
const STAKE = 15n * TON

let world: World
let proxy: Address
let start: BlockchainSnapshot

/** A client charged 10 TON, a worker paid 9.5 of them, the operator's 0.5 booked, a stake of 15. */
beforeAll(async () => {
  world = await createDeployedWorld()
  proxy = world.proxy.address
  const [client, worker] = [world.client.address, world.worker.address]
  await world.send(client, { from: CLIENT_OWNER, value: 31n * TON, body: topUp(1n, 30n * TON, CLIENT_OWNER) })
  await world.send(proxy, { from: PROXY_OWNER, value: 16n * TON, body: increaseProxyStake(2n, STAKE, PROXY_OWNER) })
  await world.send(client, { from: STRANGER, value: TON, body: total(OP.charge, 500_000_000n, client) })
  await world.send(worker, { from: STRANGER, value: TON, body: total(OP.workerPayoutSigned, 250_000_000n, worker) })
  start = world.chain.snapshot()
})

beforeEach(async () => {
  await world.chain.loadFrom(start)
})

const total = (op: number, tokens: bigint, of: Address): Cell =>
  signed(op, 6n, STRANGER, totalPayload(op, 6n, tokens, of), PROXY_KEY)
const strange = (body: Cell, value = TON) => ({ from: STRANGER, value, body })
const owner = (body: Cell, value = TON) => ({ from: PROXY_OWNER, value, body })
const close = (excess: Excess = STRANGER, of = proxy): Cell =>
  signed(OP.closeSigned, 4n, excess, orderPayload(OP.closeSigned, 4n, of), PROXY_KEY)
const complete = (excess: Excess = STRANGER, of = proxy): Cell =>
  signed(OP.closeCompleteSigned, 5n, excess, orderPayload(OP.closeCompleteSigned, 5n, of), PROXY_KEY)
const requestPayout = (excess: Excess = STRANGER): Cell => plain(OP.requestPayout, 3n, excess)
const ownerClose = (excess: Excess = PROXY_OWNER): Cell => plain(OP.ownerClose, 3n, excess)
const payWorker = (tokens: bigint) =>
  world.send(world.worker.address, strange(total(OP.workerPayoutSigned, tokens, world.worker.address)))
const paidTo = (outcome: Parameters<typeof received>[0], to: Address) =>
  received(outcome, to, OP.payout).map((a) => a.value)

async function closed(): Promise<void> {
  await expectDone(world, proxy, strange(close()))
  world.chain.now = NOW + DELAY + 1
  await expectDone(world, proxy, strange(complete()))
}

test('charges lie apart from stake and operator’s part, and pay for what they paid for', async () => {
  expect(await world.proxyState()).toEqual({ state: 0, balance: TON / 4n, stake: STAKE, unlockTs: 0 })
  const outcome = await payWorker(500_000_000n)
  expect(paidTo(outcome, WORKER_OWNER)).toEqual([(19n * TON) / 4n])
  expect((await world.proxyState()).balance).toBe(TON / 2n)
})

test('a worker is never paid out of the stake, the operator’s part or the rent', async () => {
  await payWorker(500_000_000n)
  const { balance, stake } = await world.proxyState()
  const pot = (await world.balance(proxy)) - balance - stake - RENT_FLOOR
  expect(pot).toBeGreaterThan(0n)
  const affordable = pot / 20n
  const tooMuch = await payWorker(500_000_000n + affordable + 1n)
  expect(arrivals(tooMuch)[0]?.exit).toBe(1002)
  expect(paidTo(tooMuch, WORKER_OWNER)).toEqual([])
  expect((await world.workerState()).tokens).toBe(500_000_000n)
  const just = await payWorker(500_000_000n + affordable)
  expect(paidTo(just, WORKER_OWNER)).toEqual([affordable * 19n])
})

test('the pot may be paid out to its last nanoTON', async () => {
  const pot = async (): Promise<bigint> => {
    const { balance, stake } = await world.proxyState()
    return (await world.balance(proxy)) - balance - stake - RENT_FLOOR
  }
  const value = TON / 10n
  const before = await pot()
  await world.send(proxy, { from: STRANGER, value, bounce: false })
  const fee = before + value - (await pot())
  const price = 20n
  const rest = ((await pot()) - fee) % price
  await world.send(proxy, { from: STRANGER, value: value - (value % price) + price - rest, bounce: false })
  const tokens = (await pot()) / price
  expect((await pot()) % price).toBe(0n)
  expect(paidTo(await payWorker((await world.workerState()).tokens + tokens), WORKER_OWNER)).toEqual([tokens * 19n])
  expect(await pot()).toBe(0n)
})

describe('only contracts derived from this proxy’s key, params and code are believed', () => {
  const asked = (of: Address, tail: (b: ReturnType<typeof beginCell>) => unknown = (b) => b.storeBit(0)) => {
    const body = head(OP.workerRequest, 1n).storeAddress(of).storeUint(0, 2).storeUint(5, 64)
    tail(body)
    return body.endCell()
  }
  const payoutOf = (b: ReturnType<typeof beginCell>) =>
    b.storeMaybeRef(
      beginCell().storeUint(OP.workerPayout, 32).storeCoins(TON).storeCoins(0).storeAddress(STRANGER).endCell(),
    )
  const noticed = (of: Address) =>
    head(OP.clientRequest, 1n).storeAddress(of).storeRef(beginCell().endCell()).storeBit(0).endCell()

  test('a worker request from elsewhere is returned', async () => {
    await expectRefused(world, proxy, strange(asked(WORKER_OWNER, payoutOf)), 1014)
    await expectRefused(world, proxy, strange(asked(STRANGER, payoutOf)), 1014)
    const other = { from: new Address(-1, world.worker.address.hash), value: TON, body: asked(WORKER_OWNER, payoutOf) }
    await expectRefused(world, proxy, other, 1014)
  })

  test('a worker’s request is believed, for its own owner', async () => {
    const from = world.workerOf(ELSEWHERE).address
    const outcome = await expectDone(world, proxy, { from, value: TON, body: asked(ELSEWHERE, payoutOf) })
    expect(paidTo(outcome, ELSEWHERE)).toEqual([TON])
    await expectRefused(world, proxy, { from, value: TON, body: asked(WORKER_OWNER, payoutOf) }, 1014)
  })

  test('an unknown payload of a worker is refused, none at all is a notice', async () => {
    const from = world.worker.address
    const odd = (b: ReturnType<typeof beginCell>) => b.storeMaybeRef(beginCell().storeUint(7, 32).endCell())
    await expectRefused(world, proxy, { from, value: TON, body: asked(WORKER_OWNER, odd) }, 1012)
    const outcome = await expectDone(world, proxy, { from, value: TON, body: asked(WORKER_OWNER) })
    expect(arrivals(outcome)).toEqual([])
  })

  test('a client request from elsewhere is returned with its money', async () => {
    await expectRefused(world, proxy, strange(noticed(CLIENT_OWNER)), 1014)
    await expectRefused(world, proxy, { from: world.client.address, value: TON, body: noticed(STRANGER) }, 1014)
    const masterchain = new Address(-1, world.client.address.hash)
    await expectRefused(world, proxy, { from: masterchain, value: TON, body: noticed(CLIENT_OWNER) }, 1014)
  })

  test('a client’s money is kept without a word, whatever its stake is worth', async () => {
    for (const minClientStakeNano of [0n, 1n, 255n, 256n, STAKE, 2n ** 64n - 1n]) {
      const other = await createDeployedWorld({ minClientStakeNano })
      const from = other.client.address
      const outcome = await expectDone(other, other.proxy.address, { from, value: TON, body: noticed(CLIENT_OWNER) })
      expect(arrivals(outcome)).toEqual([])
    }
  })
})

describe('the stake', () => {
  test('is a deposit anyone may add to', async () => {
    const held = await world.balance(proxy)
    const outcome = await expectDone(world, proxy, strange(increaseProxyStake(2n, 3n * TON, ELSEWHERE), 4n * TON))
    expect((await world.proxyState()).stake).toBe(STAKE + 3n * TON)
    expect(await world.balance(proxy)).toBe(held + 3n * TON)
    expect(received(outcome, ELSEWHERE, OP.excesses)).toHaveLength(1)
    await expectRefused(world, proxy, strange(increaseProxyStake(2n, TON, STRANGER), TON + FEES - 1n), 1003)
    await expectDone(world, proxy, strange(increaseProxyStake(2n, TON, STRANGER), TON + FEES))
  })

  test('is not taken by a closed contract', async () => {
    await closed()
    await expectRefused(world, proxy, strange(increaseProxyStake(2n, TON, STRANGER), 2n * TON), 1006)
  })

  test('of a new contract leaves the rent beside it', async () => {
    const fresh = await createWorld()
    const { address, init } = fresh.proxy
    await fresh.send(address, { ...strange(increaseProxyStake(2n, TON, STRANGER), 2n * TON), init })
    expect(await fresh.balance(address)).toBe(TON + RENT_FLOOR)
  })
})

describe('the operator’s part', () => {
  test('is paid to the owner for whoever asks, stake and pot stay', async () => {
    const held = await world.balance(proxy)
    const outcome = await expectDone(world, proxy, strange(requestPayout(ELSEWHERE)))
    expect(paidTo(outcome, PROXY_OWNER)).toEqual([TON / 4n])
    expect(received(outcome, ELSEWHERE, OP.excesses)).toHaveLength(1)
    expect(await world.proxyState()).toMatchObject({ balance: 0n, stake: STAKE })
    expect(await world.balance(proxy)).toBe(held - TON / 4n)
    const nothing = await expectDone(world, proxy, strange(requestPayout(ELSEWHERE)))
    expect(arrivals(nothing).map((a) => a.to.equals(ELSEWHERE))).toEqual([true])
    expect(await world.balance(proxy)).toBe(held - TON / 4n)
    await expectRefused(world, proxy, strange(requestPayout(), FEES - 1n), 1003)
    await expectDone(world, proxy, strange(requestPayout(), FEES))
  })

  test('that rent has eaten into is paid as far as it goes; the rest stays owed', async () => {
    const contract = await world.chain.getContract(proxy)
    contract.balance = STAKE + RENT_FLOOR + 7n
    const outcome = await expectDone(world, proxy, strange(requestPayout()))
    expect(paidTo(outcome, PROXY_OWNER)).toEqual([7n])
    expect(await world.proxyState()).toMatchObject({ balance: TON / 4n - 7n, stake: STAKE })
    expect(await world.balance(proxy)).toBe(STAKE + RENT_FLOOR)
    contract.balance = STAKE - 1n
    const none = await expectDone(world, proxy, strange(requestPayout()))
    expect(paidTo(none, PROXY_OWNER)).toEqual([])
    expect(await world.balance(proxy)).toBe(STAKE - 1n)
  })

  test('is paid by completing as far as it goes, and the rest later', async () => {
    await expectDone(world, proxy, strange(close()))
    world.chain.now = NOW + DELAY + 1
    const contract = await world.chain.getContract(proxy)
    contract.balance = STAKE
    const outcome = await expectDone(world, proxy, strange(complete()))
    const paid = STAKE - storageFee(outcome) - RENT_FLOOR
    expect(paidTo(outcome, PROXY_OWNER)).toEqual([paid])
    expect(await world.proxyState()).toMatchObject({ state: 2, stake: 0n, balance: STAKE + TON / 4n - paid })
    contract.balance = TON
    const rest = await expectDone(world, proxy, strange(requestPayout()))
    expect(paidTo(rest, PROXY_OWNER)).toEqual([STAKE + TON / 4n - paid])
  })

  test('of a contract without even its rent is refilled from the message', async () => {
    const contract = await world.chain.getContract(proxy)
    contract.balance = 1n
    await expectDone(world, proxy, strange(close()))
    expect(await world.balance(proxy)).toBe(RENT_FLOOR)
    contract.balance = 1n
    await expectDone(world, proxy, strange(requestPayout()))
    expect(await world.balance(proxy)).toBe(RENT_FLOOR)
  })
})

describe('closing', () => {
  test.each([
    ['the owner’s order', () => owner(ownerClose())],
    ['the owner’s word', () => owner(text('c'))],
    ['the enclave’s signature', () => strange(close())],
  ])('begins with %s, once, and sets a deadline', async (_, order) => {
    const held = await world.balance(proxy)
    const outcome = await expectDone(world, proxy, order())
    expect(await world.proxyState()).toEqual({ state: 1, balance: TON / 4n, stake: STAKE, unlockTs: NOW + DELAY })
    expect(await world.balance(proxy)).toBe(held)
    expect(received(outcome, order().from, OP.excesses)).toHaveLength(1)
    await expectRefused(world, proxy, order(), 1006)
  })

  test('is neither begun by strangers nor for less than the fees', async () => {
    await expectRefused(world, proxy, strange(ownerClose()), 1010)
    await expectRefused(world, proxy, strange(text('c')), 1010)
    await expectRefused(world, proxy, owner(ownerClose(), FEES - 1n), 1003)
    await expectRefused(world, proxy, owner(text('c'), FEES - 1n), 1003)
    await expectRefused(world, proxy, strange(close(), FEES - 1n), 1003)
    await expectRefused(world, proxy, owner(text('x')), 1013)
    for (const order of [owner(ownerClose(), FEES), owner(text('c'), FEES), strange(close(), FEES)]) {
      await world.chain.loadFrom(start)
      await expectDone(world, proxy, order)
    }
    await expectRefused(world, proxy, strange(complete(), FEES - 1n), 1003)
  })

  test('is complete only after the deadline, and pays stake and balance to the owner', async () => {
    await expectRefused(world, proxy, strange(complete()), 1006)
    await expectDone(world, proxy, strange(close()))
    world.chain.now = NOW + DELAY
    await expectRefused(world, proxy, strange(complete()), 1011)
    world.chain.now = NOW + DELAY + 1
    const before = await world.balance(proxy)
    const outcome = await expectDone(world, proxy, strange(complete(ELSEWHERE)))
    const held = before - storageFee(outcome)
    expect(paidTo(outcome, PROXY_OWNER)).toEqual([STAKE + TON / 4n])
    expect(received(outcome, ELSEWHERE, OP.excesses)).toHaveLength(1)
    expect(await world.proxyState()).toEqual({ state: 2, balance: 0n, stake: 0n, unlockTs: NOW + DELAY + 1 + GRACE })
    expect(await world.balance(proxy)).toBe(held - STAKE - TON / 4n)
    await expectRefused(world, proxy, strange(complete()), 1006)
    await expectRefused(world, proxy, strange(close()), 1006)
    await expectRefused(world, proxy, owner(ownerClose()), 1006)
  })

  test('is completed by the owner alone if the enclave and its key are gone', async () => {
    await expectDone(world, proxy, owner(text('c')))
    world.chain.now = NOW + DELAY
    const early = await expectDone(world, proxy, owner(text('w')))
    expect(paidTo(early, PROXY_OWNER)).toEqual([TON / 4n])
    expect(await world.proxyState()).toMatchObject({ state: 1, stake: STAKE })
    world.chain.now = NOW + DELAY + 1
    await expectRefused(world, proxy, strange(text('w')), 1010)
    const outcome = await expectDone(world, proxy, owner(text('w')))
    expect(paidTo(outcome, PROXY_OWNER)).toEqual([STAKE])
    expect(await world.proxyState()).toMatchObject({ state: 2, stake: 0n, unlockTs: NOW + DELAY + 1 + GRACE })
  })

  test('keeps paying workers: while closing, and out of what was left when closed', async () => {
    await expectDone(world, proxy, strange(close()))
    expect(paidTo(await payWorker(300_000_000n), WORKER_OWNER)).toEqual([950_000_000n])
    world.chain.now = NOW + DELAY + 1
    await expectDone(world, proxy, strange(complete()))
    expect(paidTo(await payWorker(500_000_000n), WORKER_OWNER)).toEqual([3_800_000_000n])
    expect(await world.proxyState()).toMatchObject({ state: 2, balance: TON / 5n })
    const outcome = await expectDone(world, proxy, strange(requestPayout()))
    expect(paidTo(outcome, PROXY_OWNER)).toEqual([TON / 5n])
    await expectRefused(world, proxy, strange(requestPayout()), 1006)
  })

  test('leaves what nobody claims to the owner after the time of grace, and the rent with it', async () => {
    await closed()
    const end = NOW + DELAY + 1 + GRACE
    world.chain.now = end
    await expectRefused(world, proxy, strange(requestPayout()), 1006)
    world.chain.now = end + 1
    const before = await world.balance(proxy)
    const outcome = await expectDone(world, proxy, strange(requestPayout()))
    const held = before - storageFee(outcome)
    expect(paidTo(outcome, PROXY_OWNER)).toEqual([held - RENT_FLOOR])
    expect(held).toBeGreaterThan(5n * TON)
    expect(await world.balance(proxy)).toBe(RENT_FLOOR)
    await expectRefused(world, proxy, owner(text('w')), 1006)
  })

  test('never takes the clients’ money: theirs is refunded after it as before', async () => {
    await closed()
    const client = world.client.address
    await world.send(client, { from: CLIENT_OWNER, value: TON, body: plain(OP.requestRefund, 1n, CLIENT_OWNER) })
    world.chain.now = NOW + 3 * DELAY
    const outcome = await world.send(client, {
      from: CLIENT_OWNER,
      value: TON,
      body: plain(OP.requestRefund, 2n, CLIENT_OWNER),
    })
    expect(paidTo(outcome, CLIENT_OWNER)[0]).toBeGreaterThan(15n * TON)
  })
})

describe.each([
  ['close', OP.closeSigned, OP.closeCompleteSigned],
  ['completion', OP.closeCompleteSigned, OP.closeSigned],
])('a signed %s is refused', (_, op, other) => {
  beforeEach(async () => {
    if (op === OP.closeSigned) return
    await expectDone(world, proxy, strange(close()))
    world.chain.now = NOW + DELAY + 1
  })
  const payload = () => orderPayload(op, 4n, proxy)

  test('under another key, for another op, query or contract', async () => {
    await expectRefused(world, proxy, strange(signed(op, 4n, STRANGER, payload(), keyOf(9))), 1007)
    await expectRefused(world, proxy, strange(signed(op, 5n, STRANGER, payload(), PROXY_KEY)), 1005)
    await expectRefused(
      world,
      proxy,
      strange(signed(op, 4n, STRANGER, orderPayload(other, 4n, proxy), PROXY_KEY)),
      1005,
    )
    await expectRefused(world, proxy, strange(signed(op, 4n, STRANGER, orderPayload(op, 4n, ROOT), PROXY_KEY)), 1015)
    const signature = PROXY_KEY.sign(payload().hash())
    await expectRefused(world, proxy, strange(envelope(op, 4n, STRANGER, signature, orderPayload(op, 4n, ROOT))), 1007)
  })

  test('with anything behind the fields, or with nowhere to return to', async () => {
    const inner = beginCell().storeSlice(payload().beginParse()).storeBit(1).endCell()
    await expectRefused(world, proxy, strange(signed(op, 4n, STRANGER, inner, PROXY_KEY)), 9)
    const whole = signed(op, 4n, STRANGER, payload(), PROXY_KEY)
    await expectRefused(world, proxy, strange(beginCell().storeSlice(whole.beginParse()).storeBit(1).endCell()), 9)
    await expectRefused(world, proxy, strange(signed(op, 4n, 'none', payload(), PROXY_KEY)), 9)
    await expectUndone(world, proxy, strange(signed(op, 4n, new Address(7, Buffer.alloc(32)), payload(), PROXY_KEY)))
  })
})

test.each([
  ['requestPayout', () => requestPayout()],
  ['increaseProxyStake', () => increaseProxyStake(2n, 1n, STRANGER)],
  ['ownerClose', () => ownerClose()],
  ['text', () => text('c')],
])('a bit or a reference behind %s is refused', async (_, body) => {
  await expectRefused(world, proxy, owner(beginCell().storeSlice(body().beginParse()).storeBit(0).endCell()), 9)
  await expectRefused(
    world,
    proxy,
    owner(beginCell().storeSlice(body().beginParse()).storeRef(beginCell().endCell()).endCell()),
    9,
  )
})

test.each([
  ['requestPayout', (excess: Excess) => requestPayout(excess)],
  [
    'increaseProxyStake',
    (excess: Excess) => storeExcess(head(OP.increaseProxyStake, 1n).storeCoins(1n), excess).endCell(),
  ],
  ['ownerClose', (excess: Excess) => ownerClose(excess)],
])('%s with an excess that cannot be delivered changes nothing', async (_, body) => {
  await expectRefused(world, proxy, owner(body('none')), 9)
  await expectUndone(world, proxy, owner(body(new Address(7, Buffer.alloc(32)))))
})

test('an operator that no message can reach is not paid into the void', async () => {
  const { code } = world.proxy.init
  const [params] = (await world.data(proxy)).refs
  if (code === null || code === undefined || params === undefined) throw new RangeError('no code or params')
  const odd = deployment(code, proxyData(params, new Address(7, Buffer.alloc(32, 7)), PROXY_KEY.publicKey, 5n))
  await world.send(odd.address, { from: STRANGER, value: TON, init: odd.init, bounce: false })
  await expectUndone(world, odd.address, strange(requestPayout()))
})

test('params of another layout cannot be closed under', async () => {
  for (const [structVersion, exit] of [
    [3, 0],
    [6, 1008],
  ] as const) {
    const other = await createDeployedWorld({ structVersion })
    expect((await other.send(other.proxy.address, owner(text('c')))).exit).toBe(exit)
  }
})

test('checkpoints, empty bodies and plain money are kept without a word; other ops are refused', async () => {
  const checkpoint = head(OP.doNotProcess, 1n).storeUint(0x53109c0f, 32).storeInt(5, 32).storeUint(77, 256).endCell()
  expect((await world.send(proxy, { ...owner(checkpoint), value: 1n })).exit).toBeNull()
  for (const body of [checkpoint, beginCell().storeUint(OP.doNotProcess, 32).endCell(), beginCell().endCell()])
    expect(arrivals(await expectDone(world, proxy, owner(body)))).toEqual([])
  await expectRefused(world, proxy, owner(head(0x12345678, 1n).endCell()), 1012)
  await expectRefused(world, proxy, owner(beginCell().storeUint(5, 16).endCell()), 1012)
})

test('get_cocoon_proxy_data lists parties, state, money, deadline and params', async () => {
  await expectDone(world, proxy, strange(close()))
  const { stackReader: s } = await world.chain.runGetMethod(proxy, 'get_cocoon_proxy_data')
  expect(s.readAddress().equals(PROXY_OWNER)).toBe(true)
  expect(s.readBigNumber()).toBe(BigInt(`0x${Buffer.from(PROXY_KEY.publicKey).toString('hex')}`))
  expect(s.readAddress().equals(account(0x44))).toBe(true)
  const rest = [1n, TON / 4n, STAKE, BigInt(NOW + DELAY), 20n, 19n, 15n * TON, 15n * TON, 17n]
  expect(rest.map(() => s.readBigNumber())).toEqual(rest)
  expect(s.remaining).toBe(0)
})
