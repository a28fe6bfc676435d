import { Address, beginCell, type Cell } from '@ton/core'
import type { BlockchainSnapshot } from '@ton/sandbox'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectDone, expectRefused, expectUndone, storageFee } from './support/expectations.ts'
import {
  changeSecret,
  envelope,
  type Excess,
  head,
  increaseClientStake,
  OP,
  plain,
  registerClient,
  signed,
  topUp,
  topUpWithSecret,
  totalPayload,
} from './support/messages.ts'
import {
  arrivals,
  CLIENT_OWNER,
  createDeployedWorld,
  createWorld,
  ELSEWHERE,
  keyOf,
  NOW,
  type Outcome,
  PROXY_KEY,
  received,
  STRANGER,
  TON,
  type World,
} from './support/world.ts'

const FEES = TON / 10n
const RENT = (TON * 11n) / 100n
const RENT_FLOOR = TON / 100n
const HOP = TON / 500n
const DELAY = 43_200

let world: World
let client: Address
let start: BlockchainSnapshot

beforeAll(async () => {
  world = await createDeployedWorld()
  client = world.client.address
  await world.send(client, { from: CLIENT_OWNER, value: 31n * TON, body: topUp(1n, 30n * TON, CLIENT_OWNER) })
  start = world.chain.snapshot()
})

beforeEach(async () => {
  await world.chain.loadFrom(start)
})

const own = (body: Cell, value = (7n * TON) / 10n) => ({ from: CLIENT_OWNER, value, body })
const strange = (body: Cell, value = (7n * TON) / 10n) => ({ from: STRANGER, value, body })
const total = (op: number, tokens: bigint, excess: Excess = STRANGER, of = client): Cell =>
  signed(op, 6n, excess, totalPayload(op, 6n, tokens, of), PROXY_KEY)
const charge = (tokens: bigint, excess: Excess = STRANGER): Cell => total(OP.charge, tokens, excess)
const grant = (tokens: bigint, excess: Excess = STRANGER): Cell => total(OP.grantRefund, tokens, excess)
const refund = (): Cell => plain(OP.requestRefund, 7n, CLIENT_OWNER)
const withdraw = (): Cell => plain(OP.withdraw, 8n, CLIENT_OWNER)

/** The one notice to the proxy contract: value, stored state as told, payload. */
function notice(outcome: Outcome) {
  const [request, ...more] = received(outcome, world.proxy.address, OP.clientRequest)
  expect(more).toEqual([])
  if (request === undefined) throw new RangeError('no notice')
  const body = request.body.beginParse()
  const queryId = body.skip(32).loadUintBig(64)
  const owner = body.loadAddress()
  const state = body.loadRef().beginParse()
  const told = {
    state: state.loadUint(2),
    balance: state.loadCoins(),
    stake: state.loadCoins(),
    tokensUsed: state.loadUintBig(64),
    secretHash: state.loadUintBig(256),
  }
  state.endParse()
  const payload = body.loadMaybeRef()
  body.endParse()
  return { value: request.value, queryId, owner, told, payload, exit: request.exit }
}

/** The nodes are told what is stored, in one message; all but charges bring one nanoTON. */
async function expectTold(outcome: Outcome, value = 1n): Promise<void> {
  const { unlockTs: _, ...stored } = await world.clientState()
  expect(notice(outcome).told).toEqual(stored)
  expect(notice(outcome).value).toBe(value)
}

