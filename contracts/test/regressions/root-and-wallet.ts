/** Root and wallet: what nobody may do to them. */
import type { Cell } from '@ton/core'
import { expect } from 'vitest'
import { envelope } from '../support/messages.ts'
import * as r from '../support/root.ts'
import { createWalletWorld, orderBody, transfer } from '../support/wallet.ts'
import { NOW, STRANGER, TON } from '../support/world.ts'
import type { Regression } from './regression.ts'

/** R the neutral element, S zero: valid under a key of small order for every payload whose hash is a multiple of that order. */
const FORGED = Uint8Array.from({ length: 64 }, (_, i) => (i === 0 ? 1 : 0))
const ORDER_EIGHT = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'

/** Forty different payloads, each with the forged signature; how many changed the root. */
async function forgeries(world: r.RootWorld): Promise<number> {
  let accepted = 0
  for (let i = 0; i < 40; i++) {
    const { version } = await world.state()
    const payload = r.signedKeyPayload(keyFor(world, { key: BigInt(i) + 1n, version }))
    await world.send(envelope(r.ROOT_OP.addPublicKeySigned, 9n, STRANGER, FORGED, payload), STRANGER)
    if ((await world.state()).version !== version) accepted++
  }
  return accepted
}

const keyFor = (world: r.RootWorld, over: Partial<r.SignedKey> = {}): r.SignedKey => ({
  key: 6n,
  expireAt: NOW + 9,
  root: world.root.address,
  version: 87,
  validUntil: NOW + 9,
  ...over,
})

const deliver = async (world: r.RootWorld, key: r.SignedKey): Promise<readonly string[]> => {
  await world.send(r.addPublicKeySigned(key, STRANGER), STRANGER)
  return Object.keys((await world.state()).publicKeys)
}

const drop = (from: string, to = ''): Regression['edits'] => [{ file: 'root.tolk', from, to }]

