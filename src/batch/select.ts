/** What the store is asked when it is opened, and when an ended batch is written out. */
import type { DatabaseSync } from 'node:sqlite'
import type { Batch, LostAttempt, Progress, StoredFile } from './records.ts'
import { fromText } from './record-text.ts'

/** What the file knew when it was opened. */
export interface Kept {
  readonly files: readonly StoredFile[]
  readonly batches: readonly Batch[]
  /** Of batches whose lines are kept. */
  readonly progress: ReadonlyMap<string, Progress>
  readonly lost: readonly LostAttempt[]
}

type Row = Record<string, unknown>

export function selectKept(db: DatabaseSync): Kept {
  const records = <T>(table: 'file' | 'batch'): T[] =>
    db
      .prepare(`SELECT record FROM ${table}`)
      .all()
      .map((row) => fromText<T>(String(row['record'])))
  const counted = db.prepare(`
    SELECT batch, count(*) AS total, sum(state = 'completed') AS completed, sum(state = 'failed') AS failed,
      sum(cost_nano) AS cost, sum(unsettled_nano) AS unsettled,
      sum(input) AS input, sum(cached) AS cached, sum(output) AS output, sum(reasoning) AS reasoning
    FROM line GROUP BY batch`)
  counted.setReadBigInts(true)
  const lost = db.prepare(
    `SELECT batch, seq, custom_id, faults, request, model, max_cost_nano, sent_ms, sent_to FROM line WHERE state = 'sent'`,
  )
  lost.setReadBigInts(true)
  return {
    files: records<StoredFile>('file'),
    // Those of an earlier version say nothing of it.
    batches: records<Batch>('batch').map((batch) => ({ ...batch, repeatLost: batch.repeatLost ?? false })),
    progress: new Map(counted.all().map((row) => [String(row['batch']), progressOf(row)])),
    lost: lost.all().map((row) => ({
      batch: String(row['batch']),
      seq: Number(row['seq']),
      customId: String(row['custom_id']),
      faults: Number(row['faults']),
      request: String(row['request']),
      model: String(row['model']),
      maxCostNano: row['max_cost_nano'] as bigint,
      // Of an earlier version, which did not write these: nobody can be asked.
      sentMs: Number(row['sent_ms'] ?? 0),
      sentTo: row['sent_to'] === null ? null : (JSON.parse(String(row['sent_to'])) as string[]),
    })),
  }
}

const progressOf = (row: Row): Progress => ({
  total: Number(row['total']),
  completed: Number(row['completed']),
  failed: Number(row['failed']),
  costNano: row['cost'] as bigint,
  unsettledNano: row['unsettled'] as bigint,
  usage: {
    input: Number(row['input']),
    cached: Number(row['cached']),
    output: Number(row['output']),
    reasoning: Number(row['reasoning']),
  },
})

/** A line that has come to an end, or has none at all. */
export interface EndedLine {
  readonly seq: number
  readonly customId: string
  readonly isGood: boolean
  /** Null for a line that nobody answered. */
  readonly answer: Uint8Array | null
}

/** All lines of a batch in their order, one at a time: answers together may be larger than the memory. */
export function* selectLines(db: DatabaseSync, batch: string): Generator<EndedLine> {
  const lines = db.prepare('SELECT seq, custom_id, state, answer FROM line WHERE batch = ? ORDER BY seq')
  for (const row of lines.iterate(batch))
    yield {
      seq: Number(row['seq']),
      customId: String(row['custom_id']),
      isGood: row['state'] === 'completed',
      answer: row['answer'] as Uint8Array | null,
    }
}
