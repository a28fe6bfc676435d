/** GET /admin/usage and /admin/receipts, as JSON and CSV. Shapes: admin-contract.ts. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Gateway, ReasonRow, ReceiptPage, UsageRow } from '../gateway/index.ts'
import { projectFor } from './admin-access.ts'
import { iso, parse } from './admin-body.ts'
import { receiptsQuery, usageQuery } from './admin-contract.ts'
import { toCsv } from './csv.ts'
import { apiError } from './errors.ts'
import { type FiatNow, moneyFields } from './money-fields.ts'

export function addReports(scope: FastifyInstance, gateway: Gateway, fiat: FiatNow | undefined): void {
  scope.get('/usage', async (request, reply) => {
    const { by, from, to, format, ...given } = parse(usageQuery, request.query)
    const [fromDay, toDay] = [from, to].map((text) => (text === undefined ? undefined : dayNumber(text)))
    const filter = { ...given, fromDay, toDay, project: projectFor(request.actor, given.project) }
    if (by === 'code') {
      const { model, ...rest } = filter
      if (model !== undefined)
        throw apiError('request.bad-field', { message: "'model' cannot be given by code.", field: 'model' })
      const rows = (await gateway.reasons(rest)).map(reasonOf)
      return format === 'csv' ? sendCsv(reply, rows, REASON_COLUMNS) : { by, data: rows }
    }
    const rows = (await gateway.usage({ by, ...filter })).map((row) => usageOf(by, row, fiat))
    return format === 'csv' ? sendCsv(reply, rows, [by, ...USAGE_COLUMNS]) : { by, data: rows }
  })
  scope.get('/receipts', async (request, reply) => {
    const { from: fromMs, until: untilMs, format, ...given } = parse(receiptsQuery, request.query)
    const filter = { ...given, project: projectFor(request.actor, given.project) }
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

const DAY_MS = 86_400_000
const dayNumber = (text: string): number => Date.parse(text) / DAY_MS

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

function usageOf(by: string, row: UsageRow, fiat: FiatNow | undefined): Record<string, unknown> {
  return {
    [by]: row.name,
    requests: Number(row.requests),
    failed: Number(row.failed),
    ...tokensOf(row),
    ...moneyFields('cost', row.costNano, fiat),
    unsettled_nano: String(row.unsettledNano),
  }
}

const REASON_COLUMNS = ['code', 'requests', 'failed', 'refused']

const reasonOf = ({ code, failed, refused }: ReasonRow): Record<string, unknown> => ({
  code,
  requests: Number(failed + refused),
  failed: Number(failed),
  refused: Number(refused),
})

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

function receiptOf(r: ReceiptPage['receipts'][number], fiat: FiatNow | undefined): Record<string, unknown> {
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
