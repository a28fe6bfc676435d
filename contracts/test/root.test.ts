import { Address, beginCell, type Cell } from '@ton/core'
import type { BlockchainSnapshot } from '@ton/sandbox'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { head, OP, signed } from './support/messages.ts'
import * as r from './support/root.ts'
import {
  account,
  arrivals,
  codeOf,
  keyOf,
  NOW,
  PARAMS,
  paramsCell,
  received,
  ROOT_OWNER,
  STRANGER,
  TON,
} from './support/world.ts'

const { ROOT_OP } = r
const MAX_COINS = 2n ** 64n - 1n
const MONTH = 30 * 86_400

let world: r.RootWorld
let start: BlockchainSnapshot

beforeAll(async () => {
  world = await r.createRootWorld()
  start = world.chain.snapshot()
})

beforeEach(async () => {
  await world.chain.loadFrom(start)
})

async function done(body: Cell, from = ROOT_OWNER): Promise<r.RootConfigCells> {
  const held = await world.balance()
  const outcome = await world.send(body, from)
  expect([outcome.exit, outcome.action]).toEqual([0, 0])
  const [excess] = received(outcome, from, OP.excesses)
  expect(excess?.value).toBeGreaterThan((9n * TON) / 100n)
  expect(excess?.body.beginParse().skip(32).loadUintBig(64)).toBe(9n)
  expect(await world.balance()).toBe(held)
  return world.state()
}

async function refused(body: Cell, exit: number, from = ROOT_OWNER): Promise<void> {
  const [before, held] = [await world.data(), await world.balance()]
  const outcome = await world.send(body, from)
  expect(outcome.exit).toBe(exit)
  expect((await world.data()).equals(before)).toBe(true)
  expect(await world.balance()).toBe(held)
  expect(arrivals(outcome).map((a) => [a.bounced, a.to.equals(from)])).toEqual([[true, true]])
}

const order = (op: number, hash: bigint): Cell => r.hashOrder(op, hash)
const signedKey = (over: Partial<r.SignedKey> = {}): r.SignedKey => ({
  key: 6n,
  expireAt: NOW + 9,
  root: world.root.address,
  version: 87,
  validUntil: NOW + 9,
  ...over,
})

describe('lists', () => {
  test.each([
    ['workerHashes', ROOT_OP.addWorkerHash, ROOT_OP.deleteWorkerHash, [21n, 22n]],
    ['modelHashes', ROOT_OP.addModelHash, ROOT_OP.deleteModelHash, [31n]],
    ['proxyHashes', ROOT_OP.addProxyHash, ROOT_OP.deleteProxyHash, [11n, 12n]],
  ] as const)(
    '%s grow and shrink by one hash, the version grows, nothing else changes',
    async (list, add, remove, had) => {
      const before = await world.state()
      const sorted = (s: r.RootConfigCells): bigint[] => s[list].toSorted((a, b) => (a < b ? -1 : 1))
      const added = await done(order(add, 5n))
      expect(sorted(added)).toEqual([5n, ...had])
      expect(sorted(await done(order(add, 5n)))).toEqual([5n, ...had])
      const removed = await done(order(remove, 5n))
      expect(removed).toEqual({ ...before, version: 90 })
      expect((await done(order(remove, 5n))).version).toBe(91)
    },
  )

  test('of proxies take the next number, change, and forget', async () => {
    const before = await world.state()
    const added = await done(r.registerProxy('10.0.0.1:1000'))
    expect(added).toEqual({
      ...before,
      version: 88,
      lastProxySeqno: 4,
      proxies: { ...before.proxies, 4: '10.0.0.1:1000' },
    })
    const changed = await done(r.updateProxy(4, '10.0.0.2:1 10.0.0.2:2'))
    expect(changed.proxies[4]).toBe('10.0.0.2:1 10.0.0.2:2')
    const gone = await done(r.unregisterProxy(4))
    expect(gone).toEqual({ ...before, version: 90, lastProxySeqno: 4 })
    await refused(r.updateProxy(4, '10.0.0.2:1'), 2000)
    expect((await done(r.unregisterProxy(4))).version).toBe(91)
    expect((await done(r.registerProxy('10.0.0.3:1'))).lastProxySeqno).toBe(5)
  })

  test('are emptied at once, but numbers are not used again', async () => {
    const before = await world.state()
    const after = await done(r.reset())
    expect(after).toEqual({ ...before, version: 88, proxyHashes: [], proxies: {}, workerHashes: [], modelHashes: [] })
  })

  test.each([
    ['of another kind', (b: ReturnType<typeof head>) => b.storeBit(1).storeUint(0, 7), 1004],
    ['cut short', (b: ReturnType<typeof head>) => b.storeBit(0).storeUint(2, 7).storeUint(0, 8), 9],
    ['with bits behind it', (b: ReturnType<typeof head>) => b.storeBit(0).storeUint(1, 7).storeUint(0, 9), 9],
    [
      'with a reference behind it',
      (b: ReturnType<typeof head>) => b.storeBit(0).storeUint(0, 7).storeRef(beginCell().endCell()),
      9,
    ],
  ] as const)('take no network address %s', async (_, tail, exit) => {
    await refused(tail(head(ROOT_OP.registerProxy, 9n)).endCell(), exit)
    await refused(tail(head(ROOT_OP.updateProxy, 9n).storeUint(2, 32)).endCell(), exit)
    await refused(tail(head(ROOT_OP.changeKeyManager, 9n).storeUint(0, 512)).endCell(), exit)
  })
})