describe('a top up', () => {
  test('stays in the client contract and is told to the proxy in a message of one nanoTON', async () => {
    const held = await world.balance(client)
    const outcome = await expectDone(world, client, strange(topUp(9n, 5n * TON, ELSEWHERE), 6n * TON))
    expect(await world.clientState()).toMatchObject({ state: 0, balance: 35n * TON, tokensUsed: 0n })
    expect(await world.balance(client)).toBe(held + 5n * TON)
    const { value, payload, queryId, owner, exit } = notice(outcome)
    expect([value, queryId, owner.equals(CLIENT_OWNER), exit]).toEqual([1n, 9n, true, null])
    expect(
      payload?.equals(
        beginCell()
          .storeUint(OP.clientToppedUp, 32)
          .storeCoins(5n * TON)
          .storeAddress(ELSEWHERE)
          .endCell(),
      ),
    ).toBe(true)
    await expectTold(outcome)
    expect(received(outcome, ELSEWHERE, OP.excesses)).toHaveLength(1)
    expect((await world.proxyState()).balance).toBe(0n)
  })

  test('with the owner’s secret stores it, in closing too', async () => {
    await expectDone(world, client, own(refund()))
    const outcome = await expectDone(world, client, own(topUpWithSecret(2n, TON, 77n, CLIENT_OWNER), 2n * TON))
    expect(await world.clientState()).toMatchObject({
      state: 1,
      balance: 16n * TON,
      secretHash: 77n,
      unlockTs: NOW + DELAY,
    })
    expect(notice(outcome).payload?.beginParse().loadUint(32)).toBe(OP.clientToppedUp)
    await expectTold(outcome)
  })

  test('needs exactly its amount and the fees', async () => {
    await expectRefused(world, client, strange(topUp(1n, TON, STRANGER), TON + FEES - 1n), 1003)
    await expectDone(world, client, strange(topUp(1n, TON, STRANGER), TON + FEES))
  })

  test('of nobody else’s with a secret, of a closing or a closed client is refused', async () => {
    await expectRefused(world, client, strange(topUpWithSecret(2n, TON, 77n, STRANGER), 2n * TON), 1010)
    await expectRefused(world, client, own(topUpWithSecret(2n, TON, 77n, STRANGER), TON + FEES - 1n), 1003)
    await expectDone(world, client, own(refund()))
    await expectRefused(world, client, strange(topUp(1n, TON, STRANGER), 2n * TON), 1006)
    await expectDone(world, client, strange(grant(0n)))
    await expectRefused(world, client, own(topUpWithSecret(2n, TON, 77n, STRANGER), 2n * TON), 1006)
  })
})

describe('the owner', () => {
  test('registers: the nonce is told, nothing changes', async () => {
    const before = await world.data(client)
    const outcome = await expectDone(world, client, own(registerClient(2n, 0x1234567890n, CLIENT_OWNER), TON))
    expect((await world.data(client)).equals(before)).toBe(true)
    const { payload, value } = notice(outcome)
    expect(value).toBe(1n)
    expect(payload?.equals(beginCell().storeUint(OP.clientRegistered, 32).storeUint(0x1234567890n, 64).endCell())).toBe(
      true,
    )
    await expectTold(outcome)
  })

  test('changes the secret', async () => {
    const outcome = await expectDone(world, client, own(changeSecret(2n, 0xabcdn, CLIENT_OWNER)))
    expect(await world.clientState()).toMatchObject({ secretHash: 0xabcdn, unlockTs: 0, balance: 30n * TON })
    expect(notice(outcome).payload).toBeNull()
    await expectTold(outcome)
  })

  test('raises the stake, and only raises it', async () => {
    const outcome = await expectDone(world, client, own(increaseClientStake(2n, 16n * TON, CLIENT_OWNER)))
    expect((await world.clientState()).stake).toBe(16n * TON)
    await expectTold(outcome)
    await expectRefused(world, client, own(increaseClientStake(2n, 16n * TON, CLIENT_OWNER)), 1003)
    // A node stops at money of more than eight bytes.
    await expectRefused(world, client, own(increaseClientStake(2n, 2n ** 64n, CLIENT_OWNER)), 1101)
    await expectDone(world, client, own(increaseClientStake(2n, 2n ** 64n - 1n, CLIENT_OWNER)))
  })

  test('withdraws what lies above the stake, to the nanoTON', async () => {
    const held = await world.balance(client)
    const outcome = await expectDone(world, client, own(withdraw()))
    expect(received(outcome, CLIENT_OWNER, OP.payout).map((a) => a.value)).toEqual([15n * TON])
    expect(await world.balance(client)).toBe(held - 15n * TON)
    expect(await world.clientState()).toMatchObject({ state: 0, balance: 15n * TON })
    expect(notice(outcome).payload?.beginParse().loadUint(32)).toBe(OP.clientRefundGranted)
    expect(notice(outcome).payload?.beginParse().skip(32).loadCoins()).toBe(15n * TON)
    await expectTold(outcome)
    await expectRefused(world, client, own(withdraw()), 1001)
  })

  test.each([
    ['registers', () => registerClient(2n, 1n, STRANGER), 1010],
    ['changes the secret', () => changeSecret(2n, 1n, STRANGER), 1010],
    ['raises the stake', () => increaseClientStake(2n, 16n * TON, STRANGER), 1010],
    ['withdraws', withdraw, 1009],
    ['asks for a refund', refund, 1009],
  ])('alone %s', async (_, body, exit) => {
    await expectRefused(world, client, strange(body()), exit)
  })

  test.each([
    ['register', () => registerClient(2n, 1n, STRANGER)],
    ['change the secret', () => changeSecret(2n, 1n, STRANGER)],
    ['raise the stake', () => increaseClientStake(2n, 16n * TON, STRANGER)],
    ['withdraw', withdraw],
    ['ask for a refund', refund],
    ['be charged', () => charge(5n)],
    ['be granted a refund', () => grant(5n)],
  ])('cannot %s with less than the fees, nor in a closed contract', async (_, body) => {
    await expectRefused(world, client, own(body(), FEES - 1n), 1003)
    await expectDone(world, client, strange(grant(0n)))
    await expectRefused(world, client, own(body()), 1006)
  })

  test('does not withdraw from a closing contract', async () => {
    await expectDone(world, client, own(increaseClientStake(2n, 29n * TON, CLIENT_OWNER)))
    await expectDone(world, client, own(refund()))
    await expectRefused(world, client, own(withdraw()), 1006)
  })
})

