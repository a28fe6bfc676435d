/** What comes in at `/admin`, checked, and how times leave. */
import type { z } from 'zod'
import { complaintOf } from './complaint.ts'
import { apiError } from './errors.ts'

/** Throws `request.bad-field`, naming it. */
export function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const checked = schema.safeParse(body ?? {})
  if (checked.success) return checked.data
  const { field, says } = complaintOf(checked.error, (body ?? {}) as Record<string, unknown>)
  throw apiError('request.bad-field', { message: `'${field}' ${says}.`, field })
}

export const iso = (ms: number): string => new Date(ms).toISOString()
