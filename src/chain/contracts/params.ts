/** The parameters of the root registry, as stored in every contract. Source: spec/wire.md, "Contract addresses". */
import { beginCell } from '@ton/core'
import { digestCell, type CellDigest } from '../cell-hash.ts'

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
  readonly proxy: CellDigest
  readonly worker: CellDigest
  readonly client: CellDigest
}

/**
 * Digest of the reduced params cell that a contract holds: the proxy's names worker and client code, the others none.
 *
 *   struct:u8 params_version:u32 unique_id:u32 is_test:bit price:coins fee:coins
 *   [>=3] prompt:u32 [>=2] cached:u32 [>=3] completion:u32 [>=2] reasoning:u32
 *   proxy_delay:u32 client_delay:u32 [>=1] proxy_stake:coins [>=1] client_stake:coins
 *   proxy_code:maybe^ worker_code:maybe^ client_code:maybe^
 */
export function digestParams(params: RootParams, holder: 'proxy' | 'peer'): CellDigest {
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
  const named = holder === 'proxy' ? [params.codes.worker, params.codes.client] : []
  bits.storeBit(0)
  bits.storeBit(holder === 'proxy').storeBit(holder === 'proxy')
  return digestCell(bits, named)
}
