/**
 * The file of batches: an SQLite database that one process holds at a time. It knows what files there are, how each batch
 * stands and what became of each line; answers lie in it until they are written into an output file. Changes come in
 * groups, each a transaction that is synced to the disk when `apply` returns. Everything here blocks and runs on a thread
 * of its own (store-thread.ts).
 */
import type { DatabaseSync } from 'node:sqlite'
import type { CocoonError } from '../util/index.ts'
import { batchError } from './errors.ts'
import type { AttemptCost, Batch, NewLine, PendingLine, StoredFile, TokenUsage } from './records.ts'
import { toText } from './record-text.ts'

export type Change =
  | { readonly put: 'file'; readonly file: StoredFile }
  | { readonly drop: 'file'; readonly id: string }
  | { readonly put: 'batch'; readonly batch: Batch }
  | { readonly drop: 'batch'; readonly id: string }
  | { readonly put: 'lines'; readonly batch: string; readonly lines: readonly NewLine[] }
  /** Ended batches, and those whose validation begins anew. */
  | { readonly drop: 'lines'; readonly batch: string }
  /** Before the attempt leaves. */
  | {
      readonly put: 'sent'
      readonly batch: string
      readonly seq: number
      readonly request: string
      readonly maxCostNano: bigint
      readonly sentMs: number
      /** Addresses of the proxies that may get it. */
      readonly sentTo: readonly string[] | null
    }
  /** The attempt brought no answer: the line waits again. */
  | {
      readonly put: 'waiting'
      readonly batch: string
      readonly seq: number
      readonly faults: number
      readonly cost: AttemptCost
    }
  | {
      readonly put: 'answer'
      readonly batch: string
      readonly seq: number
      readonly isGood: boolean
      readonly cost: AttemptCost
      readonly usage: TokenUsage
      /** The line of the output or error file, without its line feed. */
      readonly output: Uint8Array
    }

export interface Store {
  /** All or nothing, durable when it returns. Throws `capacity.batch-full` with nothing written, `capacity.batch-failed`. */
  apply(changes: readonly Change[]): void
  /** Lines that wait, in their order; at most `limit`. */
  pending(batch: string, model: string, afterSeq: number, limit: number): readonly PendingLine[]
  /** Models of the lines that wait. */
  models(batch: string): readonly string[]
  close(): void
}

/** Records are JSON: they are read at the start, all together, and asked for by their id alone. */
export const SCHEMA = `
  CREATE TABLE file (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE batch (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE line (
    batch TEXT NOT NULL,
    seq INTEGER NOT NULL,
    custom_id TEXT NOT NULL,
    model TEXT NOT NULL,
    at INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'completed', 'failed')),
    faults INTEGER NOT NULL,
    request TEXT,
    max_cost_nano INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL CHECK (cost_nano >= 0),
    unsettled_nano INTEGER NOT NULL CHECK (unsettled_nano >= 0),
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    answer BLOB,
    sent_ms INTEGER,
    sent_to TEXT,
    PRIMARY KEY (batch, seq)
  ) STRICT;
  CREATE INDEX line_that_waits ON line (batch, model, seq) WHERE state = 'waiting';
  CREATE INDEX line_that_left ON line (batch) WHERE state = 'sent';
`

const SQLITE_FULL = 13

