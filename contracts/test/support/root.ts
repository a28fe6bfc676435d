/** The root contract in tests: its data in three layouts, its messages. */
import { type Address, beginCell, type Builder, type Cell, Dictionary } from '@ton/core'
import { Blockchain, createShardAccount } from '@ton/sandbox'
import type { SigningKey } from '../../../src/chain/index.ts'
import { head, signed } from './messages.ts'
import {
  codeOf,
  type Codes,
  deployment,
  type Deployment,
  messageTo,
  MANAGER_KEY,
  NOW,
  type Outcome,
  outcomeOf,
  PARAMS,
  type Params,
  paramsCell,
  ROOT_OWNER,
  STRANGER,
  TON,
} from './world.ts'

export const ROOT_OP = {
  addWorkerHash: 0xe34b1c60,
  deleteWorkerHash: 0x8d94a79a,
  addModelHash: 0xc146134d,
  deleteModelHash: 0x92b11c18,
  addProxyHash: 0x71860e80,
  deleteProxyHash: 0x3c41d0b2,
  registerProxy: 0x927c7cb5,
  unregisterProxy: 0x6d49eaf2,
  updateProxy: 0x9c7924ba,
  changePrice: 0xc52ed8d4,
  changeParams: 0x022fa189,
  upgradeContracts: 0xa2370f61,
  upgradeRoot: 0x11aefd51,
  reset: 0x563c1d96,
  upgradeFull: 0x4f7c5789,
  changeOwner: 0xc4a1ae54,
  changeKeyManager: 0xb01c0fe9,
  addPublicKey: 0x6e5a646a,
  addPublicKeySigned: 0x9e0e1821,
} as const

export const storeNetAddress = (into: Builder, text: string): Builder =>
  into.storeBit(0).storeUint(text.length, 7).storeBuffer(Buffer.from(text))

const NOTHING = { serialize: () => undefined, parse: () => null }
const KEY_STATE = {
  serialize: (v: KeyState, into: Builder) => void into.storeUint(v.keyType, 8).storeUint(v.expireAt, 32),
  parse: (s: { loadUint(n: number): number }): KeyState => ({ keyType: s.loadUint(8), expireAt: s.loadUint(32) }),
}

export interface KeyState {
  readonly keyType: number
  readonly expireAt: number
}

/** A root config as nodes parse it: nothing may be left over anywhere. */
export interface RootConfigCells {
  /** Raw form. */
  readonly owner: string
  readonly version: number
  readonly proxyHashes: bigint[]
  readonly proxies: Record<number, string>
  readonly lastProxySeqno: number
  readonly workerHashes: bigint[]
  readonly modelHashes: bigint[]
  /** Hash of the cell, hexadecimal. */
  readonly params: string
  readonly publicKeys: Record<string, KeyState>
  readonly managerKey: bigint
  readonly imageHash: bigint
  readonly managerAddress: string
}

/** Reads struct 4 strictly, as nodes do. */
export function loadRoot(data: Cell): RootConfigCells {
  const s = data.beginParse()
  const [owner, version] = [s.loadAddress(), s.loadUint(32)]
  const [lists, params, manager] = [s.loadRef().beginParse(), s.loadRef(), s.loadRef().beginParse()]
  s.endParse()
  const hashes = () => [...lists.loadDict(Dictionary.Keys.BigUint(256), NOTHING).keys()]
  const proxyHashes = hashes()
  const addresses = lists.loadDict(Dictionary.Keys.Uint(32), {
    serialize: () => undefined,
    parse: (v) => {
      const text = loadNetAddress(v)
      v.endParse()
      return text
    },
  })
  const [lastProxySeqno, workerHashes, modelHashes] = [lists.loadUint(32), hashes(), hashes()]
  lists.endParse()
  const keys = manager.loadDict(Dictionary.Keys.BigUint(256), KEY_STATE)
  const [managerKey, imageHash, managerAddress] = [
    manager.loadUintBig(256),
    manager.loadUintBig(256),
    loadNetAddress(manager),
  ]
  manager.endParse()
  return {
    owner: owner.toRawString(),
    version,
    proxyHashes,
    proxies: Object.fromEntries(addresses),
    lastProxySeqno,
    workerHashes,
    modelHashes,
    params: params.hash().toString('hex'),
    publicKeys: Object.fromEntries([...keys].map(([k, v]) => [k.toString(16), v])),
    managerKey,
    imageHash,
    managerAddress,
  }
}

function loadNetAddress(s: ReturnType<Cell['beginParse']>): string {
  if (s.loadBit()) throw new RangeError('a network address of another kind')
  return s.loadBuffer(s.loadUint(7)).toString()
}

