import { CocoonError, toCocoonError } from '../../util/index.ts'

/** What the engines of this repository refuse or fail with. */
export type EmbeddedEngineErrorCode =
  /** A field of the request is missing, malformed or unsupported; `param` names it. */
  | 'request.invalid'
  /** Prompt and answer do not fit into the model's context. */
  | 'request.context-overflow'
  /** The address does not exist here. */
  | 'request.not-found'
  /** All places and the queue are taken, or the server is closing. */
  | 'capacity.queue-full'
  /** The body is longer than what the engine reads. */
  | 'request.too-large'
  /** The file of the model, or the runtime that computes it, could not be loaded. */
  | 'engine.model-unusable'
  /** The model failed while it was writing an answer. */
  | 'engine.generation-failed'

export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}

/** A queue of whole answers empties within seconds, rarely less. */
const RETRY_AFTER_SECONDS = 2

/** Refuses a field of the request. Never put its value into `why`: it may be somebody's words. */
export function invalid(param: string, why: string, code = 'invalid_value'): CocoonError {
  return new CocoonError('request.invalid', { message: `${param}: ${why}`, param, code })
}

export function queueFull(why: string): CocoonError {
  return new CocoonError('capacity.queue-full', {
    message: `${why} Try again in a few seconds.`,
    code: 'queue_full',
    retryAfterMs: RETRY_AFTER_SECONDS * 1000,
  })
}

/** HTTP status, headers and body of an error, in OpenAI's shape. Internal messages stay inside. */
export function errorAnswer(thrown: unknown): { status: number; headers: Record<string, string>; body: ErrorBody } {
  const error = toCocoonError(thrown)
  const { param, code } = error.info
  const body = (type: string, message: string): ErrorBody => ({
    error: {
      message,
      type,
      param: typeof param === 'string' ? param : null,
      code: typeof code === 'string' ? code : null,
    },
  })
  if (error.code === 'request.not-found')
    return { status: 404, headers: {}, body: body('invalid_request_error', error.message) }
  if (error.code === 'request.too-large')
    return { status: 413, headers: {}, body: body('invalid_request_error', error.message) }
  if (error.family === 'request')
    return { status: 400, headers: {}, body: body('invalid_request_error', error.message) }
  if (error.family === 'capacity') {
    return {
      status: 503,
      headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
      body: body('server_error', error.message),
    }
  }
  return { status: 500, headers: {}, body: body('server_error', 'The engine failed to answer this request.') }
}
