/**
 * The ledger's file: an SQLite database that one process holds at a time. Journal first: one transaction appends a group of
 * entries and moves the totals of their accounts; when `append` returns it is synced to the disk. Everything here blocks and
 * runs on a thread of its own (store-thread.ts). Opening and its refusals are in open-store.ts; docs/ledger.md has the shape.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { CocoonError } from '../util/index.ts'
import type { KeptAccount } from './books.ts'
import { ledgerError, ledgerFull } from './errors.ts'
import type { Witness } from './witness.ts'

/** What is written as one. Numbers are in arrays: they change threads in one piece, and copying some bytes is quicker than handing them over. */
export interface Group {
  /** Accounts that the file has not seen; their ids are the next free ones. */
  readonly created: readonly (Omit<KeptAccount, 'total' | 'chain'> & { readonly id: bigint })[]
  /** (account id, committed total) of each account whose `chain` moves. */
  readonly marks: BigInt64Array
  /** Notes to keep; null forgets one. */
  readonly facts: readonly (readonly [name: string, value: string | null])[]
  /** ENTRY_FIELDS numbers an entry. */
  readonly entries: BigInt64Array
  /** REQUEST_ID_BYTES an entry; zeros where it has none. */
  readonly requestIds: Uint8Array
  /** (account id, tokens) of each account that an entry belongs to: by how much its total grows. */
  readonly growth: BigInt64Array
}

/** at, client id, worker id, prompt, cached, completion, reasoning, total. */
export const ENTRY_FIELDS = 8
export const REQUEST_ID_BYTES = 32

export interface Store {
  /**
   * All of them or nothing, durable when it returns. Throws `capacity.ledger-full`, with nothing written, or
   * `capacity.ledger-failed`.
   * @param newest number of the last one's write
   */
  append(groups: readonly Group[], newest: bigint): void
  /** Throws as `append` while there is no room for more entries. */
  probe(): void
  close(): void
}

/** What the file knew when it was opened. */
export interface StoreState {
  /** Number of the newest write. */
  writes: bigint
  /** Number of the newest entry, and of the newest one that is no longer in the journal. */
  seq: bigint
  folded: bigint
}

/** Called at every point where a crash could hurt: tests die there, or take the room on the disk away. */
export type Step = (name: string, db: DatabaseSync) => void

/** At least so many entries leave the journal at a time: enough to be rare, few enough to cost a group about a millisecond. */
const FOLD_STEP = 1000n
/** Room for thousands of entries. It stays in the file as free pages, so the next settlements find what the probe found. */
const PROBE_BYTES = 256 * 1024

const SQLITE_FULL = 13