export interface RootOptions {
  readonly structVersion: 3 | 4 | 5
  readonly params: Partial<Params>
  readonly managerKey: Uint8Array
  readonly version: number
  readonly publicKeys: Readonly<Record<string, KeyState>>
  /** Without hashes, as a new root. */
  readonly bare: boolean
}

const CODE = (n: number): Cell => beginCell().storeUint(n, 32).endCell()
export const CODES = [CODE(1), CODE(2), CODE(3)] as const

export function rootData(over: Partial<RootOptions> = {}): Cell {
  const {
    structVersion = 4,
    managerKey = MANAGER_KEY.publicKey,
    version = 87,
    params = {},
    publicKeys = {},
    bare = false,
  } = over
  const addresses = beginCell().storeDict(
    Dictionary.empty(Dictionary.Keys.Uint(32), {
      serialize: (v: string, into) => void storeNetAddress(into, v),
      parse: () => '',
    }).set(2, '91.108.4.11:5222 91.108.4.11:8888'),
  )
  const hashes = (...of: bigint[]) => {
    const dict = Dictionary.empty(Dictionary.Keys.BigUint(256), NOTHING)
    for (const hash of bare ? [] : of) dict.set(hash, null)
    return beginCell().storeDict(dict)
  }
  const lists = beginCell().storeBuilder(hashes(11n, 12n)).storeBuilder(addresses).storeUint(3, 32)
  lists.storeBuilder(hashes(21n, 22n)).storeBuilder(hashes(31n))
  const keys = Dictionary.empty(Dictionary.Keys.BigUint(256), KEY_STATE)
  for (const [key, state] of Object.entries(publicKeys)) keys.set(BigInt(`0x${key}`), state)
  const manager = beginCell().storeDict(keys).storeBuffer(Buffer.from(managerKey)).storeUint(0, 256)
  const data = beginCell().storeAddress(ROOT_OWNER).storeUint(version, 32).storeRef(lists.endCell())
  data.storeRef(paramsCell({ ...PARAMS, ...params, structVersion }, [...CODES]))
  if (structVersion >= 4) data.storeRef(storeNetAddress(manager, '').endCell())
  if (structVersion >= 5) data.storeRef(beginCell().storeUint(0, 3).endCell())
  return data.endCell()
}

export interface RootWorld {
  readonly chain: Blockchain
  readonly root: Deployment
  send(body: Cell, from?: Address, value?: bigint): Promise<Outcome>
  state(): Promise<RootConfigCells>
  data(): Promise<Cell>
  /** Replaces what the contract stores. */
  setData(data: Cell): Promise<void>
  balance(): Promise<bigint>
}

export async function createRootWorld(over: Partial<RootOptions> = {}, codeFor: Codes = codeOf): Promise<RootWorld> {
  const chain = await Blockchain.create()
  chain.now = NOW
  const code = codeFor('root')
  const root = deployment(code, rootData(over))
  await chain.sendMessage(messageTo(root.address, { from: ROOT_OWNER, value: TON, init: root.init, bounce: false }))
  const data = async (): Promise<Cell> => {
    const { accountState } = await chain.getContract(root.address)
    if (accountState?.type !== 'active' || !accountState.state.data) throw new RangeError('the root is not active')
    return accountState.state.data
  }
  return {
    chain,
    root,
    data,
    setData: async (changed) => {
      const contract = await chain.getContract(root.address)
      const { address } = root
      contract.account = createShardAccount({ address, code, data: changed, balance: contract.balance })
    },
    send: async (body, from = ROOT_OWNER, value = TON / 10n) =>
      outcomeOf(await chain.sendMessage(messageTo(root.address, { from, value, body }))),
    state: async () => loadRoot(await data()),
    balance: async () => (await chain.getContract(root.address)).balance,
  }
}

export const hashOrder = (op: number, hash: bigint): Cell => head(op, 9n).storeUint(hash, 256).endCell()
export const registerProxy = (text: string): Cell => storeNetAddress(head(ROOT_OP.registerProxy, 9n), text).endCell()
export const unregisterProxy = (seqno: number): Cell => head(ROOT_OP.unregisterProxy, 9n).storeUint(seqno, 32).endCell()
export const updateProxy = (seqno: number, text: string): Cell =>
  storeNetAddress(head(ROOT_OP.updateProxy, 9n).storeUint(seqno, 32), text).endCell()
export const changePrice = (price: bigint, fee: bigint): Cell =>
  head(ROOT_OP.changePrice, 9n).storeCoins(price).storeCoins(fee).endCell()