describe('prices and delays', () => {
  const expected = (over: Partial<typeof PARAMS>, codes: readonly [Cell, Cell, Cell] = [...r.CODES]): string =>
    paramsCell({ ...PARAMS, ...over }, [...codes])
      .hash()
      .toString('hex')

  test('change with both versions', async () => {
    const after = await done(r.changePrice(30n, 28n))
    expect(after.version).toBe(88)
    expect(after.params).toBe(expected({ pricePerToken: 30n, workerFeePerToken: 28n, paramsVersion: 18 }))
    const all = await done(r.changeParams())
    const params = {
      pricePerToken: 30n,
      workerFeePerToken: 28n,
      proxyDelayBeforeCloseS: 100,
      clientDelayBeforeCloseS: 50,
      minProxyStakeNano: 7n,
      minClientStakeNano: 8n,
      paramsVersion: 19,
    }
    expect(all.params).toBe(expected(params))
    const codes = [7, 8, 9].map((n) => beginCell().storeUint(n, 8).endCell()) as [Cell, Cell, Cell]
    const upgraded = await done(r.upgradeContracts(...codes))
    expect(upgraded.params).toBe(expected({ ...params, paramsVersion: 20 }, codes))
    expect(upgraded.version).toBe(90)
  })

  test('are refused when nobody could work with them', async () => {
    await refused(r.changePrice(30n, 31n), 1101)
    await refused(r.changePrice(0n, 0n), 1101)
    await refused(r.changePrice(MAX_COINS + 1n, 0n), 1101)
    await refused(r.changeParams({ fee: 31n }), 1101)
    await refused(r.changeParams({ price: 0n, fee: 0n }), 1101)
    await refused(r.changeParams({ proxyDelay: MONTH + 1 }), 1101)
    await refused(r.changeParams({ clientDelay: MONTH + 1 }), 1101)
    await refused(r.changeParams({ proxyStake: MAX_COINS + 1n }), 1101)
    await refused(r.changeParams({ clientStake: MAX_COINS + 1n }), 1101)
    await done(r.changePrice(1n, 1n))
    await done(r.changePrice(MAX_COINS, 0n))
    await done(r.changeParams({ proxyDelay: MONTH, clientDelay: MONTH, proxyStake: MAX_COINS, clientStake: MAX_COINS }))
  })
})

