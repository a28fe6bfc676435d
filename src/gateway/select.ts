/** The gateway's SQL questions. Values are bound, never written into the text. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { AttemptStory } from '../roles/client/index.ts'
import type {
  ApiKey,
  Budget,
  KeyScope,
  Member,
  MemberRole,
  Project,
  RateLimits,
  Receipt,
  ReceiptResult,
} from './accounts.ts'
import type {
  ReasonFilter,
  ReasonRow,
  ReceiptFilter,
  ReceiptPage,
  UsageFilter,
  UsageGroup,
  UsageRow,
} from './queries.ts'
import type { Spent } from './spending.ts'
import { dayText } from './windows.ts'

/** What the file knew when it was opened. */
export interface Kept {
  readonly projects: readonly Project[]
  readonly keys: readonly ApiKey[]
  readonly members: readonly Member[]
  readonly budgets: readonly Budget[]
  readonly spent: readonly Spent[]
}

/** @param today days before the longest window come as one */
export function selectKept(db: DatabaseSync, today: number): Kept {
  const keys = rows(db, 'SELECT * FROM api_key')
  const budgets = rows(db, 'SELECT * FROM budget')
  const spent = rows(
    db,
    `SELECT project, key, model, CASE WHEN day < ? THEN 0 ELSE day END AS since, sum(cost_nano + unsettled_nano) AS nano
     FROM usage_day GROUP BY project, key, model, since`,
    today - 31,
  )
  return {
    projects: rows(db, 'SELECT * FROM project ORDER BY created_ms, id').map((r) => ({
      id: text(r['id']),
      name: text(r['name']),
      createdMs: Number(r['created_ms']),
    })),
    keys: keys.map((r) => ({
      id: text(r['id']),
      project: text(r['project']),
      name: text(r['name']),
      hash: text(r['hash']),
      scopes: JSON.parse(text(r['scopes'])) as KeyScope[],
      models: JSON.parse(text(r['models'])) as string[],
      limits: JSON.parse(text(r['limits'])) as RateLimits,
      createdMs: Number(r['created_ms']),
      expiresMs: numberOrNull(r['expires_ms']),
      revokedMs: numberOrNull(r['revoked_ms']),
      madeBy: textOrNull(r['made_by']),
    })),
    members: rows(db, 'SELECT * FROM member ORDER BY created_ms, id').map((r) => ({
      id: text(r['id']),
      project: text(r['project']),
      name: text(r['name']),
      role: text(r['role']) as MemberRole,
      hash: text(r['hash']),
      createdMs: Number(r['created_ms']),
      removedMs: numberOrNull(r['removed_ms']),
    })),
    budgets: budgets.map((r) => ({
      scope: text(r['scope']) as Budget['scope'],
      id: text(r['id']),
      model: text(r['model']),
      window: text(r['window']) as Budget['window'],
      limitNano: r['limit_nano'] as bigint,
      warnAtPercent: Number(r['warn_at_percent']),
      warnedFromMs: numberOrNull(r['warned_from_ms']),
    })),
    spent: spent.map((r) => ({
      project: text(r['project']),
      key: text(r['key']),
      model: text(r['model']),
      day: Number(r['since']),
      nano: r['nano'] as bigint,
    })),
  }
}

export function selectReceipts(db: DatabaseSync, filter: ReceiptFilter): ReceiptPage {
  const where = conditions([
    ['request = ?', filter.request],
    ['project = ?', filter.project],
    ['key = ?', filter.key],
    ['model = ?', filter.model],
    ['result = ?', filter.result],
    ['code = ?', filter.code],
    ['at_ms >= ?', filter.fromMs],
    ['at_ms < ?', filter.untilMs],
  ])
  const [sums] = rows(
    db,
    `SELECT count(*) AS count, coalesce(sum(cost_nano), 0) AS cost, coalesce(sum(unsettled_nano), 0) AS unsettled
     FROM receipt WHERE ${where.sql}`,
    ...where.values,
  )
  const page = rows(
    db,
    `SELECT * FROM receipt WHERE ${where.sql} AND seq < ? ORDER BY seq DESC LIMIT ?`,
    ...where.values,
    filter.before ?? Number.MAX_SAFE_INTEGER,
    filter.limit,
  )
  return {
    receipts: page.map(receiptOf),
    count: Number(sums?.['count']),
    costNano: sums?.['cost'] as bigint,
    unsettledNano: sums?.['unsettled'] as bigint,
  }
}

const COLUMN_BY_GROUP: Readonly<Record<UsageGroup, string>> = {
  project: 'project',
  key: 'key',
  model: 'model',
  day: 'day',
}

