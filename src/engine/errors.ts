/** What can go wrong between a worker and its inference engine, and how a failure of the HTTP client becomes one of it. */
import { CocoonError, type ErrorInfo } from '../util/index.ts'

/** Codes of this folder, each with what happened and what mends it. */
export const ENGINE_ERRORS = {
  'engine.unreachable': 'No connection to the engine: it is not running, or the configured url is wrong.',
  'engine.timeout': 'The engine did not finish in the time the caller allows.',
  'engine.cut-off': 'The engine closed the connection, or its body ended, in the middle of an answer: see its own log.',
  'engine.stream-cut': 'The event stream ended without `[DONE]` and without usage: the engine gave up on the request.',
  'engine.bad-answer': 'What came from the engine is not an HTTP answer we can pass on.',
  'engine.bad-request': 'The request cannot be written as HTTP/1.1: its method, path or a header is malformed.',
  'engine.too-large': 'The answer, or one JSON document of it, is above the limit.',
  'engine.event-too-large': 'One server-sent event is above the limit.',
  'engine.aborted': 'The caller gave the request up, or the worker is stopping.',
} as const

export type EngineErrorCode = keyof typeof ENGINE_ERRORS

export function engineError(code: EngineErrorCode, info: ErrorInfo = {}, cause?: unknown): CocoonError {
  return new CocoonError(code, { message: ENGINE_ERRORS[code], ...info }, cause === undefined ? {} : { cause })
}

/** Codes of Node and undici that mean that no connection came about. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Codes that mean that a connection ended early. */
const CUT_OFF = new Set([
  'UND_ERR_SOCKET',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
])

/** The `engine.*` error for whatever undici reported. An error of ours stays itself; an unknown one is `bug.unexpected`. */
export function toEngineError(error: unknown): CocoonError {
  if (error instanceof CocoonError) return error
  // The parser's error holds the bytes it choked on, which may be an answer's: it must not travel on as a cause. Its code
  // is not set in undici 8, so a chunked body that ends early is known by llhttp's wording ("Invalid EOF state").
  if (error instanceof Error && error.name === 'HTTPParserError')
    return engineError(/\bEOF\b/.test(error.message) ? 'engine.cut-off' : 'engine.bad-answer', {
      reason: 'HTTP parser',
    })
  const code = codeOf(error)
  const reason = { reason: code ?? 'unknown' }
  if (code === undefined) return new CocoonError('bug.unexpected', { message: String(error) }, { cause: error })
  if (UNREACHABLE.has(code) || isTlsFailure(code)) return engineError('engine.unreachable', reason, error)
  if (CUT_OFF.has(code)) return engineError('engine.cut-off', reason, error)
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED')
    return engineError('engine.bad-request', reason, error)
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED' || code === 'UND_ERR_ABORTED')
    return engineError('engine.aborted', reason, error)
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return engineError('engine.bad-answer', reason, error)
  return new CocoonError('bug.unexpected', { message: String(error), ...reason }, { cause: error })
}

/** The machine-readable code; of several attempts at one name (`AggregateError`) that of the first. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return error instanceof AggregateError ? codeOf(error.errors[0]) : undefined
}

/** Node gives these when the engine's certificate (an `https` url) cannot be trusted. */
function isTlsFailure(code: string): boolean {
  return code.startsWith('ERR_TLS_') || code.startsWith('ERR_SSL_') || /CERT|SELF_SIGNED|UNABLE_TO_/.test(code)
}
