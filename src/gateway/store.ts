/**
 * The gateway's file: an SQLite database that one process holds at a time. Changes come in groups, each a transaction that is
 * synced to the disk when `apply` returns. Everything here blocks and runs on a thread of its own (store-thread.ts).
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { CocoonError } from '../util/index.ts'
import type { ApiKey, Budget, BudgetName, Project, Receipt } from './accounts.ts'
import { gatewayError } from './errors.ts'
import type { ReceiptFilter, ReceiptPage, UsageFilter, UsageRow } from './queries.ts'
import { selectReceipts, selectUsage } from './select.ts'
import { dayOf } from './windows.ts'

export type Change =
  | { readonly put: 'project'; readonly project: Project }
  | { readonly put: 'key'; readonly key: ApiKey }
  | { readonly put: 'budget'; readonly budget: Budget }
  | { readonly put: 'receipt'; readonly receipt: Receipt }
  | { readonly drop: 'budget'; readonly name: BudgetName }

export interface Store {
  /** All or nothing, durable when it returns. Throws `capacity.gateway-full` with nothing written, `capacity.gateway-failed`. */
  apply(changes: readonly Change[]): void
  receipts(filter: ReceiptFilter): ReceiptPage
  usage(filter: UsageFilter): readonly UsageRow[]
  close(): void
}

/** Numbers of tokens and money fit 63 bits: all TON there is are 5·10¹⁸ nanoTON. */
export const SCHEMA = `
  CREATE TABLE project (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL REFERENCES project,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    models TEXT NOT NULL,
    limits TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER
  ) STRICT;
  CREATE TABLE budget (
    scope TEXT NOT NULL CHECK (scope IN ('node', 'project', 'key')),
    id TEXT NOT NULL,
    model TEXT NOT NULL,
    window TEXT NOT NULL CHECK (window IN ('day', 'week', 'month', 'total')),
    limit_nano INTEGER NOT NULL CHECK (limit_nano >= 0),
    warn_at_percent INTEGER NOT NULL,
    warned_from_ms INTEGER,
    PRIMARY KEY (scope, id, model, window)
  ) STRICT;
  CREATE TABLE receipt (
    seq INTEGER PRIMARY KEY,
    request TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    path TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('ok', 'failed', 'cancelled')),
    status INTEGER,
    code TEXT,
    prompt INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    total INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL CHECK (cost_nano >= 0),
    unsettled_nano INTEGER NOT NULL CHECK (unsettled_nano >= 0),
    max_cost_nano INTEGER NOT NULL,
    proxy TEXT,
    worker TEXT,
    evidence TEXT,
    attempts INTEGER,
    first_byte_ms INTEGER,
    duration_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX receipt_by_key ON receipt (key, seq);
  CREATE INDEX receipt_by_request ON receipt (request);
  CREATE TABLE usage_day (
    day INTEGER NOT NULL,
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    prompt INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    total INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    unsettled_nano INTEGER NOT NULL,
    PRIMARY KEY (day, project, key, model)
  ) STRICT;
`

/** Requests that failed at no cost are counted under this: anybody can ask for models that do not exist. */
const NO_MODEL = '-'
/** At least so many receipts go at a time: enough to be rare. */
const DROP_STEP = 1000
const SQLITE_FULL = 13

/** @param keepReceipts older ones go; their sums stay in `usage_day` */
export function createStore(db: DatabaseSync, keepReceipts: number): Store {
  const put = {
    project: db.prepare('INSERT INTO project VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name'),
    key: db.prepare('INSERT OR REPLACE INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    budget: db.prepare('INSERT OR REPLACE INTO budget VALUES (?, ?, ?, ?, ?, ?, ?)'),
    receipt: db.prepare(`INSERT INTO receipt VALUES (${Array(24).fill('?').join(', ')})`),
    usage: db.prepare(`
      INSERT INTO usage_day VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET requests = requests + 1, failed = failed + excluded.failed,
        prompt = prompt + excluded.prompt, cached = cached + excluded.cached,
        completion = completion + excluded.completion, reasoning = reasoning + excluded.reasoning,
        total = total + excluded.total, cost_nano = cost_nano + excluded.cost_nano,
        unsettled_nano = unsettled_nano + excluded.unsettled_nano`),
  }
  const dropBudget = db.prepare('DELETE FROM budget WHERE scope = ? AND id = ? AND model = ? AND window = ?')
  const dropReceipts = db.prepare('DELETE FROM receipt WHERE seq <= ?')
  const range = db.prepare('SELECT coalesce(min(seq), 1) AS low, coalesce(max(seq), 0) AS high FROM receipt').get()
  let low = Number(range?.['low'])
  let seq = Number(range?.['high'])
  let failed: CocoonError | null = null

  function enter(r: Receipt): void {
    const tokens: SQLInputValue[] = [r.prompt, r.cached, r.completion, r.reasoning, r.total]
    const { request, atMs, project, key, model, path, result, status, code } = r
    put.receipt.run(
      ++seq,
      ...[request, atMs, project, key, model, path, result, status, code, ...tokens, r.costNano, r.unsettledNano],
      ...[r.maxCostNano, r.proxy, r.worker, r.evidence, r.attempts, whole(r.firstByteMs), Math.round(r.durationMs)],
    )
    const isFree = result !== 'ok' && r.costNano + r.unsettledNano === 0n
    put.usage.run(
      ...[dayOf(atMs), project, key, isFree ? NO_MODEL : model, result === 'ok' ? 0 : 1],
      ...[...tokens, r.costNano, r.unsettledNano],
    )
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
      put.key.run(k.id, k.project, k.name, k.hash, ...lists, k.createdMs, k.expiresMs, k.revokedMs)
    } else if (change.put === 'budget') {
      const b = change.budget
      put.budget.run(b.scope, b.id, b.model, b.window, b.limitNano, b.warnAtPercent, b.warnedFromMs)
    } else enter(change.receipt)
  }

  function undo(error: unknown, seqBefore: number, lowBefore: number): CocoonError {
    try {
      if (db.isTransaction) db.exec('ROLLBACK')
    } catch (rollback) {
      return fail(rollback)
    }
    seq = seqBefore
    low = lowBefore
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
      const [seqBefore, lowBefore] = [seq, low]
      try {
        db.exec('BEGIN IMMEDIATE')
        for (const change of changes) carryOut(change)
        if (seq - low + 1 - keepReceipts >= DROP_STEP) {
          dropReceipts.run(seq - keepReceipts)
          low = seq - keepReceipts + 1
        }
        db.exec('COMMIT')
      } catch (error) {
        throw undo(error, seqBefore, lowBefore)
      }
    },
    receipts: (filter) => selectReceipts(db, filter),
    usage: (filter) => selectUsage(db, filter),
    close: () => db.close(),
  }
}

const whole = (ms: number | null): number | null => (ms === null ? null : Math.round(ms))
