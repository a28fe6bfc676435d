/** /admin/…: projects, keys, budgets, usage and receipts, for the owner of the node alone. Shapes: admin-contract.ts. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { z } from 'zod'
import type { ApiKey, BudgetState, Fiat, Gateway, ReceiptPage, UsageRow } from '../gateway/index.ts'
import type { Secret } from '../util/index.ts'
import { budgetName, newBudget, newKey, newProject, receiptsQuery, usageQuery } from './admin-contract.ts'
import { createKeyCheck } from './auth.ts'
import { complaintOf } from './complaint.ts'
import type { ConsolePage } from './console.ts'
import { toCsv } from './csv.ts'
import { apiError } from './errors.ts'
import { moneyFields } from './money-fields.ts'

export interface AdminAccess {
  /** What the owner sends as `Authorization: Bearer KEY`. */
  readonly key: Secret<string>
  readonly fiat?: Fiat | undefined
  /** The owner's page; without, there is none. */
  readonly console?: ConsolePage
}

export function addAdminRoutes(app: FastifyInstance, gateway: Gateway, { key, fiat }: AdminAccess): void {
  const checkKey = createKeyCheck(key)
  void app.register(
    async (scope) => {
      scope.addHook('onRequest', async (request, reply) => {
        checkKey(request.headers.authorization)
        reply.header('cache-control', 'no-store')
      })
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
        try {
          done(null, body === '' ? {} : JSON.parse(String(body)))
        } catch {
          done(apiError('request.bad-json'))
        }
      })
      addAccounts(scope, gateway)
      addBudgets(scope, gateway, fiat)
      addReports(scope, gateway, fiat)
    },
    { prefix: '/admin' },
  )
}

function addAccounts(scope: FastifyInstance, gateway: Gateway): void {
  scope.get('/projects', async () => ({
    data: gateway.projects().map(({ id, name, createdMs }) => ({ id, name, created_at: iso(createdMs) })),
  }))
  scope.post('/projects', async (request, reply) => {
    const { id, name } = parse(newProject, request.body)
    const project = await gateway.createProject(id, name ?? id)
    return reply.code(201).send({ id: project.id, name: project.name, created_at: iso(project.createdMs) })
  })
  scope.get('/keys', async () => ({ data: gateway.keys().map(keyOf) }))
  scope.post('/keys', async (request, reply) => {
    const { expires_at: expiresMs, limits, ...rest } = parse(newKey, request.body)
    const { key, made } = await gateway.createKey({
      ...rest,
      expiresMs,
      limits: {
        requestsPerMinute: limits.requests_per_minute,
        tokensPerMinute: limits.tokens_per_minute,
        maxConcurrent: limits.max_concurrent,
      },
    })
    return reply.code(201).send({ ...keyOf(made), key })
  })
  scope.post<{ Params: { id: string } }>('/keys/:id/revoke', async (request) =>
    keyOf(await gateway.revokeKey(request.params.id)),
  )
}

function addBudgets(scope: FastifyInstance, gateway: Gateway, fiat: Fiat | undefined): void {
  scope.get('/budgets', async () => ({ data: gateway.budgets.list().map((state) => budgetOf(state, fiat)) }))
  scope.put('/budgets', async (request) => {
    const { limit: limitNano, warn_at_percent: warnAtPercent, ...name } = parse(newBudget, request.body)
    return budgetOf(await gateway.setBudget({ ...name, limitNano, warnAtPercent }), fiat)
  })
  scope.delete('/budgets', async (request, reply) => {
    await gateway.dropBudget(parse(budgetName, request.body))
    return reply.code(204).send()
  })
}

function addReports(scope: FastifyInstance, gateway: Gateway, fiat: Fiat | undefined): void {
  scope.get('/usage', async (request, reply) => {
    const { by, from, to, format, ...filter } = parse(usageQuery, request.query)
    if (by === 'code' && filter.model !== undefined)
      throw apiError('request.bad-field', { message: "'model' cannot be given by code.", field: 'model' })
    const [fromDay, toDay] = [from, to].map((text) => (text === undefined ? undefined : dayNumber(text)))
    const rows = (await gateway.usage({ by, fromDay, toDay, ...filter })).map((row) => usageOf(by, row, fiat))
    if (format === 'csv') return sendCsv(reply, rows, [by, ...USAGE_COLUMNS])
    return { by, data: rows }
  })
  scope.get('/receipts', async (request, reply) => {
    const { from: fromMs, until: untilMs, format, ...filter } = parse(receiptsQuery, request.query)
    const page = await gateway.receipts({ fromMs, untilMs, ...filter })
    const rows = page.receipts.map((receipt) => receiptOf(receipt, fiat))
    if (format === 'csv') return sendCsv(reply, rows, RECEIPT_COLUMNS)
    return {
      count: page.count,
      ...moneyFields('cost', page.costNano, fiat),
      unsettled_nano: String(page.unsettledNano),
      data: rows,
    }
  })
}