export const ROOT_REGRESSIONS: readonly Regression[] = [
  {
    holds: 'the root takes no price at which every payout of a worker would fail',
    edits: drop('assert (fee <= price) throw ERR_PARAMS;'),
    scenario: async (codes) => {
      const world = await r.createRootWorld({}, codes)
      await world.send(r.changePrice(18n, 19n))
      await world.send(r.changeParams({ price: 18n, fee: 19n }))
      expect((await world.state()).version).toBe(87)
    },
  },
  {
    holds: 'a key manager without a key signs nothing',
    edits: [
      ...drop('assert (manager.publicKey != 0) throw ERR_KEY_MANAGER_ABSENT;'),
      ...drop('assert (!isWeakKey(manager.publicKey)) throw ERR_WEAK_KEY;'),
    ],
    scenario: async (codes) => {
      expect(await forgeries(await r.createRootWorld({ managerKey: new Uint8Array(32) }, codes))).toBe(0)
    },
  },
  {
    holds: 'a key under which anyone can sign is not made the key manager’s',
    edits: [
      ...drop('assert ((msg.publicKey == 0) | !isWeakKey(msg.publicKey)) throw ERR_WEAK_KEY;'),
      ...drop('assert (!isWeakKey(manager.publicKey)) throw ERR_WEAK_KEY;'),
    ],
    scenario: async (codes) => {
      const world = await r.createRootWorld({}, codes)
      await world.send(r.changeKeyManager(BigInt(`0x${ORDER_EIGHT}`), 0n, ''))
      expect(await forgeries(world)).toBe(0)
    },
  },
  {
    holds: 'a key in older data under which anyone can sign signs nothing',
    edits: drop('assert (!isWeakKey(manager.publicKey)) throw ERR_WEAK_KEY;'),
    scenario: async (codes) => {
      const managerKey = new Uint8Array(Buffer.from(ORDER_EIGHT, 'hex'))
      expect(await forgeries(await r.createRootWorld({ managerKey }, codes))).toBe(0)
    },
  },
  {
    holds: 'a signed addition works once, even after its key was cleared away',
    edits: drop('assert (signed.version == st.version) throw ERR_SIGNED_SEQUENCE;'),
    scenario: async (codes) => {
      const world = await r.createRootWorld({}, codes)
      const key = keyFor(world, { expireAt: NOW, validUntil: NOW })
      expect(await deliver(world, key)).toEqual(['6'])
      const { version } = await world.state()
      await deliver(world, key)
      expect((await world.state()).version).toBe(version)
    },
  },
  {
    holds: 'a signed addition is for one root only',
    edits: drop('assert (signed.root == contract.getAddress()) throw ERR_FOREIGN_CONTRACT;'),
    scenario: async (codes) => {
      const other = await r.createRootWorld({ params: { isTest: true } }, codes)
      const world = await r.createRootWorld({}, codes)
      expect(other.root.address.equals(world.root.address)).toBe(false)
      expect(await deliver(world, keyFor(other))).toEqual([])
    },
  },
  {
    holds: 'a signed addition comes in time or not at all',
    edits: drop('assert (signed.validUntil >= blockchain.now()) throw ERR_SIGNED_EXPIRED;'),
    scenario: async (codes) => {
      const world = await r.createRootWorld({}, codes)
      expect(await deliver(world, keyFor(world, { validUntil: NOW - 1 }))).toEqual([])
    },
  },
  {
    holds: 'the price of adding a key does not grow with the keys that have expired',
    edits: drop('const PRUNE_STEPS = 4', 'const PRUNE_STEPS = 400'),
    scenario: async (codes) => {
      const publicKeys = Object.fromEntries(
        Array.from({ length: 60 }, (_, i) => [(1000 + i).toString(16), { keyType: 1, expireAt: NOW - 1 }]),
      )
      const outcome = await (await r.createRootWorld({ publicKeys }, codes)).send(r.addPublicKey(500n, NOW + 9))
      expect(outcome.exit).toBe(0)
      expect(Number(outcome.gas[0])).toBeLessThan(30_000)
    },
  },
  {
    holds: 'params of a layout that the root’s code does not know are not rewritten',
    edits: [
      {
        file: 'root.tolk',
        from: `assertStructVersion(params.structVersion);
            params.paramsVersion += 1;
            params.pricePerToken = msg.price;
            params.workerFeePerToken = msg.fee;
            st.params`,
        to: `params.paramsVersion += 1;
            params.pricePerToken = msg.price;
            params.workerFeePerToken = msg.fee;
            st.params`,
      },
    ],
    scenario: async (codes) => {
      const world = await r.createRootWorld({}, codes)
      const { beginCell } = await import('@ton/core')
      const [lists, params, manager] = r.rootData().refs as [Cell, Cell, Cell]
      const odd = beginCell().storeUint(6, 8).storeSlice(params.beginParse().skip(8)).endCell()
      const data = beginCell().storeBits(r.rootData().bits).storeRef(lists).storeRef(odd).storeRef(manager).endCell()
      await world.setData(data)
      await world.send(r.changePrice(30n, 28n))
      expect((await world.data()).equals(data)).toBe(true)
    },
  },
]

export const WALLET_REGRESSIONS: readonly Regression[] = [
  {
    holds: 'an order whose transfer cannot be paid costs the wallet once, however often it is delivered',
    edits: [
      { file: 'wallet.tolk', from: '    commitContractDataAndActions();\n', to: '' },
      { file: 'wallet.tolk', from: 'mode | SEND_MODE_IGNORE_ERRORS', to: 'mode' },
    ],
    scenario: async (codes) => {
      const world = await createWalletWorld(10n * TON, codes)
      const body = orderBody({ seqno: 0, messages: [[0, transfer(STRANGER, 50n * TON)]] })
      await world.external(body)
      const held = await world.balance()
      await world.external(body)
      expect(await world.balance()).toBe(held)
    },
  },
  {
    holds: 'the hot key can neither delete the wallet nor empty it to the last nanoTON',
    edits: [
      {
        file: 'wallet.tolk',
        from: 'assert ((body.preloadUint(body.remainingRefsCount() * 8) & ~0x03030303) == 0) throw ERR_WALLET_MODE;',
        to: '',
      },
    ],
    scenario: async (codes) => {
      const world = await createWalletWorld(10n * TON, codes)
      await world.external(orderBody({ seqno: 0, messages: [[160, transfer(STRANGER, 0n)]] }))
      expect(await world.balance()).toBeGreaterThan(9n * TON)
      expect((await world.state()).status).toBe(0)
    },
  },
]