describe('code and ownership', () => {
  test('the code changes, the data does not', async () => {
    const before = await world.data()
    const code = beginCell().storeUint(1, 8).endCell()
    const outcome = await world.send(r.upgradeRoot(code))
    expect([outcome.exit, outcome.action]).toEqual([0, 0])
    const { accountState } = await world.chain.getContract(world.root.address)
    expect(accountState?.type === 'active' && accountState.state.code?.equals(code)).toBe(true)
    expect((await world.data()).equals(before)).toBe(true)
  })

  test('data and code change together, to a config that advances', async () => {
    const data = r.rootData({ version: 88, params: { pricePerToken: 50n } })
    await refused(r.upgradeFull(r.rootData({ version: 87 }), codeOf('root')), 1101)
    const nowhere = beginCell()
      .storeAddress(new Address(7, Buffer.alloc(32)))
      .storeUint(100, 32)
      .endCell()
    await refused(r.upgradeFull(nowhere, codeOf('root')), 1100)
    const code = beginCell().storeUint(1, 8).endCell()
    expect((await world.send(r.upgradeFull(data, code))).action).toBe(0)
    expect((await world.data()).equals(data)).toBe(true)
    const { accountState } = await world.chain.getContract(world.root.address)
    expect(accountState?.type === 'active' && accountState.state.code?.equals(code)).toBe(true)
  })

  test('the owner changes, and the old one has no say', async () => {
    const after = await done(r.changeOwner(account(0x99)))
    expect(after.owner).toBe(account(0x99).toRawString())
    await refused(r.reset(), 1010)
    await refused(r.changeOwner(new Address(7, Buffer.alloc(32))), 1100, account(0x99))
  })

  test('no order is anyone’s but the owner’s', async () => {
    const orders = [
      ...[ROOT_OP.addWorkerHash, ROOT_OP.deleteWorkerHash, ROOT_OP.addModelHash, ROOT_OP.deleteModelHash].map((op) =>
        order(op, 5n),
      ),
      ...[ROOT_OP.addProxyHash, ROOT_OP.deleteProxyHash].map((op) => order(op, 5n)),
      r.registerProxy('1.1.1.1:1'),
      r.unregisterProxy(2),
      r.updateProxy(2, '1.1.1.1:1'),
      r.changePrice(30n, 28n),
      r.changeParams(),
      r.upgradeContracts(...r.CODES),
      r.upgradeRoot(codeOf('root')),
      r.reset(),
      r.upgradeFull(r.rootData({ version: 100 }), codeOf('root')),
      r.changeOwner(STRANGER),
      r.changeKeyManager(0n, 0n, ''),
      r.addPublicKey(5n, NOW + 9),
    ]
    for (const body of orders) {
      await refused(body, 1010, STRANGER)
      const more = beginCell().storeSlice(body.beginParse()).storeBit(1).endCell()
      await refused(more, 9)
    }
  })
})

/** All encodings of the eight points whose order divides eight, as the 32 bytes of a key. */
const WEAK = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].flatMap((hex) => [BigInt(`0x${hex}`), BigInt(`0x${hex}`) | 0x80n])

describe('the key manager', () => {
  test('changes its key, image and address; the keys it added stay', async () => {
    await done(r.addPublicKey(5n, NOW + 9))
    const after = await done(r.changeKeyManager(123n, 45n, '1.2.3.4:5'))
    expect(after).toMatchObject({ managerKey: 123n, imageHash: 45n, managerAddress: '1.2.3.4:5', version: 89 })
    expect(after.publicKeys).toEqual({ 5: { keyType: 1, expireAt: NOW + 9 } })
  })

  test('never has a key that anyone can sign under; zero switches it off', async () => {
    expect(WEAK).toHaveLength(14)
    for (const key of WEAK) if (key !== 0n) await refused(r.changeKeyManager(key, 0n, ''), 1102)
    await done(r.changeKeyManager(0n, 0n, ''))
    await refused(r.addPublicKeySigned(signedKey({ version: 88 }), STRANGER), 1103, STRANGER)
  })

  test('with a weak key in older data signs nothing', async () => {
    for (const key of WEAK) {
      const bytes = Buffer.from(key.toString(16).padStart(64, '0'), 'hex')
      const other = await r.createRootWorld({ managerKey: bytes })
      const body = r.addPublicKeySigned(signedKey({ root: other.root.address }), STRANGER)
      expect((await other.send(body, STRANGER)).exit).toBe(key === 0n ? 1103 : 1102)
    }
  })

  test('adds a key that anyone may deliver, once, to this root, in time', async () => {
    const held = await world.balance()
    const outcome = await world.send(r.addPublicKeySigned(signedKey(), account(0x66)), STRANGER)
    expect([outcome.exit, outcome.action]).toEqual([0, 0])
    expect(received(outcome, account(0x66), OP.excesses)).toHaveLength(1)
    expect(await world.balance()).toBe(held)
    expect(await world.state()).toMatchObject({ version: 88, publicKeys: { 6: { keyType: 1, expireAt: NOW + 9 } } })
    await refused(r.addPublicKeySigned(signedKey(), STRANGER), 1105, STRANGER)
    await refused(r.addPublicKeySigned(signedKey({ version: 89 }), STRANGER), 1105, STRANGER)
    await refused(r.addPublicKeySigned(signedKey({ version: 88, root: STRANGER }), STRANGER), 1015, STRANGER)
    await refused(r.addPublicKeySigned(signedKey({ version: 88, validUntil: NOW - 1 }), STRANGER), 1104, STRANGER)
    await refused(r.addPublicKeySigned(signedKey({ version: 88 }), STRANGER, keyOf(9)), 1007, STRANGER)
    await refused(r.addPublicKeySigned(signedKey({ version: 88 }), new Address(7, Buffer.alloc(32))), 1100, STRANGER)
    await refused(r.addPublicKeySigned(signedKey({ version: 88, expireAt: NOW - 1 }), STRANGER), 1000, STRANGER)
    await done(r.addPublicKeySigned(signedKey({ version: 88, validUntil: NOW, expireAt: NOW }), STRANGER), STRANGER)
  })

  test('is not believed with another query id inside or anything behind the fields', async () => {
    const op = ROOT_OP.addPublicKeySigned
    const { MANAGER_KEY } = await import('./support/world.ts')
    await refused(signed(op, 8n, STRANGER, r.signedKeyPayload(signedKey()), MANAGER_KEY), 1005, STRANGER)
    const inner = beginCell().storeSlice(r.signedKeyPayload(signedKey()).beginParse()).storeBit(1).endCell()
    await refused(signed(op, 9n, STRANGER, inner, MANAGER_KEY), 9, STRANGER)
    const outer = r.addPublicKeySigned(signedKey(), STRANGER).beginParse()
    await refused(beginCell().storeSlice(outer).storeBit(1).endCell(), 9, STRANGER)
  })
})

