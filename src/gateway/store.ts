/**
 * The gateway's file: an SQLite database that one process holds at a time. Changes come in groups, each a transaction that is
 * synced to the disk when `apply` returns. Everything here blocks and runs on a thread of its own (store-thread.ts).
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { CocoonError } from '../util/index.ts'
import {
  type ApiKey,
  type Budget,
  type BudgetName,
  type Member,
  NOBODY,
  type Project,
  type ReasonCount,
  type Receipt,
} from './accounts.ts'
import { gatewayError } from './errors.ts'
import type { ReasonFilter, ReasonRow, ReceiptFilter, ReceiptPage, UsageFilter, UsageRow } from './queries.ts'
import { selectReasons, selectReceipts, selectUsage } from './select.ts'
import { dayOf } from './windows.ts'

export type Change =
  | { readonly put: 'project'; readonly project: Project }
  | { readonly put: 'key'; readonly key: ApiKey }
  | { readonly put: 'member'; readonly member: Member }
  | { readonly put: 'budget'; readonly budget: Budget }
  | { readonly put: 'receipt'; readonly receipt: Receipt }
  /** What this node refused: counts of all, receipts of some. */
  | { readonly put: 'refusals'; readonly receipts: readonly Receipt[]; readonly counts: readonly ReasonCount[] }
  | { readonly drop: 'budget'; readonly name: BudgetName }

export interface Store {
  /** All or nothing, durable when it returns. Throws `capacity.gateway-full` with nothing written, `capacity.gateway-failed`. */
  apply(changes: readonly Change[]): void
  receipts(filter: ReceiptFilter): ReceiptPage
  usage(filter: UsageFilter): readonly UsageRow[]
  reasons(filter: ReasonFilter): readonly ReasonRow[]
  close(): void
}

/** At least so many receipts go at a time: enough to be rare. */
const DROP_STEP = 1000
const SQLITE_FULL = 13

/** Older ones go; their sums stay in `usage_day` and `reason_day`. */
export interface Kept {
  readonly receipts: number
  /** Of requests that cost nothing and brought no answer. */
  readonly freeReceipts: number
}

