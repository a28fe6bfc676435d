/**
 * The root contract's data, struct versions 0 to 5. Nothing may be left over, whatever the version.
 *
 *   owner:addr version:u32 ^lists ^params [struct>=4: ^key_manager] [struct>=5: ^verified_keys]
 *   lists:         proxy_hashes:dict256 registered_proxies:dict32 last_proxy_seqno:u32 worker_hashes:dict256 model_hashes:dict256
 *   key_manager:   public_keys:dict256→(key_type:u8 expire_at:u32) public_key:256 image_hash:256 address:net_addr
 *   verified_keys: proxy:dict256 worker:dict256 key_manager:dict256
 */
import {
  type Address,
  beginCell,
  type Builder,
  type Cell,
  Dictionary,
  type DictionaryValue,
  type Slice,
} from '@ton/core'
import { CocoonError, fromHex, isZero, toHex } from '../../util/index.ts'
import { codeCell } from '../cell-hash.ts'
import { expectEnd, netAddress } from '../contracts/layout.ts'
import { loadParams, type RootParams, storeParams, type StoredParams } from '../contracts/params.ts'
import { parseNetworkAddress, parseProxyAddresses } from '../network-address.ts'
import type { KeyManager, RegisteredProxy, RegisteredPublicKey } from '../registry.ts'

export interface RootState {
  readonly owner: Address
  readonly version: number
  readonly proxyHashes: ReadonlySet<string>
  readonly proxies: readonly RegisteredProxy[]
  /** Entries that are no address of a kind we know: left out, as every node does. */
  readonly skippedProxies: number
  readonly lastProxySeqno: number
  readonly workerHashes: ReadonlySet<string>
  readonly modelHashes: ReadonlySet<string>
  readonly params: RootParams
  /** Null below struct version 4. */
  readonly keyManager: KeyManager | null
  readonly publicKeys: readonly RegisteredPublicKey[]
}

/** Throws `chain.struct-version` for a version we do not know, `chain.layout` for data that are not of their version. */
export function parseRootState(data: Cell): RootState {
  const from = data.beginParse()
  const head = loading('root contract', () => ({
    owner: from.loadAddress(),
    version: from.loadUint(32),
    lists: from.loadRef(),
    params: from.loadRef(),
  }))
  // The version stands in the params, and rules the whole.
  const params = requireCodes(loadParams(head.params))
  const v = params.structVersion
  const manager = v >= 4 ? loadKeyManager(nextRef(from, 'key_manager')) : null
  if (v >= 5) checkVerifiedKeys(nextRef(from, 'verified_keys'))
  expectEnd(from, 'root contract')
  return {
    owner: head.owner,
    version: head.version,
    ...loadLists(head.lists),
    params,
    keyManager: manager?.keyManager ?? null,
    publicKeys: manager?.publicKeys ?? [],
  }
}

function loading<T>(what: string, load: () => T): T {
  try {
    return load()
  } catch (cause) {
    if (cause instanceof CocoonError) throw cause
    throw new CocoonError('chain.layout', { what, message: `${what}: a field is missing or malformed` }, { cause })
  }
}

const nextRef = (from: Slice, what: string): Cell => loading(what, () => from.loadRef())

function whole<T>(cell: Cell, what: string, load: (from: Slice) => T): T {
  return loading(what, () => {
    const from = cell.beginParse()
    const value = load(from)
    expectEnd(from, what)
    return value
  })
}

function requireCodes(params: StoredParams): RootParams {
  const { proxy, worker, client } = params.codes
  if (proxy === null || worker === null || client === null)
    throw new CocoonError('chain.layout', {
      what: 'params',
      message: 'the root contract names no code of proxy, worker or client: no contract address follows from it',
    })
  return { ...params, codes: { proxy: codeCell(proxy), worker: codeCell(worker), client: codeCell(client) } }
}

function loadLists(
  cell: Cell,
): Pick<RootState, 'proxyHashes' | 'proxies' | 'skippedProxies' | 'lastProxySeqno' | 'workerHashes' | 'modelHashes'> {
  return whole(cell, 'root lists', (from) => {
    const proxyHashes = loadHashes(from)
    const registered = Dictionary.load(Dictionary.Keys.Uint(32), proxyEntry, from)
    const lastProxySeqno = from.loadUint(32)
    const proxies = [...registered]
      .flatMap(([seqno, addresses]) => (addresses === null ? [] : [{ seqno, ...addresses }]))
      .toSorted((a, b) => a.seqno - b.seqno)
    const skippedProxies = registered.size - proxies.length
    return {
      proxyHashes,
      proxies,
      skippedProxies,
      lastProxySeqno,
      workerHashes: loadHashes(from),
      modelHashes: loadHashes(from),
    }
  })
}

const notWritten = (): never => {
  throw new CocoonError('bug.dictionary-value')
}

/** Hash lists have keys only; what stands behind a key means nothing, here as in every node. */
const ignored: DictionaryValue<true> = { serialize: notWritten, parse: () => true }

const proxyEntry: DictionaryValue<ReturnType<typeof parseProxyAddresses>> = {
  serialize: notWritten,
  parse(from) {
    try {
      return parseProxyAddresses(netAddress.load(from))
    } catch {
      return null
    }
  },
}

