/** What a shard account says: balance, state, code and data. Layout: `ShardAccount` of block.tlb. */
import { Cell, loadShardAccount } from '@ton/core'

export type AccountStatus = 'nonexist' | 'uninit' | 'active' | 'frozen'

export interface AccountFacts {
  readonly status: AccountStatus
  readonly balance: bigint
  /** Currency id to amount. */
  readonly extra: readonly (readonly [number, bigint])[]
  readonly code: Cell | null
  readonly data: Cell | null
  /** Hex; null unless frozen. */
  readonly frozenHash: string | null
  readonly lastLt: bigint
  /** Hex. */
  readonly lastHash: string
  /** Hash of the account's cell, hex. */
  readonly stateHash: string
}

const ZERO_HASH = '0'.repeat(64)

const NOTHING: AccountFacts = {
  status: 'nonexist',
  balance: 0n,
  extra: [],
  code: null,
  data: null,
  frozenHash: null,
  lastLt: 0n,
  lastHash: ZERO_HASH,
  stateHash: ZERO_HASH,
}

const hash256 = (value: bigint): string => value.toString(16).padStart(64, '0')

/** From the bag of cells (Base64) that the emulator gave; `undefined` is an account that never was. */
export function readAccount(boc: string | undefined): AccountFacts {
  if (boc === undefined) return NOTHING
  const cell = Cell.fromBase64(boc)
  const { account, lastTransactionLt, lastTransactionHash } = loadShardAccount(cell.beginParse())
  const last = {
    lastLt: lastTransactionLt,
    lastHash: hash256(lastTransactionHash),
    stateHash: cell.refs[0]?.hash().toString('hex') ?? ZERO_HASH,
  }
  if (account === null || account === undefined) return { ...NOTHING, ...last }
  const { balance, state } = account.storage
  const isActive = state.type === 'active'
  return {
    ...last,
    status: state.type,
    balance: balance.coins,
    extra: balance.other?.keys().map((id) => [id, balance.other?.get(id) ?? 0n] as const) ?? [],
    code: isActive ? (state.state.code ?? null) : null,
    data: isActive ? (state.state.data ?? null) : null,
    frozenHash: state.type === 'frozen' ? hash256(state.stateHash) : null,
  }
}