describe('public keys', () => {
  test('must not have expired, and make room for themselves a few at a time', async () => {
    await refused(r.addPublicKey(5n, NOW - 1), 1000)
    await done(r.addPublicKey(5n, NOW))
    const publicKeys = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [(1000 + i).toString(16), { keyType: 1, expireAt: NOW - 1 }]),
    )
    const many = await r.createRootWorld({ publicKeys })
    const one = await r.createRootWorld()
    await many.send(r.addPublicKey(500n, NOW + 9))
    expect(Object.keys((await many.state()).publicKeys)).toHaveLength(40 + 1 - 4)
    const [gasOne, gasMany] = [
      await one.send(r.addPublicKey(600n, NOW + 9)),
      await many.send(r.addPublicKey(501n, NOW + 9)),
    ].map((o) => Number(o.gas[0]))
    expect(gasMany).toBeLessThan((gasOne as number) + 14_000)
    for (let i = 0; i < 9; i++) await many.send(r.addPublicKey(502n + BigInt(i), NOW + 9))
    expect(Object.values((await many.state()).publicKeys).every((k) => k.expireAt >= NOW)).toBe(true)
  })

  test('around the new one are looked at in a circle, and live ones stay', async () => {
    const publicKeys = { 1: { keyType: 1, expireAt: NOW - 1 }, ff: { keyType: 2, expireAt: NOW } }
    const other = await r.createRootWorld({ publicKeys })
    await other.send(r.addPublicKey(0xf0n, NOW + 9))
    expect(Object.keys((await other.state()).publicKeys).toSorted()).toEqual(['f0', 'ff'])
  })
})

describe.each([3, 5] as const)('data of struct version %i', (structVersion) => {
  test('is read, and written as version 4 with new params', async () => {
    const other = await r.createRootWorld({ structVersion })
    const get = async (name: string, ...args: bigint[]) =>
      (
        await other.chain.runGetMethod(
          other.root.address,
          name,
          args.map((value) => ({ type: 'int', value })),
        )
      ).stackReader
    expect((await get('last_proxy_seqno')).readNumber()).toBe(3)
    expect((await get('public_key_is_valid', 5n)).readNumber()).toBe(0)
    const outcome = await other.send(order(ROOT_OP.addModelHash, 5n))
    expect([outcome.exit, outcome.action]).toEqual([0, 0])
    const state = await other.state()
    expect(state.version).toBe(88)
    expect(state.params).toBe(
      paramsCell({ ...PARAMS, paramsVersion: 18 }, [...r.CODES])
        .hash()
        .toString('hex'),
    )
    expect(state.managerKey === 0n).toBe(structVersion === 3)
    expect(state.managerAddress).toBe('')
    expect(Object.keys(state.publicKeys)).toEqual([])
    await other.send(r.addPublicKey(5n, NOW + 9))
    expect((await get('public_key_is_valid', 5n)).readNumber()).toBe(-1)
    expect((await other.state()).params).toBe(state.params)
  })
})

