/** Where a node's contract lives: computed from who is involved, never believed. Source: spec/wire.md. */
import { Address, beginCell, type Builder } from '@ton/core'
import { digestCell, type CellDigest } from '../cell-hash.ts'
import { CocoonError } from '../../util/index.ts'
import { parseAddress } from '../address.ts'
import type { RootConfig } from '../registry.ts'
import { digestParams, type RootParams } from './params.ts'

/** owner:addr key:256 root:addr state:u2 balance:coins stake:coins unlock_ts:u32 ^params */
export function proxyContractAddress(
  params: RootParams,
  who: { readonly owner: Address; readonly publicKey: Uint8Array; readonly root: Address },
): Address {
  const data = beginCell().storeAddress(who.owner).storeBuffer(Buffer.from(who.publicKey)).storeAddress(who.root)
  data.storeUint(0, 2).storeCoins(0).storeCoins(0).storeUint(0, 32)
  return contractAddressOf(params.codes.proxy, digestCell(data, [digestParams(params, 'proxy')]))
}

/** state:u2 balance:coins stake:coins tokens_used:u64 unlock_ts:u32 secret_hash:256 ^{owner proxy key} ^params */
export function clientContractAddress(params: RootParams, who: PeerParties): Address {
  const data = beginCell().storeUint(0, 2).storeCoins(0).storeCoins(params.minClientStakeNano)
  data.storeUint(0, 64).storeUint(0, 32).storeUint(0, 256)
  const parties = digestCell(storeParties(beginCell(), who), [])
  return contractAddressOf(params.codes.client, digestCell(data, [parties, digestParams(params, 'peer')]))
}

/** owner:addr proxy:addr key:256 state:u2 tokens:u64 ^params */
export function workerContractAddress(params: RootParams, who: PeerParties): Address {
  const data = storeParties(beginCell(), who).storeUint(0, 2).storeUint(0, 64)
  return contractAddressOf(params.codes.worker, digestCell(data, [digestParams(params, 'peer')]))
}

export interface PeerParties {
  readonly owner: Address
  /** The proxy contract's address. */
  readonly proxy: Address
  /** 32 bytes: the key the proxy signs payments with. */
  readonly proxyPublicKey: Uint8Array
}

function storeParties(into: Builder, who: PeerParties): Builder {
  return into.storeAddress(who.owner).storeAddress(who.proxy).storeBuffer(Buffer.from(who.proxyPublicKey))
}

/** StateInit bits `00110`: no split depth, not special, code, data, no library. Workchain 0. */
export function contractAddressOf(code: CellDigest, data: CellDigest): Address {
  const { hash } = digestCell(beginCell().storeUint(0b00110, 5), [code, data])
  return new Address(0, Buffer.from(hash))
}

/**
 * The contract of a proxy that introduces itself: recomputed from its key and owner, and compared. Throws
 * `chain.contract-address` when it states another one. In a network that names no root contract nothing can be compared.
 */
export function verifyProxyContract(
  config: RootConfig,
  stated: { readonly proxyPublicKey: Uint8Array; readonly proxyOwnerAddress: string; readonly proxyScAddress: string },
): Address {
  const contract = parseAddress(stated.proxyScAddress, 'proxy_sc_address')
  if (config.root === null) return contract
  const owner = parseAddress(stated.proxyOwnerAddress, 'proxy_owner_address')
  const computed = proxyContractAddress(config.params, { owner, publicKey: stated.proxyPublicKey, root: config.root })
  return expectAddress(computed, stated.proxyScAddress, 'proxy_sc_address')
}

/** `computed`, if `stated` is the same account; else `chain.contract-address` naming the field. */
export function expectAddress(computed: Address, stated: string, field: string): Address {
  if (!parseAddress(stated, field).equals(computed))
    throw new CocoonError('chain.contract-address', {
      field,
      message: `the peer states another ${field} than its key and our registry give; do both nodes use the same registry?`,
    })
  return computed
}