describe('a charge', () => {
  test('sends its price to the proxy contract, and the excess where the submitter says', async () => {
    const held = await world.balance(client)
    const pot = await world.balance(world.proxy.address)
    const outcome = await expectDone(world, client, strange(charge(100_000_000n, ELSEWHERE)))
    expect(await world.clientState()).toMatchObject({ state: 0, balance: 28n * TON, tokensUsed: 100_000_000n })
    expect(await world.balance(client)).toBe(held - 2n * TON)
    expect(notice(outcome)).toMatchObject({ payload: null, exit: 0 })
    await expectTold(outcome, 2n * TON + HOP)
    expect((await world.balance(world.proxy.address)) - pot).toBeGreaterThanOrEqual(2n * TON)
    expect(received(outcome, ELSEWHERE, OP.excesses)).toHaveLength(1)
  })

  test('counts up to its total, once', async () => {
    await expectDone(world, client, strange(charge(100n)))
    await expectDone(world, client, strange(charge(150n)))
    expect(await world.clientState()).toMatchObject({ balance: 30n * TON - 3000n, tokensUsed: 150n })
    await expectRefused(world, client, strange(charge(150n)), 1000)
    await expectRefused(world, client, strange(charge(100n)), 1000)
  })

  test('beyond the balance takes whole tokens only; the rest is taken by the same signature after a top up', async () => {
    const worth = (30n * TON) / 20n
    await expectDone(world, client, own(topUp(1n, 7n, CLIENT_OWNER)))
    const outcome = await expectDone(world, client, strange(charge(worth + 10n)))
    expect(await world.clientState()).toMatchObject({ balance: 7n, tokensUsed: worth })
    expect(notice(outcome).value).toBe(30n * TON + HOP)
    await expectRefused(world, client, strange(charge(worth + 10n)), 1002)
    await expectDone(world, client, own(topUp(1n, TON, CLIENT_OWNER), 2n * TON))
    await expectDone(world, client, strange(charge(worth + 10n)))
    expect(await world.clientState()).toMatchObject({ balance: TON + 7n - 200n, tokensUsed: worth + 10n })
  })

  test('of exactly the balance empties it; the largest total does no more', async () => {
    await expectDone(world, client, strange(charge((30n * TON) / 20n)))
    expect(await world.clientState()).toMatchObject({ balance: 0n, tokensUsed: (30n * TON) / 20n })
    expect(await world.balance(client)).toBeGreaterThanOrEqual(RENT)
    await world.chain.loadFrom(start)
    await expectDone(world, client, strange(charge(2n ** 64n - 1n)))
    expect(await world.clientState()).toMatchObject({ balance: 0n, tokensUsed: (30n * TON) / 20n })
    expect(await world.balance(client)).toBeGreaterThanOrEqual(RENT)
  })

  test('is still taken while closing', async () => {
    await expectDone(world, client, own(refund()))
    await expectDone(world, client, strange(charge(100n)))
    expect(await world.clientState()).toMatchObject({ state: 1, balance: 15n * TON - 2000n, tokensUsed: 100n })
  })
})