export function createStore(db: DatabaseSync): Store {
  const put = {
    file: db.prepare('INSERT OR REPLACE INTO file VALUES (?, ?)'),
    batch: db.prepare('INSERT OR REPLACE INTO batch VALUES (?, ?)'),
    line: db.prepare(
      `INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL)`,
    ),
    sent: db.prepare(
      `UPDATE line SET state = 'sent', request = ?, max_cost_nano = ?, sent_ms = ?, sent_to = ?
       WHERE batch = ? AND seq = ? AND state = 'waiting'`,
    ),
    waiting: db.prepare(
      `UPDATE line SET state = 'waiting', faults = ?, request = NULL, cost_nano = cost_nano + ?, unsettled_nano = unsettled_nano + ?
       WHERE batch = ? AND seq = ? AND state = 'sent'`,
    ),
    // Only a line that has none yet: an answer is never replaced by another.
    answer: db.prepare(
      `UPDATE line SET state = ?, cost_nano = cost_nano + ?, unsettled_nano = unsettled_nano + ?,
         input = ?, cached = ?, output = ?, reasoning = ?, answer = ?
       WHERE batch = ? AND seq = ? AND state IN ('waiting', 'sent')`,
    ),
  }
  const drop = {
    file: db.prepare('DELETE FROM file WHERE id = ?'),
    batch: db.prepare('DELETE FROM batch WHERE id = ?'),
    lines: db.prepare('DELETE FROM line WHERE batch = ?'),
  }
  const pending = db.prepare(
    `SELECT seq, custom_id, at, bytes, faults FROM line
     WHERE batch = ? AND model = ? AND seq > ? AND state = 'waiting' ORDER BY seq LIMIT ?`,
  )
  const models = db.prepare(`SELECT DISTINCT model FROM line WHERE batch = ? AND state = 'waiting'`)
  let failed: CocoonError | null = null

  function carryOut(change: Change): void {
    if ('drop' in change) {
      drop[change.drop].run(change.drop === 'lines' ? change.batch : change.id)
      return
    }
    switch (change.put) {
      case 'file':
        put.file.run(change.file.id, toText(change.file))
        return
      case 'batch':
        put.batch.run(change.batch.id, toText(change.batch))
        return
      case 'lines':
        for (const { seq, customId, model, at, bytes } of change.lines)
          put.line.run(change.batch, seq, customId, model, at, bytes)
        return
      case 'sent':
        put.sent.run(
          ...[
            change.request,
            change.maxCostNano,
            change.sentMs,
            change.sentTo === null ? null : JSON.stringify(change.sentTo),
          ],
          ...[change.batch, change.seq],
        )
        return
      case 'waiting': {
        const { costNano, unsettledNano } = change.cost
        put.waiting.run(change.faults, costNano, unsettledNano, change.batch, change.seq)
        return
      }
      case 'answer': {
        const { cost, usage, batch, seq, output } = change
        put.answer.run(
          ...[change.isGood ? 'completed' : 'failed', cost.costNano, cost.unsettledNano],
          ...[usage.input, usage.cached, usage.output, usage.reasoning, output, batch, seq],
        )
      }
    }
  }

  function undo(error: unknown): CocoonError {
    const isFull = ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_FULL
    try {
      if (db.isTransaction) db.exec('ROLLBACK')
    } catch (rollback) {
      failed = diskFailed(rollback)
      return failed
    }
    if (isFull) return diskFull(error)
    failed = diskFailed(error)
    return failed
  }

  return {
    apply(changes) {
      if (failed !== null) throw failed
      try {
        db.exec('BEGIN IMMEDIATE')
        for (const change of changes) carryOut(change)
        db.exec('COMMIT')
      } catch (error) {
        throw undo(error)
      }
    },
    pending: (batch, model, afterSeq, limit) =>
      pending.all(batch, model, afterSeq, limit).map((row) => ({
        seq: Number(row['seq']),
        customId: String(row['custom_id']),
        at: Number(row['at']),
        bytes: Number(row['bytes']),
        faults: Number(row['faults']),
      })),
    models: (batch) => models.all(batch).map((row) => String(row['model'])),
    close: () => db.close(),
  }
}

/** Nothing was written: it may be tried again. */
export const diskFull = (cause: unknown): CocoonError =>
  batchError(
    'capacity.batch-full',
    'The disk of the batches is full: make room, or delete files; it goes on by itself.',
    { retryAfterMs: 2_000 },
    cause,
  )

/** Only reading the file anew could tell what it holds. */
const diskFailed = (cause: unknown): CocoonError =>
  batchError(
    'capacity.batch-failed',
    `The file of the batches could not be written (${String(cause)}): check the disk, then restart the client.`,
    {},
    cause,
  )