const publicKeyEntry: DictionaryValue<Omit<RegisteredPublicKey, 'publicKey'>> = {
  serialize: notWritten,
  parse(from) {
    const value = { keyType: from.loadUint(8), expiresAtS: from.loadUint(32) }
    expectEnd(from, 'registered public key')
    return value
  },
}

const hexKey = (key: Buffer): string => toHex(key)

function loadHashes(from: Slice): ReadonlySet<string> {
  const hashes = Dictionary.load(Dictionary.Keys.Buffer(32), ignored, from)
  return new Set([...hashes.keys()].map(hexKey))
}

function loadKeyManager(cell: Cell): { keyManager: KeyManager; publicKeys: readonly RegisteredPublicKey[] } {
  return whole(cell, 'key manager', (from) => {
    const keys = Dictionary.load(Dictionary.Keys.Buffer(32), publicKeyEntry, from)
    const [publicKey, imageHash] = [from.loadBuffer(32), from.loadBuffer(32)]
    const text = netAddress.load(from)
    const address = text === '' ? null : parseNetworkAddress(text)
    if (text !== '' && address === null) throw new RangeError('not IPv4:port')
    // Zeros are no key: as an Ed25519 point they are of small order, and signatures by them can be made up.
    const named = (bytes: Uint8Array): string | null => (isZero(bytes) ? null : toHex(bytes))
    return {
      keyManager: { address, publicKey: named(publicKey), imageHash: named(imageHash) },
      publicKeys: [...keys].map(([key, value]) => ({ publicKey: hexKey(key), ...value })),
    }
  })
}

/** No node uses them yet; that they are well-formed is part of the whole being what it says. */
function checkVerifiedKeys(cell: Cell): void {
  whole(cell, 'verified keys', (from) => {
    for (let i = 0; i < 3; i++) loadHashes(from)
  })
}

/** What `storeRootState` needs: proxies as text, since that is what is stored. */
export interface RootDraft {
  readonly owner: Address
  readonly version: number
  /** Lower-case hex, as the other hashes. */
  readonly proxyHashes: readonly string[]
  readonly proxies: readonly { readonly seqno: number; readonly address: string }[]
  readonly lastProxySeqno: number
  readonly workerHashes: readonly string[]
  readonly modelHashes: readonly string[]
  readonly params: StoredParams
  readonly keyManager?: {
    readonly publicKeys?: readonly RegisteredPublicKey[]
    /** Lower-case hex; zeros without. */
    readonly publicKey?: string
    readonly imageHash?: string
    readonly address?: string
  }
}

/** Data of a new root contract, in the layout of its params' struct version. */
export function storeRootState(draft: RootDraft): Cell {
  const v = draft.params.structVersion
  const into = beginCell()
    .storeAddress(draft.owner)
    .storeUint(draft.version, 32)
    .storeRef(storeRootLists(draft))
    .storeRef(storeParams(draft.params))
  if (v >= 4) into.storeRef(storeKeyManager(draft.keyManager ?? {}))
  if (v >= 5) into.storeRef(beginCell().storeUint(0, 3).endCell())
  return into.endCell()
}

export function storeRootLists(draft: Omit<RootDraft, 'params'>): Cell {
  const proxies = Dictionary.empty(Dictionary.Keys.Uint(32), netAddressValue)
  for (const { seqno, address } of draft.proxies) proxies.set(seqno, address)
  return storeHashes(beginCell(), draft.proxyHashes)
    .storeDict(proxies)
    .storeUint(draft.lastProxySeqno, 32)
    .storeBuilder(storeHashes(beginCell(), draft.workerHashes))
    .storeBuilder(storeHashes(beginCell(), draft.modelHashes))
    .endCell()
}

export function storeKeyManager(manager: NonNullable<RootDraft['keyManager']>): Cell {
  const keys = Dictionary.empty(Dictionary.Keys.Buffer(32), {
    serialize: (value: Omit<RegisteredPublicKey, 'publicKey'>, into: Builder) =>
      void into.storeUint(value.keyType, 8).storeUint(value.expiresAtS, 32),
    parse: notWritten,
  })
  for (const { publicKey, ...value } of manager.publicKeys ?? []) keys.set(Buffer.from(fromHex(publicKey)), value)
  const hash = (hex: string | undefined): Buffer => Buffer.from(hex === undefined ? new Uint8Array(32) : fromHex(hex))
  const into = beginCell().storeDict(keys).storeBuffer(hash(manager.publicKey)).storeBuffer(hash(manager.imageHash))
  netAddress.store(into, manager.address ?? '')
  return into.endCell()
}

const netAddressValue: DictionaryValue<string> = {
  serialize: (text, into) => netAddress.store(into, text),
  parse: (from) => netAddress.load(from),
}

function storeHashes(into: Builder, hashes: readonly string[]): Builder {
  const none: DictionaryValue<true> = { serialize: () => {}, parse: notWritten }
  const dict = Dictionary.empty(Dictionary.Keys.Buffer(32), none)
  for (const hash of hashes) dict.set(Buffer.from(fromHex(hash)), true)
  return into.storeDict(dict)
}