describe.each([
  ['charge', OP.charge],
  ['granted refund', OP.grantRefund],
])('a signed %s is refused', (_, op) => {
  const payload = () => totalPayload(op, 6n, 5n, client)
  test('under another key, or with one bit of the signature or total changed', async () => {
    await expectRefused(world, client, strange(signed(op, 6n, STRANGER, payload(), keyOf(9))), 1007)
    const signature = PROXY_KEY.sign(payload().hash())
    await expectRefused(
      world,
      client,
      strange(
        envelope(
          op,
          6n,
          STRANGER,
          signature.map((b, i) => (i === 40 ? b ^ 1 : b)),
          payload(),
        ),
      ),
      1007,
    )
    await expectRefused(
      world,
      client,
      strange(envelope(op, 6n, STRANGER, signature, totalPayload(op, 6n, 6n, client))),
      1007,
    )
  })

  test('with another query id or op inside', async () => {
    await expectRefused(world, client, strange(signed(op, 7n, STRANGER, payload(), PROXY_KEY)), 1005)
    const other = op === OP.charge ? OP.grantRefund : OP.charge
    await expectRefused(
      world,
      client,
      strange(signed(op, 6n, STRANGER, totalPayload(other, 6n, 5n, client), PROXY_KEY)),
      1005,
    )
  })

  test('with bits or a reference behind the signed fields', async () => {
    const bit = beginCell().storeSlice(payload().beginParse()).storeBit(1).endCell()
    await expectRefused(world, client, strange(signed(op, 6n, STRANGER, bit, PROXY_KEY)), 9)
    const ref = beginCell().storeSlice(payload().beginParse()).storeRef(beginCell().endCell()).endCell()
    await expectRefused(world, client, strange(signed(op, 6n, STRANGER, ref, PROXY_KEY)), 9)
  })

  test('for another contract', async () => {
    await expectRefused(world, client, strange(total(op, 5n, STRANGER, world.worker.address)), 1015)
  })

  test('when its total is behind', async () => {
    await expectDone(world, client, strange(charge(100n)))
    await expectRefused(world, client, strange(total(op, 99n)), 1000)
  })
})

describe('a refund', () => {
  test('is asked for, then waits, then pays everything to the owner out of the client’s own contract', async () => {
    const first = await expectDone(world, client, own(refund()))
    expect(received(first, CLIENT_OWNER, OP.payout).map((a) => a.value)).toEqual([15n * TON])
    expect(await world.clientState()).toMatchObject({ state: 1, balance: 15n * TON, unlockTs: NOW + DELAY })
    expect(notice(first).payload?.beginParse().loadUint(32)).toBe(OP.clientRefundGranted)
    await expectTold(first)
    world.chain.now = NOW + DELAY
    await expectRefused(world, client, own(refund()), 1011)
    world.chain.now = NOW + DELAY + 1
    const before = await world.balance(client)
    const second = await expectDone(world, client, own(refund()))
    const held = before - storageFee(second)
    expect(received(second, CLIENT_OWNER, OP.payout).map((a) => a.value)).toEqual([held - RENT_FLOOR])
    expect(held - RENT_FLOOR).toBeGreaterThan(15n * TON)
    expect(await world.balance(client)).toBe(RENT_FLOOR)
    expect(await world.clientState()).toMatchObject({ state: 2, balance: 0n })
    const { payload } = notice(second)
    expect(
      payload?.equals(
        beginCell()
          .storeUint(OP.clientRefundForced, 32)
          .storeCoins(15n * TON)
          .storeAddress(CLIENT_OWNER)
          .endCell(),
      ),
    ).toBe(true)
    await expectTold(second)
  })

  test('without surplus only starts the clock', async () => {
    await expectDone(world, client, own(withdraw()))
    const held = await world.balance(client)
    const outcome = await expectDone(world, client, own(refund()))
    expect(received(outcome, CLIENT_OWNER, OP.payout)).toEqual([])
    expect(notice(outcome)).toMatchObject({ payload: null, value: 1n })
    expect(await world.clientState()).toMatchObject({ state: 1, balance: 15n * TON, unlockTs: NOW + DELAY })
    expect(await world.balance(client)).toBe(held)
  })

  test('granted by the proxy pays what was used to it and all the rest to the owner, nothing to the submitter', async () => {
    const held = await world.balance(client)
    const outcome = await expectDone(world, client, strange(grant(100n, ELSEWHERE)))
    expect(received(outcome, CLIENT_OWNER, OP.payout).map((a) => a.value)).toEqual([held - 2000n - RENT_FLOOR])
    expect(notice(outcome).exit).toBe(0)
    expect(notice(outcome).payload?.beginParse().loadUint(32)).toBe(OP.clientRefundGranted)
    expect(notice(outcome).payload?.beginParse().skip(32).loadCoins()).toBe(30n * TON - 2000n)
    const [excess] = received(outcome, ELSEWHERE, OP.excesses)
    expect(excess?.value).toBeLessThan((7n * TON) / 10n)
    expect(await world.balance(client)).toBe(RENT_FLOOR)
    expect(await world.clientState()).toMatchObject({ state: 2, balance: 0n, tokensUsed: 100n, unlockTs: 0 })
    await expectTold(outcome, 2000n + HOP)
  })

  test('granted for what is already charged sends only a notice', async () => {
    await expectDone(world, client, strange(charge(100n)))
    const outcome = await expectDone(world, client, strange(grant(100n)))
    expect(notice(outcome).value).toBe(1n)
    expect((await world.clientState()).state).toBe(2)
  })

  test('granted while closing forgets the deadline', async () => {
    await expectDone(world, client, own(refund()))
    await expectDone(world, client, strange(grant(0n)))
    expect(await world.clientState()).toMatchObject({ state: 2, unlockTs: 0 })
  })
})

