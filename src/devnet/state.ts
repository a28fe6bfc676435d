/** All that a chain is at one instant, between two blocks; and what it writes down on its way from one to the next. */
import type { Cell } from '@ton/core'
import type { Block, TransactionRecord } from './records.ts'

export interface Pending {
  readonly cell: Cell
  /** Hex. */
  readonly hash: string
}

/** Everything a chain continues from. Whoever captures one may keep it: nothing in it changes later. */
export interface ChainState {
  readonly accounts: ReadonlyMap<string, string>
  /** Internal messages on their way, in the order in which they will arrive. */
  readonly queue: readonly Pending[]
  /** External messages that were acknowledged and wait for a block. */
  readonly pool: readonly Pending[]
  readonly blocks: readonly Block[]
  readonly transactions: readonly TransactionRecord[]
  /** How far the chain's time is ahead of the clock. */
  readonly aheadMs: number
  /** Logical time of the last minted message. */
  readonly mintedLt: bigint
}

/**
 * What the chain appends to its journal before it acts. Replaying these from a captured state leads to the same chain, to the
 * byte: the emulator has no other input.
 */
export type JournalRecord =
  | { readonly is: 'external'; readonly boc: string }
  | { readonly is: 'minted'; readonly boc: string; readonly lt: string }
  | { readonly is: 'time'; readonly aheadMs: number }
  | {
      readonly is: 'block'
      readonly seqno: number
      /** Seconds. */
      readonly utime: number
      /** Name of the block before: a replay that went another way is noticed here. */
      readonly prev: string
      /** How many messages it takes from the head of the queue, and of the pool. */
      readonly internal: number
      readonly external: number
    }
