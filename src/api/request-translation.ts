/** What a request of another API is turned into: a chat completion, and the way its answer takes back. */
import type { z } from 'zod'
import { complaintOf } from './complaint.ts'
import { apiError } from './errors.ts'
import type { AnswerTranslation } from './translated-outlet.ts'

export interface TranslatedRequest {
  /** For `/v1/chat/completions`, our own fields still in it. */
  readonly body: Readonly<Record<string, unknown>>
  /** For its answer. */
  readonly translation: AnswerTranslation
}

/** What the schema reads of `json`. Throws `request.bad-field`. */
export function checked<T>(schema: z.ZodType<T>, json: object): T {
  const read = schema.safeParse(json)
  if (read.success) return read.data
  const { field, says } = complaintOf(read.error, json)
  throw apiError('request.bad-field', { message: `'${field}' ${says}.`, field })
}

/** Fields that the API does not define: an engine may know them, so they travel on. */
export function unknownFields(
  schema: z.ZodObject,
  request: Readonly<Record<string, unknown>>,
  dropped: readonly string[],
): Record<string, unknown> {
  const isKnown = (key: string): boolean => Object.hasOwn(schema.shape, key) || dropped.includes(key)
  return Object.fromEntries(Object.entries(request).filter(([key]) => !isKnown(key)))
}

/** Without the members that say nothing. */
export function given(json: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined && value !== null))
}
