/**
 * The root in a game of its own: every order from its owner and from strangers, signed additions right, flawed and replayed,
 * too little money, time, all three layouts. After every message nodes must be able to parse exactly what the model says.
 */
import { Address, beginCell, type Cell } from '@ton/core'
import { expect } from 'vitest'
import { storageFee } from '../support/expectations.ts'
import { head } from '../support/messages.ts'
import * as r from '../support/root.ts'
import {
  account,
  codeOf,
  keyOf,
  MANAGER_KEY,
  NOW,
  type Params,
  PARAMS,
  paramsCell,
  ROOT_OWNER,
  STRANGER,
  TON,
} from '../support/world.ts'
import { must, Refusal } from './game.ts'
import { type Random, randomFrom } from './random.ts'

const { ROOT_OP } = r
const NOWHERE = new Address(7, Buffer.alloc(32, 7))
const MAX_COINS = 2n ** 64n - 1n
const MONTH = 30 * 86_400
const RENT_FLOOR = TON / 100n
const PRUNED_AT_ONCE = 4
const MANAGER = BigInt(`0x${Buffer.from(MANAGER_KEY.publicKey).toString('hex')}`)
/** Of order four. */
const WEAK = 0x80n

interface Model {
  owner: Address
  version: number
  params: Params
  codes: readonly [Cell, Cell, Cell]
  workerHashes: Set<bigint>
  modelHashes: Set<bigint>
  proxyHashes: Set<bigint>
  proxies: Map<number, string>
  lastProxySeqno: number
  publicKeys: Map<bigint, number>
  managerKey: bigint
  /** Layouts 3 and 5 become 4 with the first order that writes. */
  layout: 3 | 4 | 5
}

interface Order {
  readonly body: Cell
  /** The model afterwards, or a Refusal. */
  readonly rule: (m: Model, now: number) => void
  /** Replaces code or data, and counts no version. */
  readonly replaces?: boolean
  /** Signed: from anyone. */
  readonly open?: boolean
}

export async function playRoot(
  seed: number,
  steps: number,
): Promise<{ readonly done: number; readonly refused: number }> {
  const random = randomFrom(seed)
  const layout = random.pick(3, 4, 5)
  const world = await r.createRootWorld({ structVersion: layout })
  const tally = { done: 0, refused: 0 }
  const signedBefore: Order[] = []
  let model = newModel(layout)
  let now = NOW

  for (let step = 0; step < steps; step++) {
    if (random.once(4)) now += random.pick(1, 50, 200)
    world.chain.now = now
    const order = someOrder(random, model, now, world.root.address, signedBefore)
    const from = random.once(6) ? STRANGER : model.owner
    const value = random.once(10) ? TON / 1_000n : TON / 10n
    const next = copyOf(model)
    let refusal = 0
    try {
      must(order.open === true || from.equals(model.owner), 1010)
      order.rule(next, now)
      if (order.replaces !== true) migrate(next)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refusal = error.exit
    }
    const [before, held] = [await world.data(), await world.balance()]
    const outcome = await world.send(order.body, from, value)
    const own = held - storageFee(outcome)
    const where = `seed ${seed}, step ${step}`
    if (value < TON / 10n || refusal !== 0) {
      expect((await world.data()).equals(before), where).toBe(true)
      if (value === TON / 10n) {
        expect(outcome.exit, where).toBe(refusal)
        expect(await world.balance(), where).toBe(own)
      } else {
        expect([outcome.exit, outcome.action], where).not.toEqual([0, 0])
        // Too little even to send it back.
        expect(await world.balance(), where).toBeGreaterThanOrEqual(own)
      }
      tally.refused++
      continue
    }
    expect([outcome.exit, outcome.action], where).toEqual([0, 0])
    expect(await world.balance(), where).toBe(own > RENT_FLOOR ? own : RENT_FLOOR)
    model = next
    if (model.layout === 4) expect(comparable(await world.state()), where).toEqual(expected(model))
    else expect((await world.data()).equals(before), where).toBe(true)
    tally.done++
  }
  return tally
}

function newModel(layout: 3 | 4 | 5, version = 87): Model {
  return {
    owner: ROOT_OWNER,
    version,
    params: { ...PARAMS, structVersion: layout },
    codes: [...r.CODES],
    workerHashes: new Set([21n, 22n]),
    modelHashes: new Set([31n]),
    proxyHashes: new Set([11n, 12n]),
    proxies: new Map([[2, '91.108.4.11:5222 91.108.4.11:8888']]),
    lastProxySeqno: 3,
    publicKeys: new Map(),
    managerKey: layout === 3 ? 0n : MANAGER,
    layout,
  }
}