export function selectUsage(db: DatabaseSync, filter: UsageFilter): readonly UsageRow[] {
  const where = conditions([
    ['project = ?', filter.project],
    ['key = ?', filter.key],
    ['model = ?', filter.model],
    ['day >= ?', filter.fromDay],
    ['day <= ?', filter.toDay],
  ])
  const column = COLUMN_BY_GROUP[filter.by]
  const sums = ['requests', 'failed', 'prompt', 'cached', 'completion', 'reasoning', 'total']
    .map((name) => `sum(${name}) AS ${name}`)
    .join(', ')
  return rows(
    db,
    `SELECT ${column} AS name, ${sums}, sum(cost_nano) AS cost, sum(unsettled_nano) AS unsettled
     FROM usage_day WHERE ${where.sql} GROUP BY ${column} ORDER BY ${column}`,
    ...where.values,
  ).map((r) => ({
    name: filter.by === 'day' ? dayText(Number(r['name'])) : text(r['name']),
    requests: r['requests'] as bigint,
    failed: r['failed'] as bigint,
    ...tokensOf(r),
    costNano: r['cost'] as bigint,
    unsettledNano: r['unsettled'] as bigint,
  }))
}

export function selectReasons(db: DatabaseSync, filter: ReasonFilter): readonly ReasonRow[] {
  const where = conditions([
    ['project = ?', filter.project],
    ['key = ?', filter.key],
    ['day >= ?', filter.fromDay],
    ['day <= ?', filter.toDay],
  ])
  return rows(
    db,
    `SELECT code, sum(requests - refused) AS failed, sum(refused) AS refused
     FROM reason_day WHERE ${where.sql} GROUP BY code ORDER BY code`,
    ...where.values,
  ).map((r) => ({ code: text(r['code']), failed: r['failed'] as bigint, refused: r['refused'] as bigint }))
}

type Row = Record<string, unknown>

function rows(db: DatabaseSync, sql: string, ...values: SQLInputValue[]): Row[] {
  const statement = db.prepare(sql)
  statement.setReadBigInts(true)
  return statement.all(...values) as Row[]
}

function conditions(list: readonly (readonly [sql: string, value: SQLInputValue | undefined])[]): {
  readonly sql: string
  readonly values: SQLInputValue[]
} {
  const given = list.filter((one): one is readonly [string, SQLInputValue] => one[1] !== undefined)
  return { sql: ['1', ...given.map(([sql]) => sql)].join(' AND '), values: given.map(([, value]) => value) }
}

function receiptOf(r: Row): Receipt & { readonly seq: number } {
  return {
    seq: Number(r['seq']),
    request: text(r['request']),
    atMs: Number(r['at_ms']),
    project: text(r['project']),
    key: text(r['key']),
    model: text(r['model']),
    path: text(r['path']),
    result: text(r['result']) as ReceiptResult,
    status: numberOrNull(r['status']),
    code: textOrNull(r['code']),
    ...tokensOf(r),
    costNano: r['cost_nano'] as bigint,
    unsettledNano: r['unsettled_nano'] as bigint,
    maxCostNano: r['max_cost_nano'] as bigint,
    proxy: textOrNull(r['proxy']),
    worker: textOrNull(r['worker']),
    evidence: textOrNull(r['evidence']),
    attempts: attemptsOf(r),
    queuedMs: numberOrNull(r['queued_ms']),
    sentMs: numberOrNull(r['sent_ms']),
    firstByteMs: numberOrNull(r['first_byte_ms']),
    durationMs: Number(r['duration_ms']),
  }
}

/** As store.ts keeps them. */
function attemptsOf(r: Row): readonly AttemptStory[] {
  if (r['attempts'] !== null) return JSON.parse(text(r['attempts'])) as AttemptStory[]
  if (r['sent_ms'] === null || r['proxy'] === null) return []
  return [
    {
      proxy: text(r['proxy']),
      worker: textOrNull(r['worker']),
      sentMs: Number(r['sent_ms']),
      firstByteMs: numberOrNull(r['first_byte_ms']),
      endedMs: Number(r['duration_ms']),
      ended: textOrNull(r['code']) ?? text(r['result']),
    },
  ]
}

const tokensOf = (r: Row) => ({
  prompt: r['prompt'] as bigint,
  cached: r['cached'] as bigint,
  completion: r['completion'] as bigint,
  reasoning: r['reasoning'] as bigint,
  total: r['total'] as bigint,
})
const text = (value: unknown): string => value as string
const textOrNull = (value: unknown): string | null => value as string | null
const numberOrNull = (value: unknown): number | null => (value === null ? null : Number(value))
