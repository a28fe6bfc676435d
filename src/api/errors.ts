/** The codes of this folder, and the one table from codes to HTTP statuses and OpenAI error bodies. */
import { CocoonError, type ErrorCode, type ErrorFamily, type ErrorInfo, toCocoonError } from '../util/index.ts'

/** Codes of this folder, each with what happened and what mends it. */
export const API_ERRORS = {
  'request.bad-json': 'The body is not valid JSON.',
  'request.bad-form': 'The body is not a valid form.',
  'request.not-an-object': 'The body must be a JSON object.',
  'request.too-deep': 'The body is nested too deeply.',
  'request.idempotency-key': 'The Idempotency-Key is malformed, or was used for another request.',
  'request.bad-field': 'A field has the wrong type or is out of range.',
  'request.duplicate-field': 'A field is given twice.',
  'request.conflicting-limits': 'max_tokens and max_completion_tokens differ: give one of them, or both the same.',
  'request.too-many-tokens': 'The token limit times the number of choices and prompts is above 2147483647.',
  'request.not-found': 'There is nothing at this path.',
  'request.method-not-allowed': 'This path does not take this method.',
  'request.unknown-model': 'No worker offers this model; GET /v1/models lists those on offer.',
  'request.unsupported': 'No worker of this model can do what the request asks for.',
  'request.context-overflow': 'No worker of this model has room for the prompt and the answer.',
  'request.unsupported-media': 'The body must be sent as application/json, without a content-encoding.',
  'request.too-large': 'The body is above the limit.',
  'request.headers-too-large': 'The headers are above the limit.',
  'request.timeout': 'The request did not arrive in time.',
  'request.bad-http': 'This is not an HTTP/1.1 request.',
  'request.hung-up': 'The caller left before the answer was complete.',
  'request.unauthorized': 'This node asks for its API key: Authorization: Bearer KEY.',
  'request.forbidden-host': 'Without an API key this node answers only to localhost and IP addresses as Host.',
  'capacity.shutting-down': 'This node is shutting down.',
  'capacity.busy': 'This node has as many requests running as it takes.',
  'capacity.slow-reader': 'The caller reads more slowly than the answer arrives.',
  'capacity.no-console': 'The console has not been built.',
  'capacity.timeout': 'The request did not finish within its timeout.',
  'engine.bad-answer': 'The answer is not one that can be passed on.',
  'engine.stream-cut': 'The event stream ended without its terminator: the answer is incomplete.',
} as const

export type ApiErrorCode = keyof typeof API_ERRORS

export function apiError(code: ApiErrorCode, info: ErrorInfo = {}): CocoonError {
  return new CocoonError(code, { message: API_ERRORS[code], ...info })
}

/** What OpenAI's clients expect of an error. */
export interface OpenAiErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    /** The field at fault. */
    readonly param: string | null
    readonly code: string
  }
}

export interface HttpError {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: OpenAiErrorBody
}

const STATUS_BY_FAMILY: Readonly<Record<ErrorFamily, number>> = {
  request: 400,
  payment: 402,
  capacity: 503,
  attestation: 502,
  protocol: 502,
  tl: 502,
  engine: 502,
  chain: 503,
  config: 500,
  model: 500,
  bug: 500,
}

const STATUS_BY_CODE: Readonly<Partial<Record<ErrorCode, number>>> = {
  'request.unauthorized': 401,
  'request.forbidden-host': 403,
  'request.not-found': 404,
  'request.unknown-model': 404,
  'request.method-not-allowed': 405,
  'request.timeout': 408,
  'request.too-large': 413,
  'request.invalid-key': 401,
  'request.key-expired': 401,
  'request.key-revoked': 401,
  'request.key-scope': 403,
  'request.key-model': 403,
  'request.not-allowed': 403,
  'request.no-account': 404,
  'request.message-too-large': 413,
  'request.no-file': 404,
  'request.no-batch': 404,
  'request.file-in-use': 409,
  'request.batch-over': 409,
  'request.file-too-large': 413,
  'request.files-full': 413,
  'request.unsupported-media': 415,
  'request.headers-too-large': 431,
  'capacity.busy': 429,
  'capacity.rate-limit': 429,
  'capacity.timeout': 504,
  'engine.timeout': 504,
}

/** Codes that OpenAI has a word for, which client libraries and people look for. */
const OPENAI_CODES: Readonly<Partial<Record<ErrorCode, string>>> = {
  'request.unauthorized': 'invalid_api_key',
  'request.invalid-key': 'invalid_api_key',
  'request.unknown-model': 'model_not_found',
  'request.context-overflow': 'context_length_exceeded',
}

/** Long enough for every sentence of ours; peers' texts are cut. */
const MAX_MESSAGE_CHARS = 500

/** Status, headers and body for whatever was thrown. What went wrong inside stays inside. */
export function toHttpError(thrown: unknown): HttpError {
  const error = toCocoonError(thrown)
  const status = STATUS_BY_CODE[error.code] ?? STATUS_BY_FAMILY[error.family] ?? 500
  return { status, headers: headersOf(error, status), body: toErrorBody(error) }
}

export function toErrorBody(error: CocoonError): OpenAiErrorBody {
  const { field } = error.info
  return {
    error: {
      message: messageOf(error),
      type: typeOf(error),
      param: typeof field === 'string' ? field : null,
      code: OPENAI_CODES[error.code] ?? error.code,
    },
  }
}

function typeOf(error: CocoonError): string {
  if (error.family === 'request') return 'invalid_request_error'
  if (error.family === 'payment') return 'insufficient_quota'
  return STATUS_BY_CODE[error.code] === 429 ? 'rate_limit_error' : 'server_error'
}

function messageOf(error: CocoonError): string {
  if ((STATUS_BY_FAMILY[error.family] ?? 500) === 500)
    return 'This node failed to handle the request; its log has the reason, under the id in x-request-id.'
  // A message may quote a peer: no control characters, no essays.
  const message = error.message.replaceAll(/\p{Cc}+/gu, ' ')
  return message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS)}…` : message
}

function headersOf(error: CocoonError, status: number): Record<string, string> {
  const headers: Record<string, string> = {}
  const { retryAfterMs, allow } = error.info
  if (typeof retryAfterMs === 'number' && retryAfterMs >= 0 && Number.isFinite(retryAfterMs)) {
    headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000))
    headers['retry-after-ms'] = String(Math.ceil(retryAfterMs))
  }
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  if (status === 405 && typeof allow === 'string') headers.allow = allow
  for (const [name, value] of Object.entries(error.info))
    if (name.startsWith('x-ratelimit-')) headers[name] = String(value)
  // Clients retry every 5xx of their own accord; a fault of ours does not go away, nor does a price.
  if (status === 500 || error.code === 'capacity.price') headers['x-should-retry'] = 'false'
  return headers
}
