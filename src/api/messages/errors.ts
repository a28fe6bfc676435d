/** Errors in the shape that Anthropic's libraries read. Our code and the field stand beside what they look at. */
import type { OpenAiErrorBody } from '../errors.ts'

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}

export interface MessagesError {
  readonly type: 'error'
  readonly error: {
    readonly type: string
    readonly message: string
    readonly code: string
    /** The field at fault. */
    readonly param: string | null
  }
  readonly request_id: string
}

export function toMessagesError(
  status: number,
  { message, code, param }: OpenAiErrorBody['error'],
  traceId: string,
): MessagesError {
  const type = TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
  return { type: 'error', error: { type, message, code, param }, request_id: traceId }
}

/** In a stream there is no status; the kind of the error stands for it. */
export function statusOf({ type, code }: OpenAiErrorBody['error']): number {
  if (type === 'rate_limit_error') return 429
  if (type === 'insufficient_quota') return 402
  if (type === 'invalid_request_error') return 400
  if (code.endsWith('.timeout')) return 504
  return code.startsWith('capacity.') ? 503 : 500
}
