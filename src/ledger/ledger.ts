/**
 * What is owed: reservations, settlements and totals of one proxy contract. Checking and recording are one call, and a
 * settlement counts only when it is durable, so nothing that depends on it can leave too early.
 *
 * This file is the interface; every implementation passes the suite beside it (ledger.suite.ts).
 */
import type { CocoonError } from '../util/index.ts'
import type { AdjustedTokens } from './tokens.ts'

/** An account owner as `workchain:hex`, so that bounceable and testnet forms are one key. */
export type OwnerKey = string & { readonly brand?: 'OwnerKey' }

/**
 * Three totals of adjusted tokens that only grow: `chain` ≤ `db` ≤ `max`. They are the wire's; here a settlement is written
 * before it counts, so `max` never runs ahead of `db`.
 */
export interface Totals {
  /** Everything metered that a peer may be told of. */
  readonly max: bigint
  /** What a completed write holds. */
  readonly db: bigint
  /** What is committed for good, and the only total that is ever signed. Without a chain it follows `db` at `commit`. */
  readonly chain: bigint
}

/** What the client's contract says, in nanoTON and adjusted tokens. */
export interface ClientFunds {
  readonly balanceNano: bigint
  readonly stakeNano: bigint
  /** Tokens already charged on the contract. */
  readonly scTokensUsed: bigint
  /** The contract is being closed, or its rest was promised back: nothing new may be charged to it. Not kept on the disk. */
  readonly isClosing?: boolean
}

/** Totals that may be signed: what a checkpoint on chain covers. */
export interface Commitment {
  readonly clients: ReadonlyMap<OwnerKey, bigint>
  readonly workers: ReadonlyMap<OwnerKey, bigint>
}

/** Small notes by name; null forgets one. */
export type Facts = Readonly<Record<string, string | null>>

export interface ClientAccount {
  readonly owner: OwnerKey
  readonly funds: ClientFunds
  readonly totals: Totals
  /** Holds that run, and those whose settlement is being written. */
  readonly reserved: bigint
  readonly running: number
  readonly payed: bigint
  readonly stakeTokens: bigint
  /** min(payed, stake + charged) − reserved − used. */
  readonly available: bigint
}

export interface WorkerAccount {
  readonly owner: OwnerKey
  readonly totals: Totals
}

/** Lives as long as the process: with it dies the request that it was made for. */
export interface Hold {
  readonly client: OwnerKey
  readonly tokens: bigint
}

export interface Settled {
  readonly client: ClientAccount
  readonly worker: WorkerAccount
}

export interface Ledger {
  /** Opens the account with `funds` where nobody has seen this owner before. */
  openClient(owner: OwnerKey, funds: ClientFunds): ClientAccount
  openWorker(owner: OwnerKey): WorkerAccount
  /** What the client's contract says by now. Counts from this call on; the file keeps what it said at first. */
  fund(owner: OwnerKey, funds: ClientFunds): void
  client(owner: OwnerKey): ClientAccount | undefined
  worker(owner: OwnerKey): WorkerAccount | undefined
  clients(): readonly ClientAccount[]
  workers(): readonly WorkerAccount[]
  /** Holds the tokens, or says what is available. Never holds a negative amount. */
  reserve(owner: OwnerKey, tokens: bigint): Hold | { readonly short: ClientAccount }
  /**
   * Turns a hold into a charge of `used` ≤ hold. Each hold ends once, by `settle` or `release`. Resolves when a crash can no
   * longer undo it; until then the hold stands and no total shows it, so that no peer is told what could still be lost.
   * Rejects, with the hold ended and nothing charged, when it cannot be written (`capacity.ledger-…`). After
   * `capacity.ledger-failed` a restart may find it written nevertheless.
   * @param requestId 32 bytes that receipts are found by
   */
  settle(hold: Hold, worker: OwnerKey, used: AdjustedTokens, requestId?: Uint8Array): Promise<Settled>
  release(hold: Hold): void
  /**
   * Moves committed totals up to the written ones, durably, or only up to `upTo`, where a chain says how far. Called on a
   * cadence, which also finds out when trouble is over.
   */
  commit(upTo?: Commitment): Promise<void>
  /**
   * Notes that must never be newer or older than the totals: how far a chain was read, which checkpoints were sent. All or
   * none of them is durable when it resolves; `fact` shows them from then on.
   */
  remember(facts: Facts): Promise<void>
  fact(name: string): string | undefined
  /** Why nothing can be settled now; null while all is well. Begin no request while there is a reason: it would be lost work. */
  trouble(): CocoonError | null
}

/** A ledger with a file to close. */
export interface DurableLedger extends Ledger {
  /** Writes what waits, then frees the file. Settlements that come later reject with `capacity.ledger-closed`. */
  close(): Promise<void>
}