export function createStore(db: DatabaseSync, keep: Kept): Store {
  const put = {
    project: db.prepare('INSERT INTO project VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name'),
    key: db.prepare('INSERT OR REPLACE INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    member: db.prepare('INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?, ?, ?)'),
    budget: db.prepare('INSERT OR REPLACE INTO budget VALUES (?, ?, ?, ?, ?, ?, ?)'),
    receipt: db.prepare(`INSERT INTO receipt VALUES (${Array(27).fill('?').join(', ')})`),
    usage: db.prepare(`
      INSERT INTO usage_day VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET requests = requests + 1, failed = failed + excluded.failed,
        prompt = prompt + excluded.prompt, cached = cached + excluded.cached,
        completion = completion + excluded.completion, reasoning = reasoning + excluded.reasoning,
        total = total + excluded.total, cost_nano = cost_nano + excluded.cost_nano,
        unsettled_nano = unsettled_nano + excluded.unsettled_nano`),
    reason: db.prepare(`
      INSERT INTO reason_day VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        requests = requests + excluded.requests, refused = refused + excluded.refused`),
  }
  const dropBudget = db.prepare('DELETE FROM budget WHERE scope = ? AND id = ? AND model = ? AND window = ?')
  const dropOldest = db.prepare(
    'DELETE FROM receipt WHERE seq IN (SELECT seq FROM receipt WHERE is_free = ? ORDER BY seq LIMIT ?)',
  )
  const numberOf = (sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0])
  let seq = numberOf('SELECT coalesce(max(seq), 0) FROM receipt')
  /** Receipts in the file, those that cost something first. */
  let counts: [number, number] = [
    numberOf('SELECT count(*) FROM receipt WHERE is_free = 0'),
    numberOf('SELECT count(*) FROM receipt WHERE is_free = 1'),
  ]
  let failed: CocoonError | null = null

  function enter(r: Receipt): void {
    const { request, atMs, project, key, model, path, result, status, code } = r
    const isFree = isFreeOf(r)
    put.receipt.run(
      ++seq,
      ...[request, atMs, project, key, model, path, result, status, code, ...tokensOf(r), r.costNano, r.unsettledNano],
      ...[r.maxCostNano, r.proxy, r.worker, r.evidence, whole(r.queuedMs), whole(r.sentMs), whole(r.firstByteMs)],
      ...[Math.round(r.durationMs), attemptsToKeep(r), isFree ? 1 : 0],
    )
    counts[isFree ? 1 : 0]++
  }

  /** In the sums by day, which outlive the receipt. */
  function count(r: Receipt): void {
    const { atMs, project, key, model, result, code } = r
    if (code !== null) put.reason.run(dayOf(atMs), project, key, code, 1, result === 'refused' ? 1 : 0)
    if (result === 'refused') return
    const isFree = isFreeOf(r)
    // Requests that failed at no cost have no model here: anybody can ask for models that do not exist.
    put.usage.run(
      ...[dayOf(atMs), project, key, isFree ? NOBODY : model, result === 'ok' ? 0 : 1],
      ...[...tokensOf(r), r.costNano, r.unsettledNano],
    )
  }

  function dropOld(): void {
    for (const [isFree, most] of [keep.receipts, keep.freeReceipts].entries()) {
      const over = (counts[isFree] as number) - most
      if (over < DROP_STEP) continue
      dropOldest.run(isFree, over)
      counts[isFree] = most
    }
  }

  function carryOut(change: Change): void {
    if ('drop' in change) {
      const { scope, id, model, window } = change.name
      dropBudget.run(scope, id, model, window)
    } else if (change.put === 'project') {
      const { id, name, createdMs } = change.project
      put.project.run(id, name, createdMs)
    } else if (change.put === 'key') {
      const k = change.key
      const lists = [k.scopes, k.models, k.limits].map((list) => JSON.stringify(list))
      put.key.run(k.id, k.project, k.name, k.hash, ...lists, k.createdMs, k.expiresMs, k.revokedMs, k.madeBy)
    } else if (change.put === 'member') {
      const m = change.member
      put.member.run(m.id, m.project, m.name, m.role, m.hash, m.createdMs, m.removedMs)
    } else if (change.put === 'budget') {
      const b = change.budget
      put.budget.run(b.scope, b.id, b.model, b.window, b.limitNano, b.warnAtPercent, b.warnedFromMs)
    } else if (change.put === 'refusals') {
      // They are counted with those of which there is no receipt.
      for (const receipt of change.receipts) enter(receipt)
      for (const { day, project, key, code, requests } of change.counts)
        put.reason.run(day, project, key, code, requests, requests)
    } else {
      enter(change.receipt)
      count(change.receipt)
    }
  }

  function undo(error: unknown, seqBefore: number, countsBefore: [number, number]): CocoonError {
    try {
      if (db.isTransaction) db.exec('ROLLBACK')
    } catch (rollback) {
      return fail(rollback)
    }
    seq = seqBefore
    counts = countsBefore
    if ((error as { errcode?: number }).errcode !== SQLITE_FULL) return fail(error)
    return gatewayError(
      'capacity.gateway-full',
      'The disk of the gateway’s receipts is full: make room; it goes on by itself.',
      { retryAfterMs: 2_000 },
      error,
    )
  }
  function fail(error: unknown): CocoonError {
    failed = gatewayError(
      'capacity.gateway-failed',
      `The gateway’s file could not be written (${String(error)}): check the disk, then restart the client.`,
      {},
      error,
    )
    return failed
  }

  return {
    apply(changes) {
      if (failed !== null) throw failed
      const seqBefore = seq
      const countsBefore: [number, number] = [...counts]
      try {
        db.exec('BEGIN IMMEDIATE')
        for (const change of changes) carryOut(change)
        dropOld()
        db.exec('COMMIT')
      } catch (error) {
        throw undo(error, seqBefore, countsBefore)
      }
    },
    receipts: (filter) => selectReceipts(db, filter),
    usage: (filter) => selectUsage(db, filter),
    reasons: (filter) => selectReasons(db, filter),
    close: () => db.close(),
  }
}

const tokensOf = (r: Receipt): SQLInputValue[] => [r.prompt, r.cached, r.completion, r.reasoning, r.total]

/** It cost nothing and brought no answer. */
const isFreeOf = ({ result, costNano, unsettledNano }: Receipt): boolean =>
  result !== 'ok' && costNano + unsettledNano === 0n

const whole = (ms: number | null): number | null => (ms === null ? null : Math.round(ms))

/** Null where the receipt's own fields say it all: of most requests, whose only attempt ended as they did. */
function attemptsToKeep({ attempts, code, result }: Receipt): string | null {
  const [first, ...others] = attempts
  if (first === undefined || (others.length === 0 && first.ended === (code ?? result))) return null
  return JSON.stringify(
    attempts.map((one) => ({
      ...one,
      sentMs: Math.round(one.sentMs),
      firstByteMs: whole(one.firstByteMs),
      endedMs: whole(one.endedMs),
    })),
  )
}
