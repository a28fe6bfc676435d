/** Reading and writing TON as everybody above this folder knows it; toncenter.ts is one way to do it. */
import type { Address, Cell, Transaction, TupleItem } from '@ton/core'

/** An account at one block of the masterchain. */
export interface AccountState {
  readonly address: Address
  readonly status: 'active' | 'uninitialized' | 'frozen'
  readonly balanceNano: bigint
  /** Null unless active. */
  readonly code: Cell | null
  readonly data: Cell | null
  /** Logical time of the last transaction; 0 where there was none. */
  readonly lastLt: bigint
  /** Lower-case hex; zeros where there was none. */
  readonly lastHash: string
  /** The masterchain block it was read at, and that block's time. */
  readonly seqno: number
  readonly atMs: number
}

export interface ReadOptions {
  readonly signal?: AbortSignal
  /** Something irreversible hangs on it: two endpoints must agree where two are known. */
  readonly confirmed?: boolean
}

export interface HistoryRange {
  /** Only transactions later than this; 0 for all. */
  readonly afterLt: bigint
  /** At most so many, the oldest ones. */
  readonly limit: number
  /** The state whose history it is; read anew when absent. */
  readonly until?: Pick<AccountState, 'lastLt' | 'lastHash'>
  readonly signal?: AbortSignal
}

export interface History {
  /** Oldest first. Each names the hash of the one before it, so none is missing between them. */
  readonly transactions: readonly Transaction[]
  /** Whether later ones were left out for the limit. */
  readonly more: boolean
}

export interface MethodResult {
  readonly exitCode: number
  readonly stack: readonly TupleItem[]
}

/** What became of an external message at an endpoint: not yet anything on chain. */
export type SendBocResult =
  | { readonly accepted: true }
  | { readonly accepted: false /** The endpoint's words. */; readonly why: string }

export interface ChainReader {
  /** Throws `chain.unavailable`, `chain.bad-answer`, `chain.stale`, `chain.contradiction`. */
  getAccount(address: Address, options?: ReadOptions): Promise<AccountState>
  getTransactions(address: Address, range: HistoryRange): Promise<History>
  runGetMethod(
    address: Address,
    method: string,
    stack?: readonly TupleItem[],
    options?: ReadOptions,
  ): Promise<MethodResult>
  /** Which chain it is: the hash of its first state, lower-case hex. */
  zeroState(options?: ReadOptions): Promise<string>
  masterchainInfo(options?: ReadOptions): Promise<{ readonly seqno: number; readonly atMs: number }>
}

export interface ChainAccess extends ChainReader {
  /** Throws `chain.unavailable` when nobody could be asked. */
  sendBoc(message: Cell, options?: { readonly signal?: AbortSignal }): Promise<SendBocResult>
}