describe('params of a layout this code does not know', () => {
  /** A root with this struct version in its params, in data with or without a key manager. */
  async function rootOf(version: number, structVersion: 3 | 4): Promise<r.RootWorld> {
    const other = await r.createRootWorld({ structVersion })
    const [lists, params, ...more] = r.rootData({ structVersion }).refs
    if (lists === undefined || params === undefined) throw new RangeError('no params')
    const odd = beginCell().storeUint(version, 8).storeSlice(params.beginParse().skip(8)).endCell()
    const data = beginCell().storeBits(r.rootData({ structVersion }).bits)
    for (const ref of [lists, odd, ...more]) data.storeRef(ref)
    await other.setData(data.endCell())
    return other
  }

  test.each([2, 6])('are not rewritten: struct version %i', async (version) => {
    for (const layout of [3, 4] as const)
      for (const body of [r.changePrice(30n, 28n), r.changeParams(), r.upgradeContracts(...r.CODES)])
        expect((await (await rootOf(version, layout)).send(body)).exit).toBe(1008)
    expect((await (await rootOf(version, 3)).send(order(ROOT_OP.addModelHash, 5n))).exit).toBe(1008)
  })

  test('do not lock the owner out: code, or data and code, can still be replaced', async () => {
    for (const layout of [3, 4] as const) {
      const other = await rootOf(7, layout)
      const before = await other.data()
      expect(await other.send(r.upgradeRoot(codeOf('root')))).toMatchObject({ exit: 0, action: 0 })
      expect((await other.data()).equals(before)).toBe(true)
      const data = r.rootData({ version: 88 })
      expect(await other.send(r.upgradeFull(data, codeOf('root')))).toMatchObject({ exit: 0, action: 0 })
      expect((await other.data()).equals(data)).toBe(true)
      expect((await other.send(r.changePrice(30n, 28n))).exit).toBe(0)
    }
  })
})

test('what is not understood is refused; what is for nobody is kept', async () => {
  await refused(head(0x9f1e69dc, 9n).endCell(), 1012)
  for (const body of [beginCell().endCell(), beginCell().storeUint(OP.doNotProcess, 32).endCell()]) {
    const outcome = await world.send(body, STRANGER)
    expect([outcome.exit, arrivals(outcome)]).toEqual([0, []])
  }
})

test('a root without its rent keeps some of what an order brings', async () => {
  const contract = await world.chain.getContract(world.root.address)
  contract.balance = 0n
  expect((await world.send(r.reset())).action).toBe(0)
  expect(await world.balance()).toBe(TON / 100n)
})

test('the get methods answer in the order that tools expect', async () => {
  await done(r.addPublicKey(5n, NOW + 9))
  const get = async (name: string, ...args: bigint[]) =>
    (
      await world.chain.runGetMethod(
        world.root.address,
        name,
        args.map((value) => ({ type: 'int', value })),
      )
    ).stackReader
  const s = await get('get_cocoon_data')
  const numbers = [88n, 3n, 17n, 239n, 0n, 20n, 19n, 15n * TON, 15n * TON]
  expect(numbers.map(() => s.readBigNumber())).toEqual(numbers)
  expect(s.readAddress().equals(ROOT_OWNER)).toBe(true)
  const p = await get('get_cur_params')
  const hashes = r.CODES.map((c) => BigInt(`0x${c.hash().toString('hex')}`))
  const all = [17n, 239n, 0n, 20n, 19n, 1000n, 80_000n, 86_400n, 43_200n, 15n * TON, 15n * TON, ...hashes]
  expect(all.map(() => p.readBigNumber())).toEqual(all)
  expect([s.remaining, p.remaining]).toEqual([0, 0])
  expect((await get('last_proxy_seqno')).readNumber()).toBe(3)
  for (const [name, yes] of [
    ['proxy_hash_is_valid', 11n],
    ['worker_hash_is_valid', 21n],
    ['model_hash_is_valid', 31n],
    ['public_key_is_valid', 5n],
  ] as const) {
    expect((await get(name, yes)).readNumber()).toBe(-1)
    expect((await get(name, 99n)).readNumber()).toBe(0)
  }
  world.chain.now = NOW + 9
  expect((await get('public_key_is_valid', 5n)).readNumber()).toBe(-1)
  world.chain.now = NOW + 10
  expect((await get('public_key_is_valid', 5n)).readNumber()).toBe(0)
})

test('codes that are absent have the hash zero', async () => {
  const data = r.rootData()
  const changed = beginCell().storeBits(data.bits)
  for (const [i, ref] of data.refs.entries()) changed.storeRef(i === 1 ? paramsCell(PARAMS, [null, null, null]) : ref)
  await world.setData(changed.endCell())
  const { stackReader: p } = await world.chain.runGetMethod(world.root.address, 'get_cur_params')
  expect(Array.from({ length: 14 }, () => p.readBigNumber()).slice(11)).toEqual([0n, 0n, 0n])
})