export interface NewParams {
  readonly price: bigint
  readonly fee: bigint
  readonly proxyDelay: number
  readonly clientDelay: number
  readonly proxyStake: bigint
  readonly clientStake: bigint
}

export const NEW_PARAMS: NewParams = {
  price: 30n,
  fee: 28n,
  proxyDelay: 100,
  clientDelay: 50,
  proxyStake: 7n,
  clientStake: 8n,
}

export const changeParams = (over: Partial<NewParams> = {}): Cell => {
  const p = { ...NEW_PARAMS, ...over }
  const body = head(ROOT_OP.changeParams, 9n).storeCoins(p.price).storeCoins(p.fee).storeUint(p.proxyDelay, 32)
  return body.storeUint(p.clientDelay, 32).storeCoins(p.proxyStake).storeCoins(p.clientStake).endCell()
}

export const upgradeContracts = (proxy: Cell, worker: Cell, client: Cell): Cell =>
  head(ROOT_OP.upgradeContracts, 9n).storeRef(proxy).storeRef(worker).storeRef(client).endCell()
export const upgradeRoot = (code: Cell): Cell => head(ROOT_OP.upgradeRoot, 9n).storeRef(code).endCell()
export const upgradeFull = (data: Cell, code: Cell): Cell =>
  head(ROOT_OP.upgradeFull, 9n).storeRef(data).storeRef(code).endCell()
export const reset = (): Cell => head(ROOT_OP.reset, 9n).endCell()
export const changeOwner = (owner: Address): Cell => head(ROOT_OP.changeOwner, 9n).storeAddress(owner).endCell()
export const changeKeyManager = (key: bigint, imageHash: bigint, text: string): Cell =>
  storeNetAddress(head(ROOT_OP.changeKeyManager, 9n).storeUint(key, 256).storeUint(imageHash, 256), text).endCell()
export const addPublicKey = (key: bigint, expireAt: number): Cell =>
  head(ROOT_OP.addPublicKey, 9n).storeUint(key, 256).storeUint(1, 8).storeUint(expireAt, 32).endCell()

export interface SignedKey {
  readonly key: bigint
  readonly expireAt: number
  readonly root: Address
  readonly version: number
  readonly validUntil: number
}

export const signedKeyPayload = (k: SignedKey, queryId = 9n): Cell =>
  head(ROOT_OP.addPublicKeySigned, queryId)
    .storeUint(k.key, 256)
    .storeUint(1, 8)
    .storeUint(k.expireAt, 32)
    .storeAddress(k.root)
    .storeUint(k.version, 32)
    .storeUint(k.validUntil, 32)
    .endCell()

export const addPublicKeySigned = (k: SignedKey, excess: Address, key: SigningKey = MANAGER_KEY): Cell =>
  signed(ROOT_OP.addPublicKeySigned, 9n, excess, signedKeyPayload(k), key)

export async function gasRun(note: (name: string, outcome: Outcome) => void): Promise<void> {
  const w = await createRootWorld({ bare: true })
  const go = async (name: string, body: Cell, from?: Address): Promise<void> =>
    note(`root ${name}`, await w.send(body, from))
  await go('add worker hash', hashOrder(ROOT_OP.addWorkerHash, 5n))
  await go('add model hash', hashOrder(ROOT_OP.addModelHash, 5n))
  await go('add proxy hash', hashOrder(ROOT_OP.addProxyHash, 5n))
  await go('register proxy', registerProxy('10.0.0.1:1000 10.0.0.1:2000'))
  await go('update proxy', updateProxy(4, '10.0.0.2:1000 10.0.0.2:2000'))
  await go('unregister proxy', unregisterProxy(4))
  await go('change price', changePrice(30n, 28n))
  await go('change params', changeParams())
  await go('upgrade contracts', upgradeContracts(CODES[0], CODES[1], CODES[2]))
  await go('add public key', addPublicKey(5n, NOW + 100))
  const { version } = await w.state()
  await go(
    'add public key signed',
    addPublicKeySigned({ key: 6n, expireAt: NOW + 9, root: w.root.address, version, validUntil: NOW + 9 }, STRANGER),
    STRANGER,
  )
  await go('change key manager', changeKeyManager(0n, 5n, ''))
  await go('change owner', changeOwner(ROOT_OWNER))
  await go('reset', reset())
  await go('upgrade full', upgradeFull(rootData({ version: 1000 }), codeOf('root')))
  await go('upgrade code', upgradeRoot(codeOf('root')))
}
