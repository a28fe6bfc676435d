/** /v1/batches: many requests in one file. Shapes: OpenAI's, and what the batch cost and waits for. */
import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { BatchOrder, Batches, BatchView } from '../batch/index.ts'
import { createBatchRequest, listBatchesQuery } from './batch-contract.ts'
import type { ViewerOf } from './batch-viewer.ts'
import { parseIdempotencyKey } from './idempotency.ts'
import { type FiatNow, moneyFields } from './money-fields.ts'
import { pageOf } from './page.ts'
import { parseObject } from './prepare.ts'
import { checked } from './request-translation.ts'

export interface BatchDefaults {
  /** Per mille; of batches that give none. */
  readonly maxCoefficient: number
  readonly keepOutputMs: number
}

const HOUR_MS = 3_600_000

export function addBatchRoutes(
  app: FastifyInstance,
  batches: Batches,
  viewerOf: ViewerOf,
  defaults: BatchDefaults,
  fiat: FiatNow | undefined,
): void {
  const shown = (view: BatchView) => batchOf(view, fiat)
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    scope.post('/v1/batches', async (request) => {
      const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      const asked = checked(createBatchRequest, parseObject(bytes))
      const { viewer, owner } = viewerOf(request.caller)
      const order: BatchOrder = {
        project: owner,
        caller: request.caller,
        endpoint: asked.endpoint,
        inputFile: asked.input_file_id,
        window: asked.completion_window,
        metadata: asked.metadata ?? null,
        maxCoefficient: asked.max_coefficient ?? defaults.maxCoefficient,
        maxCostNano: asked.max_cost ?? null,
        repeatLost: asked.repeat_lost ?? false,
        keepOutputMs: asked.output_expires_after ? asked.output_expires_after.seconds * 1000 : defaults.keepOutputMs,
        idempotency: idempotencyOf(request.headers['idempotency-key'], bytes),
      }
      return shown(await batches.create(viewer, order, Number.parseInt(asked.completion_window, 10) * HOUR_MS))
    })
    // Libraries send an empty body, or none.
    scope.post<{ Params: { batch_id: string } }>('/v1/batches/:batch_id/cancel', async (request) =>
      shown(await batches.cancel(viewerOf(request.caller).viewer, request.params.batch_id)),
    )
  })
  app.get('/v1/batches', async (request) => {
    const { after, limit } = checked(listBatchesQuery, request.query as object)
    return pageOf(batches.list(viewerOf(request.caller).viewer).map(shown), after, limit)
  })
  app.get<{ Params: { batch_id: string } }>('/v1/batches/:batch_id', async (request) =>
    shown(batches.get(viewerOf(request.caller).viewer, request.params.batch_id)),
  )
}

/** Of both only hashes are kept. Throws `request.idempotency-key`. */
function idempotencyOf(key: string | readonly string[] | undefined, body: Uint8Array): BatchOrder['idempotency'] {
  if (key === undefined) return null
  const hash = (of: string | Uint8Array): string => createHash('sha256').update(of).digest('hex')
  return { key: hash(parseIdempotencyKey(key)), body: hash(body) }
}

const seconds = (ms: number | null): number | null => (ms === null ? null : Math.floor(ms / 1000))

function batchOf({ batch, progress, waiting }: BatchView, fiat: FiatNow | undefined) {
  const { status } = batch
  const endedAt = (as: typeof status): number | null => (status === as ? seconds(batch.endedMs) : null)
  const { input, cached, output, reasoning } = progress.usage
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    status,
    input_file_id: batch.inputFile,
    output_file_id: batch.outputFile,
    error_file_id: batch.errorFile,
    errors: batch.problems.length === 0 ? null : { object: 'list', data: batch.problems },
    completion_window: batch.window,
    created_at: seconds(batch.createdMs),
    in_progress_at: seconds(batch.inProgressMs),
    expires_at: seconds(batch.expiresMs),
    finalizing_at: seconds(batch.finalizingMs),
    completed_at: endedAt('completed'),
    failed_at: endedAt('failed'),
    expired_at: endedAt('expired'),
    cancelling_at: seconds(batch.cancellingMs),
    cancelled_at: endedAt('cancelled'),
    request_counts: { total: progress.total, completed: progress.completed, failed: progress.failed },
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: cached },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: reasoning },
      total_tokens: input + output,
    },
    metadata: batch.metadata,
    ...moneyFields('cost', progress.costNano, fiat),
    unsettled_nano: String(progress.unsettledNano),
    max_cost_nano: batch.maxCostNano === null ? null : String(batch.maxCostNano),
    max_coefficient: batch.maxCoefficient,
    repeat_lost: batch.repeatLost,
    waiting_for: waiting,
  }
}
