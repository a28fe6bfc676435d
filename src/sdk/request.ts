/** What an application gave to `fetch`, read the way the HTTP API reads a request. */
import { apiError, INFERENCE_PATHS, TRANSCRIPTION_PATH, TRANSLATED_PATHS } from '../api/index.ts'

/** Which of the API's answers a request is for. Throws `request.not-found`, `request.method-not-allowed`. */
export type Route =
  | { readonly to: 'inference'; readonly path: string }
  | { readonly to: 'models' }
  | { readonly to: 'model'; readonly id: string }
  | { readonly to: 'batches' }

const INFERENCE: ReadonlySet<string> = new Set([...INFERENCE_PATHS, ...TRANSLATED_PATHS, TRANSCRIPTION_PATH])
const JSON_BODY = /^application\/json\s*(?:;|$)/i
const FORM = /^multipart\/form-data\s*;/i
const BATCHES = /^\/v1\/(?:files|batches)(?:\/|$)/
const ONE_MODEL = '/v1/models/'

export function routeOf(method: string, url: string): Route {
  const { pathname: path } = new URL(url)
  if (INFERENCE.has(path)) return onlyIf('POST', method, { to: 'inference', path })
  // Methods and the rest of the path: its own routes know.
  if (BATCHES.test(path)) return { to: 'batches' }
  if (path === '/v1/models') return onlyIf('GET', method, { to: 'models' })
  if (path.startsWith(ONE_MODEL)) return onlyIf('GET', method, { to: 'model', id: decodeId(path) })
  throw apiError('request.not-found', {
    message: 'There is nothing at this path; the base URL ends in /v1, as in http://cocoon/v1.',
  })
}

function onlyIf(allow: string, method: string, route: Route): Route {
  if (method !== allow) throw apiError('request.method-not-allowed', { message: `This path takes ${allow}.`, allow })
  return route
}

function decodeId(path: string): string {
  try {
    return decodeURIComponent(path.slice(ONE_MODEL.length))
  } catch {
    throw apiError('request.unknown-model', { field: 'model' })
  }
}

/**
 * The body, read no further than the limit. Throws `request.unsupported-media`, `request.too-large`, and the signal's
 * reason.
 */
export async function readBody(
  request: Request,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { headers } = request
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') throw apiError('request.unsupported-media')
  const wanted = new URL(request.url).pathname === TRANSCRIPTION_PATH ? FORM : JSON_BODY
  if (!wanted.test(headers.get('content-type') ?? '')) throw apiError('request.unsupported-media')
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const stop = (): void => void reader.cancel(signal?.reason).catch(() => undefined)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const parts: Uint8Array[] = []
    let total = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      total += value.length
      if (total > maxBytes) throw apiError('request.too-large', { message: `The body is above ${maxBytes} bytes.` })
      parts.push(value)
    }
    signal?.throwIfAborted()
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
  } finally {
    signal?.removeEventListener('abort', stop)
    stop()
  }
}