const copyOf = (m: Model): Model => ({
  ...m,
  workerHashes: new Set(m.workerHashes),
  modelHashes: new Set(m.modelHashes),
  proxyHashes: new Set(m.proxyHashes),
  proxies: new Map(m.proxies),
  publicKeys: new Map(m.publicKeys),
})

function migrate(m: Model): void {
  m.version++
  if (m.layout === 4) return
  m.layout = 4
  m.params = { ...m.params, structVersion: 4, paramsVersion: m.params.paramsVersion + 1 }
}

const sorted = (of: Iterable<bigint>): bigint[] => [...of].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))

const expected = (m: Model) => ({
  owner: m.owner.toRawString(),
  version: m.version,
  proxyHashes: sorted(m.proxyHashes),
  workerHashes: sorted(m.workerHashes),
  modelHashes: sorted(m.modelHashes),
  proxies: Object.fromEntries(m.proxies),
  lastProxySeqno: m.lastProxySeqno,
  params: paramsCell(m.params, m.codes).hash().toString('hex'),
  publicKeys: Object.fromEntries([...m.publicKeys].map(([k, expireAt]) => [k.toString(16), { keyType: 1, expireAt }])),
  managerKey: m.managerKey,
})

function comparable(state: r.RootConfigCells) {
  const { owner, version, proxies, lastProxySeqno, params, publicKeys, managerKey } = state
  const [proxyHashes, workerHashes, modelHashes] = [state.proxyHashes, state.workerHashes, state.modelHashes].map(
    sorted,
  )
  return {
    owner,
    version,
    proxyHashes,
    workerHashes,
    modelHashes,
    proxies,
    lastProxySeqno,
    params,
    publicKeys,
    managerKey,
  }
}

function insertKey(m: Model, key: bigint, expireAt: number, now: number): void {
  must(expireAt >= now, 1000)
  m.publicKeys.set(key, expireAt)
  let at = key
  for (let i = 0; i < PRUNED_AT_ONCE; i++) {
    const next = sorted(m.publicKeys.keys()).find((k) => k > at)
    if (next !== undefined && (m.publicKeys.get(next) ?? 0) < now) m.publicKeys.delete(next)
    at = next ?? 0n
  }
}

function changeParams(m: Model, over: Partial<Params>): void {
  m.params = { ...m.params, ...over, paramsVersion: m.params.paramsVersion + 1 }
}

function mustBePrice(price: bigint, fee: bigint): void {
  must(fee <= price, 1101)
  must(price > 0n, 1101)
  must(price <= MAX_COINS, 1101)
}