export function createStore(
  db: DatabaseSync,
  witness: Witness,
  state: StoreState,
  options: { readonly keepEntries: bigint; readonly step: Step; close(): void },
): Store {
  const { keepEntries } = options
  const step = (name: string): void => options.step(name, db)
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const create = db.prepare('INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0)')
  const mark = db.prepare('UPDATE account SET chain = max(chain, ?) WHERE id = ?')
  const enter = db.prepare('INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const grow = db.prepare('UPDATE account SET total = total + ? WHERE id = ?')
  const book = db.prepare('UPDATE book SET writes = ?, folded = ?')
  const foldInto = (['client', 'worker'] as const).map((side) =>
    db.prepare(
      `UPDATE account SET base = base + old.tokens
       FROM (SELECT ${side} AS id, sum(total) AS tokens FROM journal WHERE seq <= ? GROUP BY ${side}) AS old
       WHERE account.id = old.id`,
    ),
  )
  const note = db.prepare('INSERT OR REPLACE INTO fact VALUES (?, ?)')
  const forget = db.prepare('DELETE FROM fact WHERE name = ?')
  const drop = db.prepare('DELETE FROM journal WHERE seq <= ?')
  let failed: CocoonError | null = null

  /** All of `work` or nothing, synced. */
  function transaction(work: () => StoreState): void {
    if (failed !== null) throw failed
    step('before')
    let next: StoreState
    try {
      begin.run()
      next = work()
      book.run(next.writes, next.folded)
      step('before the commit')
      commit.run()
    } catch (error) {
      throw undo(error)
    }
    step('after the commit')
    Object.assign(state, next)
    try {
      witness.note(state.writes)
    } catch (error) {
      // The transaction stands. A witness that stays behind only knows less, until the disk takes it again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw fail(error)
    }
    step('after the witness')
  }

  /** A full disk leaves nothing behind. After any other failure only reading the file anew can tell what it holds. */
  function undo(error: unknown): CocoonError {
    try {
      if (db.isTransaction) db.exec('ROLLBACK')
    } catch (rollback) {
      return fail(rollback)
    }
    if ((error as { errcode?: number }).errcode !== SQLITE_FULL) return fail(error)
    return ledgerFull(error)
  }
  function fail(error: unknown): CocoonError {
    const mend = 'check the disk, then restart the proxy'
    failed = ledgerError(
      'capacity.ledger-failed',
      `The ledger could not be written (${String(error)}): ${mend}.`,
      error,
    )
    return failed
  }

  function pairs(list: BigInt64Array, write: (id: bigint, value: bigint) => void): void {
    for (let i = 0; i < list.length; i += 2) write(list[i] as bigint, list[i + 1] as bigint)
  }

  /** Returns the number of the newest entry; `before` is that of the newest one until now. */
  function enterAll({ entries, requestIds }: Group, before: bigint): bigint {
    let seq = before
    for (let i = 0, at = 0; at < entries.length; i++, at += ENTRY_FIELDS) {
      const id = requestIds.subarray(i * REQUEST_ID_BYTES, (i + 1) * REQUEST_ID_BYTES)
      const [when, client, worker, prompt, cached, completion, reasoning, sum] = entries.subarray(
        at,
        at + ENTRY_FIELDS,
      ) as unknown as Eight
      seq++
      enter.run(
        seq,
        when,
        id.some((byte) => byte !== 0) ? id : null,
        client,
        worker,
        prompt,
        cached,
        completion,
        reasoning,
        sum,
      )
    }
    return seq
  }

  /** Old entries live on in the `base` of their accounts. */
  function fold(seq: bigint): bigint {
    const excess = seq - state.folded - keepEntries
    if (excess < FOLD_STEP) return state.folded
    const added = seq - state.seq
    const to = state.folded + (added * 2n > FOLD_STEP ? min(added * 2n, excess) : FOLD_STEP)
    for (const into of foldInto) into.run(to)
    drop.run(to)
    return to
  }

  return {
    append(groups, newest) {
      transaction(() => {
        let seq = state.seq
        for (const group of groups) {
          for (const { id, role, owner, funds } of group.created)
            create.run(id, role, owner, text(funds?.balanceNano), text(funds?.stakeNano), text(funds?.scTokensUsed))
          pairs(group.marks, (id, chain) => mark.run(chain, id))
          step('after the marks')
          for (const [name, value] of group.facts)
            if (value === null) forget.run(name)
            else note.run(name, value)
          seq = enterAll(group, seq)
          step('after the entries')
          pairs(group.growth, (id, tokens) => grow.run(tokens, id))
          step('after the totals')
        }
        const folded = fold(seq)
        if (folded !== state.folded) step('after the fold')
        return { writes: newest, seq, folded }
      })
    },
    probe() {
      transaction(() => {
        db.exec(`INSERT OR REPLACE INTO ballast VALUES (1, zeroblob(${PROBE_BYTES}))`)
        return { ...state }
      })
      transaction(() => {
        db.exec('DELETE FROM ballast')
        return { ...state }
      })
    },
    close() {
      step('before the close')
      db.close()
      step('after the close')
      witness.close()
      options.close()
    },
  }
}

type Eight = readonly [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint]

const text = (amount: bigint | undefined): string | null => amount?.toString() ?? null
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b)