describe('a contract with nothing of its own left', () => {
  test('is deployed with its first order, and keeps exactly the rent', async () => {
    const fresh = await createWorld()
    const { address, init } = fresh.client
    const body = registerClient(2n, 1n, CLIENT_OWNER)
    const outcome = await fresh.send(address, { from: CLIENT_OWNER, value: TON, body, init })
    expect([outcome.exit, outcome.action]).toEqual([0, 0])
    expect(await fresh.balance(address)).toBe(RENT)
    const least = FEES + RENT
    const again = await createWorld()
    expect((await again.send(address, { from: CLIENT_OWNER, value: FEES - 1n, body, init })).exit).toBe(1003)
    expect((await again.send(address, { from: CLIENT_OWNER, value: FEES, body, init })).exit).toBe(1001)
    expect((await again.send(address, { from: CLIENT_OWNER, value: least - 1n, body, init })).exit).toBe(1001)
    expect((await again.send(address, { from: CLIENT_OWNER, value: least, body, init })).exit).toBe(0)
  })

  test('is refilled by a top up that brings the rent, and refuses one that does not', async () => {
    const fresh = await createWorld()
    const { address, init } = fresh.client
    const least = FEES + RENT + TON
    const short = { from: STRANGER, value: least - 1n, body: topUp(1n, TON, STRANGER), init }
    expect((await fresh.send(address, { ...short, value: TON + FEES - 1n })).exit).toBe(1003)
    expect((await fresh.send(address, { ...short, value: TON + FEES })).exit).toBe(1001)
    expect((await fresh.send(address, short)).exit).toBe(1001)
    expect((await fresh.send(address, { ...short, value: least })).exit).toBe(0)
    expect(await fresh.balance(address)).toBe(RENT + TON)
  })

  test('never counts rent that is gone as the client’s money', async () => {
    world.chain.now = NOW + 60 * 365 * 86_400
    const outcome = await expectDone(world, client, own(changeSecret(1n, 5n, CLIENT_OWNER), 3n * TON))
    expect(await world.balance(client)).toBe(30n * TON + RENT)
    expect(received(outcome, CLIENT_OWNER, OP.excesses)).toHaveLength(1)
  })
})

