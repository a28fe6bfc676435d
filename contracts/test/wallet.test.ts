import { type Address, beginCell, type Cell } from '@ton/core'
import type { BlockchainSnapshot } from '@ton/sandbox'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { head, OP, text } from './support/messages.ts'
import {
  createWalletWorld,
  type Order,
  orderBody,
  sendMessage,
  transfer,
  type WalletWorld,
  walletData,
} from './support/wallet.ts'
import { arrivals, keyOf, NOW, type Outcome, STRANGER, TON, WALLET_KEY, WALLET_OWNER } from './support/world.ts'

let world: WalletWorld
let start: BlockchainSnapshot

beforeAll(async () => {
  world = await createWalletWorld()
  start = world.chain.snapshot()
})

beforeEach(async () => {
  await world.chain.loadFrom(start)
})

async function accepted(order: Order): Promise<Outcome> {
  const { outcome } = await world.external(orderBody(order))
  if (outcome === null) throw new RangeError('the order was not accepted')
  return outcome
}

async function refused(order: Order, exit: number): Promise<void> {
  const [before, held] = [await world.data(), await world.balance()]
  expect((await world.external(orderBody(order))).refusal).toBe(exit)
  expect((await world.data()).equals(before)).toBe(true)
  expect(await world.balance()).toBe(held)
}

const values = (outcome: Outcome): bigint[] => arrivals(outcome).map((a) => a.value)

describe('an order of the key', () => {
  test('sends up to four messages and counts once', async () => {
    const messages = [1n, 2n, 3n, 4n].map((n) => [1, transfer(STRANGER, n * (TON / 2n))] as const)
    for (const count of [0, 1, 2, 3, 4]) {
      await world.chain.loadFrom(start)
      const outcome = await accepted({ seqno: 0, messages: messages.slice(0, count) })
      expect(values(outcome)).toEqual([1n, 2n, 3n, 4n].slice(0, count).map((n) => n * (TON / 2n)))
      expect(await world.state()).toEqual({ seqno: 1, subwallet: 0, status: 0 })
      await refused({ seqno: 0, messages: messages.slice(0, count) }, 1032)
    }
  })

  test('that cannot be paid counts too, so that nobody can repeat it at the wallet’s cost', async () => {
    const outcome = await accepted({
      seqno: 0,
      messages: [
        [0, transfer(STRANGER, 50n * TON)],
        [1, transfer(STRANGER, TON)],
      ],
    })
    expect(values(outcome)).toEqual([TON])
    expect((await world.state()).seqno).toBe(1)
    const broken = beginCell().storeUint(5, 8).endCell()
    await accepted({ seqno: 1, messages: [[3, broken]] })
    expect((await world.state()).seqno).toBe(2)
  })

  test('is refused, free of charge, when late, out of sequence, for another wallet or under another key', async () => {
    await refused({ seqno: 0, validUntil: NOW }, 1030)
    await refused({ seqno: 1 }, 1032)
    await refused({ seqno: 0, subwallet: 1 }, 1033)
    await refused({ seqno: 0, key: keyOf(9) }, 1034)
    await accepted({ seqno: 0, validUntil: NOW + 1 })
  })

  test.each([4, 16, 32, 64, 128, 160, 255])('in mode %i is refused, wherever it stands', async (mode) => {
    for (const at of [0, 1, 2, 3]) {
      const messages = [0, 1, 2, 3].map((i) => [i === at ? mode : 3, transfer(STRANGER, TON)] as const)
      await refused({ seqno: 0, messages }, 1106)
      await refused({ seqno: 0, messages: messages.slice(at, at + 1) }, 1106)
    }
  })

  test('covers everything behind the signature; what stands behind the last mode is ignored', async () => {
    const signed = beginCell()
      .storeUint(0, 32)
      .storeUint(NOW + 9, 32)
      .storeUint(0, 32)
      .storeUint(1, 8)
      .storeUint(0xff, 8)
    signed.storeRef(transfer(STRANGER, TON))
    const signature = Buffer.from(WALLET_KEY.sign(signed.endCell().hash()))
    const body = beginCell().storeBuffer(signature).storeBuilder(signed)
    expect((await world.external(beginCell().storeBuilder(body).storeBit(1).endCell())).refusal).toBe(1034)
    expect((await world.external(body.endCell())).refusal).toBeNull()
  })

  test('needs a little TON in the wallet', async () => {
    const contract = await world.chain.getContract(world.wallet.address)
    contract.balance = TON / 20n
    await refused({ seqno: 0 }, 1035)
    // What importing the message costs is taken before.
    contract.balance = TON / 20n + TON / 200n
    await accepted({ seqno: 0 })
  })
})

