/** What `/v1/files` and `/v1/batches` take. Shapes: OpenAI's; what is ours besides is said beside it. */
import { z } from 'zod'
import { INFERENCE_PATHS, MAX_COST_SHAPE, MAX_INT31, parseMaxCost } from './contract.ts'

/** Endpoints whose requests may stand in a file. */
export const BATCH_ENDPOINTS = [...INFERENCE_PATHS, '/v1/responses'] as const

const HOUR_SECONDS = 3600
const DAY_SECONDS = 24 * HOUR_SECONDS
/** As OpenAI's. */
const MAX_KEPT_SECONDS = 30 * DAY_SECONDS
const MAX_CUSTOM_ID_CHARS = 512
const MAX_WINDOW_HOURS = 7 * 24
/** 2⁶³−1: what the store can hold. */
const MAX_NANO = 9_223_372_036_854_775_807n

const keptSeconds = z.int().min(HOUR_SECONDS).max(MAX_KEPT_SECONDS)

/** The texts of an upload's form, beside the file itself. */
export const uploadRequest = z.looseObject({
  purpose: z.literal('batch', { error: 'must be "batch": this node keeps files for batches only' }),
  'expires_after[anchor]': z.literal('created_at').optional(),
  'expires_after[seconds]': z
    .string()
    .regex(/^\d{1,8}$/, 'must be a whole number of seconds')
    .transform(Number)
    .pipe(keptSeconds)
    .optional(),
})

export const createBatchRequest = z.strictObject({
  input_file_id: z.string().min(1).max(128),
  endpoint: z.enum(BATCH_ENDPOINTS),
  /** Hours; OpenAI has `24h` alone. */
  completion_window: z
    .string()
    .regex(/^[1-9]\d{0,2}h$/, 'must be like "24h"')
    .refine((text) => Number.parseInt(text, 10) <= MAX_WINDOW_HOURS, `must be at most "${MAX_WINDOW_HOURS}h"`),
  metadata: z
    .record(z.string().max(64), z.string().max(512))
    .refine((pairs) => Object.keys(pairs).length <= 16, 'may have 16 pairs')
    .nullish(),
  output_expires_after: z.strictObject({ anchor: z.literal('created_at'), seconds: keptSeconds }).nullish(),
  /** Ours: the dearest worker that may be chosen, per mille of the network's price. */
  max_coefficient: z.int().min(0).max(MAX_INT31).nullish(),
  /** Ours: whether lines whose answers were lost in a crash are asked again, although they are or may be paid for. */
  repeat_lost: z.boolean().nullish(),
  /** Ours: what all lines together may cost. */
  max_cost: z
    .union([z.int().min(0), z.string()], { error: MAX_COST_SHAPE })
    .transform((value, context) => {
      const nano = parseMaxCost(value)
      if (nano !== null && nano <= MAX_NANO) return nano
      context.addIssue({ code: 'custom', message: MAX_COST_SHAPE })
      return z.NEVER
    })
    .nullish(),
})

/** A line of an input file. */
export const batchLine = z.strictObject({
  custom_id: z.string().min(1).max(MAX_CUSTOM_ID_CHARS),
  method: z.literal('POST'),
  url: z.string(),
  body: z.looseObject({}),
})

const page = {
  after: z.string().max(128).optional(),
}
const limit = (most: number, usual: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(most))
    .default(usual)

export const listFilesQuery = z.looseObject({
  ...page,
  limit: limit(10_000, 10_000),
  order: z.enum(['asc', 'desc']).default('desc'),
  purpose: z.string().max(64).optional(),
})

export const listBatchesQuery = z.looseObject({ ...page, limit: limit(100, 20) })