function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const checked = schema.safeParse(body ?? {})
  if (checked.success) return checked.data
  const { field, says } = complaintOf(checked.error, (body ?? {}) as Record<string, unknown>)
  throw apiError('request.bad-field', { message: `'${field}' ${says}.`, field })
}

const iso = (ms: number): string => new Date(ms).toISOString()
const DAY_MS = 86_400_000
const dayNumber = (text: string): number => Date.parse(text) / DAY_MS

function keyOf({ id, project, name, scopes, models, limits, createdMs, expiresMs, revokedMs }: ApiKey) {
  return {
    id,
    project,
    name,
    scopes,
    models,
    limits: {
      requests_per_minute: limits.requestsPerMinute ?? null,
      tokens_per_minute: limits.tokensPerMinute ?? null,
      max_concurrent: limits.maxConcurrent ?? null,
    },
    created_at: iso(createdMs),
    expires_at: expiresMs === null ? null : iso(expiresMs),
    revoked_at: revokedMs === null ? null : iso(revokedMs),
  }
}

function budgetOf({ budget, fromMs, untilMs, spentNano, reservedNano }: BudgetState, fiat: Fiat | undefined): object {
  const { scope, id, model, window, limitNano, warnAtPercent } = budget
  return {
    scope,
    id,
    model,
    window,
    ...moneyFields('limit', limitNano, fiat),
    ...moneyFields('spent', spentNano, fiat),
    reserved_nano: String(reservedNano),
    warn_at_percent: warnAtPercent,
    window_begins: window === 'total' ? null : iso(fromMs),
    window_ends: window === 'total' ? null : iso(untilMs),
  }
}

const USAGE_COLUMNS = [
  'requests',
  'failed',
  'prompt_tokens',
  'cached_tokens',
  'completion_tokens',
  'reasoning_tokens',
  'total_tokens',
  'cost_nano',
  'cost_ton',
  'unsettled_nano',
]

const tokensOf = (t: Pick<UsageRow, 'prompt' | 'cached' | 'completion' | 'reasoning' | 'total'>) => ({
  prompt_tokens: String(t.prompt),
  cached_tokens: String(t.cached),
  completion_tokens: String(t.completion),
  reasoning_tokens: String(t.reasoning),
  total_tokens: String(t.total),
})

function usageOf(by: string, row: UsageRow, fiat: Fiat | undefined): Record<string, unknown> {
  return {
    [by]: row.name,
    requests: Number(row.requests),
    failed: Number(row.failed),
    ...tokensOf(row),
    ...moneyFields('cost', row.costNano, fiat),
    unsettled_nano: String(row.unsettledNano),
  }
}

const RECEIPT_COLUMNS = [
  'seq',
  'request',
  'ended_at',
  'project',
  'key',
  'model',
  'path',
  'result',
  'status',
  'code',
  ...USAGE_COLUMNS.filter((name) => name.endsWith('_tokens')),
  'cost_nano',
  'cost_ton',
  'unsettled_nano',
  'max_cost_nano',
  'proxy',
  'worker',
  'evidence',
  'attempts',
  'queued_ms',
  'sent_ms',
  'first_byte_ms',
  'duration_ms',
]

function receiptOf(r: ReceiptPage['receipts'][number], fiat: Fiat | undefined): Record<string, unknown> {
  const { seq, request, project, key, model, path, result, status, code, proxy, worker, evidence } = r
  return {
    ...{ seq, request, ended_at: iso(r.atMs), project, key, model, path, result, status, code },
    ...tokensOf(r),
    ...moneyFields('cost', r.costNano, fiat),
    unsettled_nano: String(r.unsettledNano),
    max_cost_nano: String(r.maxCostNano),
    ...{ proxy, worker, evidence },
    attempts: r.attempts.length,
    queued_ms: r.queuedMs,
    sent_ms: r.sentMs,
    first_byte_ms: r.firstByteMs,
    duration_ms: r.durationMs,
    tries: r.attempts.map((one) => ({
      proxy: one.proxy,
      worker: one.worker,
      sent_ms: one.sentMs,
      first_byte_ms: one.firstByteMs,
      ended_ms: one.endedMs,
      ended: one.ended,
    })),
  }
}

const sendCsv = (
  reply: FastifyReply,
  rows: readonly Record<string, unknown>[],
  columns: readonly string[],
): FastifyReply => reply.type('text/csv; charset=utf-8').send(toCsv(columns, rows))