describe('what is not understood', () => {
  test.each([
    ['a foreign op', () => head(0x29111ceb, 1n).endCell(), 1012],
    ['an op cut short', () => beginCell().storeUint(5, 16).endCell(), 1012],
    ['a top up cut short', () => head(OP.topUp, 1n).endCell(), 9],
  ])('%s is refused', async (_, body, exit) => {
    await expectRefused(world, client, own(body(), TON), exit)
  })

  test.each([
    ['topUp', () => topUp(1n, 1n, STRANGER)],
    ['topUpWithSecret', () => topUpWithSecret(1n, 1n, 1n, STRANGER)],
    ['registerClient', () => registerClient(1n, 1n, STRANGER)],
    ['changeSecret', () => changeSecret(1n, 1n, STRANGER)],
    ['increaseClientStake', () => increaseClientStake(1n, 16n * TON, STRANGER)],
    ['withdraw', withdraw],
    ['requestRefund', refund],
    ['charge', () => charge(5n)],
    ['grantRefund', () => grant(5n)],
  ])('a bit or a reference behind %s is refused', async (_, body) => {
    await expectRefused(world, client, own(beginCell().storeSlice(body().beginParse()).storeBit(0).endCell()), 9)
    await expectRefused(
      world,
      client,
      own(beginCell().storeSlice(body().beginParse()).storeRef(beginCell().endCell()).endCell()),
      9,
    )
  })

  test('empty bodies, bounced messages and those for nobody are kept without a word', async () => {
    const before = await world.data(client)
    for (const body of [
      beginCell().endCell(),
      head(OP.doNotProcess, 1n).endCell(),
      beginCell().storeUint(OP.doNotProcess, 32).endCell(),
    ]) {
      const outcome = await expectDone(world, client, strange(body))
      expect(arrivals(outcome)).toEqual([])
    }
    expect((await world.data(client)).equals(before)).toBe(true)
  })

  test('a return address that no message can reach undoes the order, whoever gives it', async () => {
    await expectRefused(world, client, strange(charge(5n, 'none')), 9)
    await expectRefused(world, client, strange(grant(5n, 'none')), 9)
    const nowhere = new Address(7, Buffer.alloc(32, 1))
    await expectUndone(world, client, strange(charge(5n, nowhere)))
    await expectUndone(world, client, strange(grant(5n, nowhere)))
    await expectUndone(world, client, strange(topUp(1n, TON, nowhere), 2n * TON))
  })

  test('an owner that no message can reach is not paid into the void: the grant is undone', async () => {
    const odd = world.clientOf(new Address(7, Buffer.alloc(32, 7)))
    const init = { from: STRANGER, value: 2n * TON, body: topUp(1n, TON, STRANGER), init: odd.init }
    expect((await world.send(odd.address, init)).action).toBe(0)
    await expectUndone(world, odd.address, strange(total(OP.grantRefund, 5n, STRANGER, odd.address)))
    await expectDone(world, odd.address, strange(total(OP.charge, 5n, STRANGER, odd.address)))
  })

  test('params of another layout take no money', async () => {
    for (const [structVersion, exit] of [
      [2, 1008],
      [3, 0],
      [4, 0],
      [5, 0],
      [6, 1008],
    ] as const) {
      const other = await createDeployedWorld({ structVersion: structVersion === 2 ? 4 : structVersion })
      const address = other.client.address
      if (structVersion === 2) await setStructVersion(other, 2)
      const outcome = await other.send(address, { from: STRANGER, value: 2n * TON, body: topUp(1n, TON, STRANGER) })
      expect([structVersion, outcome.exit]).toEqual([structVersion, exit])
      const withSecret = { from: CLIENT_OWNER, value: 2n * TON, body: topUpWithSecret(1n, TON, 1n, STRANGER) }
      expect((await other.send(address, withSecret)).exit).toBe(exit)
    }
  })
})

/** Puts another struct version into the params that the client holds. */
async function setStructVersion(other: World, version: number): Promise<void> {
  const data = await other.data(other.client.address)
  const params = data.refs[1]
  if (params === undefined) throw new RangeError('no params')
  const changed = beginCell().storeUint(version, 8).storeSlice(params.beginParse().skip(8)).endCell()
  const rest = data.beginParse()
  rest.loadRef()
  const again = beginCell().storeBits(rest.loadBits(rest.remainingBits))
  for (const ref of [data.refs[0], changed]) if (ref !== undefined) again.storeRef(ref)
  await other.setData(other.client.address, again.endCell())
}

test('get_cocoon_client_data lists owner, proxy, key, state, balance, stake, tokens, deadline and secret', async () => {
  await expectDone(world, client, own(changeSecret(2n, 0xabcdn, CLIENT_OWNER)))
  await expectDone(world, client, strange(charge(100n)))
  await expectDone(world, client, own(refund()))
  const { stackReader: s } = await world.chain.runGetMethod(client, 'get_cocoon_client_data')
  expect(s.readAddress().equals(CLIENT_OWNER)).toBe(true)
  expect(s.readAddress().equals(world.proxy.address)).toBe(true)
  expect(s.readBigNumber()).toBe(BigInt(`0x${Buffer.from(PROXY_KEY.publicKey).toString('hex')}`))
  expect([1, 2, 3, 4, 5, 6].map(() => s.readBigNumber())).toEqual([
    1n,
    15n * TON,
    15n * TON,
    100n,
    BigInt(NOW + DELAY),
    0xabcdn,
  ])
  expect(s.remaining).toBe(0)
})

test('price zero cannot be divided by: a free charge books nothing', async () => {
  const free = await createDeployedWorld({ pricePerToken: 0n, workerFeePerToken: 0n })
  const body = signed(OP.charge, 6n, STRANGER, totalPayload(OP.charge, 6n, 5n, free.client.address), PROXY_KEY)
  const outcome = await free.send(free.client.address, { from: STRANGER, value: TON, body })
  expect(outcome.exit).toBe(1002)
})
