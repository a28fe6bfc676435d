/** The parameters of the root registry, as stored in every contract. Source: spec/wire.md, "Contract addresses". */
import { beginCell, type Builder, type Cell } from '@ton/core'
import { CocoonError, fromHex, NANO_PER_TON, toHex } from '../../util/index.ts'
import { type CellDigest, codeCell, type CodeCell, digestCell, parseBoc } from '../cell-hash.ts'
import { expectEnd } from './layout.ts'

/** Price multipliers by token class, per ten-thousand. */
export interface Multipliers {
  readonly prompt: number
  readonly cached: number
  readonly completion: number
  readonly reasoning: number
}

export interface RootParams {
  readonly structVersion: number
  /** Grows when prices or code change; every growth means new contract addresses. */
  readonly paramsVersion: number
  readonly uniqueId: number
  readonly isTest: boolean
  /** nanoTON a client pays for one adjusted token. */
  readonly pricePerToken: bigint
  /** nanoTON a worker earns for one adjusted token. */
  readonly workerFeePerToken: bigint
  readonly multipliers: Multipliers
  readonly proxyDelayBeforeCloseS: number
  readonly clientDelayBeforeCloseS: number
  readonly minProxyStakeNano: bigint
  readonly minClientStakeNano: bigint
  readonly codes: ContractCodes
}

export interface ContractCodes {
  readonly proxy: CodeCell
  readonly worker: CodeCell
  readonly client: CodeCell
}

/** The newest layout we know. */
export const MAX_STRUCT_VERSION = 5
/** What fields are worth in layouts that have none. */
const DEFAULT_MULTIPLIER = 10_000
const DEFAULT_STAKE_NANO = NANO_PER_TON

/** A params cell as some contract holds it: with all, some or none of the codes. */
export interface StoredParams extends Omit<RootParams, 'codes'> {
  readonly codes: { readonly proxy: Cell | null; readonly worker: Cell | null; readonly client: Cell | null }
}

/**
 *   struct:u8 params_version:u32 unique_id:u32 is_test:bit price:coins fee:coins
 *   [>=3] prompt:u32 [>=2] cached:u32 [>=3] completion:u32 [>=2] reasoning:u32
 *   proxy_delay:u32 client_delay:u32 [>=1] proxy_stake:coins [>=1] client_stake:coins
 *   proxy_code:maybe^ worker_code:maybe^ client_code:maybe^
 */
export function storeParams(params: StoredParams): Cell {
  const { proxy, worker, client } = params.codes
  return storeNumbers(params).storeMaybeRef(proxy).storeMaybeRef(worker).storeMaybeRef(client).endCell()
}

/** Throws `chain.struct-version` for a layout newer than ours, `chain.layout` for a cell that is not of its layout. */
export function loadParams(cell: Cell): StoredParams {
  const from = cell.beginParse()
  const v = from.remainingBits < 8 ? 0 : from.preloadUint(8)
  if (v > MAX_STRUCT_VERSION)
    throw new CocoonError('chain.struct-version', {
      found: v,
      newest: MAX_STRUCT_VERSION,
      message: `the network uses struct version ${v}; this release knows versions up to ${MAX_STRUCT_VERSION}: update it`,
    })
  try {
    const uint32 = (since: number): number => (v >= since ? from.loadUint(32) : DEFAULT_MULTIPLIER)
    const stake = (): bigint => (v >= 1 ? from.loadCoins() : DEFAULT_STAKE_NANO)
    // Properties are evaluated in the order in which they stand: the order of the cell.
    const params: StoredParams = {
      structVersion: from.loadUint(8),
      paramsVersion: from.loadUint(32),
      uniqueId: from.loadUint(32),
      isTest: from.loadBit(),
      pricePerToken: from.loadCoins(),
      workerFeePerToken: from.loadCoins(),
      multipliers: { prompt: uint32(3), cached: uint32(2), completion: uint32(3), reasoning: uint32(2) },
      proxyDelayBeforeCloseS: from.loadUint(32),
      clientDelayBeforeCloseS: from.loadUint(32),
      minProxyStakeNano: stake(),
      minClientStakeNano: stake(),
      codes: { proxy: from.loadMaybeRef(), worker: from.loadMaybeRef(), client: from.loadMaybeRef() },
    }
    expectEnd(from, 'params')
    return params
  } catch (cause) {
    if (cause instanceof CocoonError) throw cause
    throw new CocoonError('chain.layout', { what: 'params', message: 'params: a field is missing' }, { cause })
  }
}