function someOrder(random: Random, m: Model, now: number, root: Address, signedBefore: Order[]): Order {
  const hash = BigInt(random.below(6)) + 20n
  const text = `10.0.0.${random.below(9)}:${random.below(9999)}`
  const seqno = random.below(6)
  const [price, fee] = [random.pick(0n, 1n, 20n, 30n, MAX_COINS, MAX_COINS + 1n), random.pick(0n, 1n, 19n, 30n)]
  const change = random.pick(
    ...(['workerHashes', 'modelHashes', 'proxyHashes'] as const).flatMap((list) => [
      [list, true] as const,
      [list, false] as const,
    ]),
  )
  switch (random.below(16)) {
    case 0:
    case 1:
    case 2: {
      const [list, isAdded] = change
      const kind = { workerHashes: 'WorkerHash', modelHashes: 'ModelHash', proxyHashes: 'ProxyHash' }[
        list
      ] as 'WorkerHash'
      const op = isAdded ? ROOT_OP[`add${kind}`] : ROOT_OP[`delete${kind}`]
      return { body: r.hashOrder(op, hash), rule: (next) => void next[list][isAdded ? 'add' : 'delete'](hash) }
    }
    case 3:
      return {
        body: r.registerProxy(text),
        rule: (next) => void next.proxies.set(++next.lastProxySeqno, text),
      }
    case 4:
      return { body: r.unregisterProxy(seqno), rule: (next) => void next.proxies.delete(seqno) }
    case 5:
      return {
        body: r.updateProxy(seqno, text),
        rule: (next) => {
          must(next.proxies.has(seqno), 2000)
          next.proxies.set(seqno, text)
        },
      }
    case 6:
      return {
        body: r.changePrice(price, fee),
        rule: (next) => {
          mustBePrice(price, fee)
          changeParams(next, { pricePerToken: price, workerFeePerToken: fee })
        },
      }
    case 7: {
      const over = {
        price,
        fee,
        proxyDelay: random.pick(0, 100, MONTH, MONTH + 1),
        clientDelay: random.pick(0, 50, MONTH, MONTH + 1),
        proxyStake: random.pick(0n, 7n, MAX_COINS, MAX_COINS + 1n),
        clientStake: random.pick(0n, 8n, MAX_COINS, MAX_COINS + 1n),
      }
      return {
        body: r.changeParams(over),
        rule: (next) => {
          mustBePrice(price, fee)
          for (const delay of [over.proxyDelay, over.clientDelay]) must(delay <= MONTH, 1101)
          for (const stake of [over.proxyStake, over.clientStake]) must(stake <= MAX_COINS, 1101)
          changeParams(next, {
            pricePerToken: price,
            workerFeePerToken: fee,
            proxyDelayBeforeCloseS: over.proxyDelay,
            clientDelayBeforeCloseS: over.clientDelay,
            minProxyStakeNano: over.proxyStake,
            minClientStakeNano: over.clientStake,
          })
        },
      }
    }
    case 8: {
      const codes = [1, 2, 3].map((n) =>
        beginCell()
          .storeUint(n * random.below(99), 16)
          .endCell(),
      ) as [Cell, Cell, Cell]
      return {
        body: r.upgradeContracts(...codes),
        rule: (next) => {
          changeParams(next, {})
          next.codes = codes
        },
      }
    }
    case 9: {
      if (!random.once(4)) return { body: head(0x9f1e69dc, 9n).endCell(), rule: () => must(false, 1012) }
      return {
        body: r.reset(),
        rule: (next) => {
          for (const list of ['workerHashes', 'modelHashes', 'proxyHashes', 'proxies'] as const) next[list].clear()
        },
      }
    }
    case 10: {
      const owner = random.pick(ROOT_OWNER, account(0x99), NOWHERE)
      return {
        body: r.changeOwner(owner),
        rule: (next) => {
          must(owner.workChain === 0, 1100)
          next.owner = owner
        },
      }
    }
    case 11: {
      const key = random.pick(0n, MANAGER, MANAGER, MANAGER, 123n, WEAK)
      return {
        body: r.changeKeyManager(key, 5n, text),
        rule: (next) => {
          must(key !== WEAK, 1102)
          next.managerKey = key
        },
      }
    }
    case 12: {
      const [key, expireAt] = [BigInt(random.below(12)), now + random.pick(-1, 0, 60, 300)]
      return { body: r.addPublicKey(key, expireAt), rule: (next) => insertKey(next, key, expireAt, now) }
    }
    case 13:
      return someReplacement(random, m)
    default: {
      if (signedBefore.length > 0 && random.once(3)) return random.pick(...signedBefore)
      const order = someSignedKey(random, m, now, root)
      signedBefore.push(order)
      return order
    }
  }
}

/** Its rule looks at model and time of the delivery, so that it holds for a replay too. */
function someSignedKey(random: Random, m: Model, at: number, root: Address): Order {
  const flaw = random.below(12)
  const key: r.SignedKey = {
    key: BigInt(random.below(12)),
    expireAt: at + random.pick(0, 60, 300),
    root: flaw === 0 ? STRANGER : root,
    version: flaw === 1 ? m.version + random.pick(-1, 1) : m.version,
    validUntil: at + (flaw === 2 ? -1 : 20),
  }
  const excess = flaw === 3 ? NOWHERE : STRANGER
  const body = r.addPublicKeySigned(key, excess, flaw === 4 ? keyOf(9) : MANAGER_KEY)
  return {
    body,
    open: true,
    rule: (next, now) => {
      must(next.managerKey !== 0n, 1103)
      must(flaw !== 4 && next.managerKey === MANAGER, 1007)
      must(flaw !== 0, 1015)
      must(key.validUntil >= now, 1104)
      must(key.version === next.version, 1105)
      must(flaw !== 3, 1100)
      insertKey(next, key.key, key.expireAt, now)
    },
  }
}

function someReplacement(random: Random, m: Model): Order {
  if (random.once(2)) return { body: r.upgradeRoot(codeOf('root')), rule: () => undefined, replaces: true }
  const version = m.version + random.pick(-1, 0, 1, 5)
  return {
    body: r.upgradeFull(r.rootData({ version }), codeOf('root')),
    replaces: true,
    rule: (next) => {
      must(version > m.version, 1101)
      Object.assign(next, newModel(4, version))
    },
  }
}