describe('the owner', () => {
  test('blocks the key and lets it go again; other bits of the status stay', async () => {
    await world.internal(WALLET_OWNER, TON, text('b'))
    expect((await world.state()).status).toBe(1)
    await refused({ seqno: 0 }, 1031)
    await world.internal(WALLET_OWNER, TON, text('b'))
    await world.internal(WALLET_OWNER, TON, text('u'))
    expect((await world.state()).status).toBe(0)
    await accepted({ seqno: 0 })
  })

  test('sends any message in any mode, from a blocked wallet too', async () => {
    await world.internal(WALLET_OWNER, TON, text('b'))
    const outcome = await world.internal(WALLET_OWNER, TON, sendMessage(128, transfer(STRANGER, 0n)))
    expect(values(outcome)[0]).toBeGreaterThan(10n * TON)
    expect(await world.balance()).toBe(0n)
  })

  test('takes everything but the rent', async () => {
    const held = (await world.balance()) + TON
    const outcome = await world.internal(WALLET_OWNER, TON, text('w'))
    const [sent] = arrivals(outcome)
    const [run] = outcome.transactions
    const forward = run?.outMessages.get(0)?.info
    const fees = (run?.totalFees.coins ?? 0n) + (forward?.type === 'internal' ? forward.forwardFee : 0n)
    expect(held - fees - (sent?.value ?? 0n)).toBe(TON / 100n)
    expect(sent?.to.equals(WALLET_OWNER)).toBe(true)
    expect(sent?.body.equals(text('w'))).toBe(true)
    const info = outcome.transactions[1]?.inMessage?.info
    expect(info?.type === 'internal' && info.bounce).toBe(true)
    // The undeployed owner of this test cannot take it, so it comes back.
    expect(await world.balance()).toBeGreaterThan(10n * TON)
    const out = outcome.transactions[0]
    expect(out?.endStatus).toBe('active')
  })
})

test.each([
  ['a message', () => sendMessage(0, transfer(STRANGER, TON))],
  ['w', () => text('w')],
  ['b', () => text('b')],
  ['u', () => text('u')],
  ['x', () => text('x')],
  ['an unknown op', () => head(0x12345678, 1n).endCell()],
  ['a cut op', () => beginCell().storeUint(1, 8).endCell()],
])('%s from anyone but the owner is returned', async (_, body) => {
  const before = await world.data()
  const outcome = await world.internal(STRANGER, TON, body())
  expect(outcome.exit).toBe(1040)
  expect((await world.data()).equals(before)).toBe(true)
  expect(arrivals(outcome).map((a) => [a.bounced, a.to.equals(STRANGER)])).toEqual([[true, true]])
})

test('what the owner says and the wallet does not understand is returned', async () => {
  for (const body of [text('x'), head(0x12345678, 1n).endCell(), beginCell().storeUint(1, 8).endCell()])
    expect((await world.internal(WALLET_OWNER, TON, body)).exit).toBe(1041)
})

test('money, excesses, payouts, bounced messages and those for nobody are kept without a word', async () => {
  const op = (n: number): Cell => head(n, 1n).storeUint(7, 8).endCell()
  for (const body of [undefined, op(OP.excesses), op(OP.payout), op(OP.doNotProcess)]) {
    const held = await world.balance()
    const outcome = await world.internal(STRANGER, TON, body)
    expect([outcome.exit, arrivals(outcome)]).toEqual([0, []])
    expect(await world.balance()).toBeGreaterThan(held)
  }
})

test('data with a tail is refused', async () => {
  const contract = await world.chain.getContract(world.wallet.address)
  const { createShardAccount } = await import('@ton/sandbox')
  const code = world.wallet.init.code
  if (code === null || code === undefined) throw new RangeError('no code')
  const data = beginCell().storeSlice(walletData().beginParse()).storeBit(1).endCell()
  contract.account = createShardAccount({ address: world.wallet.address, code, data, balance: TON })
  expect((await world.external(orderBody({ seqno: 0 }))).refusal).toBe(9)
})

test('seqno, get_public_key and get_owner_address answer', async () => {
  await accepted({ seqno: 0 })
  const get = async (name: string) => (await world.chain.runGetMethod(world.wallet.address, name)).stackReader
  expect((await get('seqno')).readNumber()).toBe(1)
  expect((await get('get_public_key')).readBigNumber()).toBe(
    BigInt(`0x${Buffer.from(WALLET_KEY.publicKey).toString('hex')}`),
  )
  expect((await get('get_owner_address')).readAddress().equals(WALLET_OWNER as Address)).toBe(true)
})