/** With all three codes, as a root contract holds them, in hex: for files. Throws `chain.code-unknown`. */
export function encodeParams(params: RootParams): string {
  const { proxy, worker, client } = params.codes
  const codes = { proxy: codeOf(proxy, 'proxy'), worker: codeOf(worker, 'worker'), client: codeOf(client, 'client') }
  return toHex(storeParams({ ...params, codes }).toBoc())
}

/** What `encodeParams` wrote. Throws `chain.cell`, `chain.layout`. */
export function decodeParams(text: string): RootParams {
  const params = loadParams(parseBoc(fromHex(text), 'kept parameters'))
  const { proxy, worker, client } = params.codes
  if (proxy === null || worker === null || client === null)
    throw new CocoonError('chain.layout', { what: 'params', message: 'kept parameters: a code is missing' })
  return { ...params, codes: { proxy: codeCell(proxy), worker: codeCell(worker), client: codeCell(client) } }
}

/** The params cell that a contract holds: the proxy's names worker and client code, the others none. */
export function reducedParams(params: RootParams, holder: 'proxy' | 'peer'): Cell {
  const named = (code: CodeCell, name: string): Cell | null => (holder === 'proxy' ? codeOf(code, name) : null)
  const { worker, client } = params.codes
  return storeParams({
    ...params,
    codes: { proxy: null, worker: named(worker, 'worker'), client: named(client, 'client') },
  })
}

/** Throws `chain.code-unknown` where only the hash is known. */
export function codeOf(code: CodeCell, name: string): Cell {
  if (code.cell === undefined)
    throw new CocoonError('chain.code-unknown', {
      contract: name,
      message: `the code of the ${name} contract is known by its hash only; deploying needs the registry that holds it`,
    })
  return code.cell
}

/** Digest of `reducedParams`; needs the digests of the codes only. */
export function digestParams(params: RootParams, holder: 'root' | 'proxy' | 'peer'): CellDigest {
  const { proxy, worker, client } = params.codes
  const bits = storeNumbers(params)
    .storeBit(holder === 'root')
    .storeBit(holder !== 'peer')
    .storeBit(holder !== 'peer')
  return digestCell(bits, holder === 'peer' ? [] : holder === 'proxy' ? [worker, client] : [proxy, worker, client])
}

function storeNumbers(params: Omit<RootParams, 'codes'>): Builder {
  const v = params.structVersion
  const bits = beginCell()
    .storeUint(v, 8)
    .storeUint(params.paramsVersion, 32)
    .storeUint(params.uniqueId, 32)
    .storeBit(params.isTest)
    .storeCoins(params.pricePerToken)
    .storeCoins(params.workerFeePerToken)
  if (v >= 3) bits.storeUint(params.multipliers.prompt, 32)
  if (v >= 2) bits.storeUint(params.multipliers.cached, 32)
  if (v >= 3) bits.storeUint(params.multipliers.completion, 32)
  if (v >= 2) bits.storeUint(params.multipliers.reasoning, 32)
  bits.storeUint(params.proxyDelayBeforeCloseS, 32).storeUint(params.clientDelayBeforeCloseS, 32)
  if (v >= 1) bits.storeCoins(params.minProxyStakeNano).storeCoins(params.minClientStakeNano)
  return bits
}
