/** What an engine says of itself: `GET /v1/models` is the question whether it is ready, and for what. */
import type { Client } from 'undici'
import type { Clock } from '../util/index.ts'
import { engineError, toEngineError } from './errors.ts'

/** Time to the head and then to the end of the body. The reference implementation gives as much. */
export const MODELS_HEAD_TIMEOUT_MS = 10_000
export const MODELS_BODY_TIMEOUT_MS = 30_000
/** A list of models is a few KiB; routers in front of many engines list hundreds. */
const MAX_MODELS_BYTES = 1024 * 1024

/** Model ids. Status 200 and a complete body mean ready; a body of another shape means an empty list. Throws `engine.*`. */
export const listModels = async (...question: Parameters<typeof readDocument>): Promise<readonly string[]> =>
  idsOf(await readDocument(...question))

/** The text of a small document that the engine serves. Throws `engine.*`, also for any status but 200. */
export async function readDocument(
  client: Client,
  clock: Clock,
  path: string,
  headers: readonly (readonly [string, string])[],
  signal: AbortSignal,
): Promise<string> {
  const stop = new AbortController()
  const expire = (): void => stop.abort(engineError('engine.timeout', { path }))
  const onAbort = (): void => stop.abort(engineError('engine.aborted'))
  let timer = clock.after(MODELS_HEAD_TIMEOUT_MS, expire)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const flat = [['accept-encoding', 'identity'], ...headers].flat()
    const answer = await client.request({ method: 'GET', path, headers: flat, signal: stop.signal })
    timer.cancel()
    timer = clock.after(MODELS_BODY_TIMEOUT_MS, expire)
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      size += chunk.length
      // Leaving the loop destroys the body and with it the connection.
      if (size > MAX_MODELS_BYTES) throw engineError('engine.too-large', { path, limitBytes: MAX_MODELS_BYTES })
      chunks.push(chunk)
    }
    if (answer.statusCode !== 200) throw engineError('engine.bad-answer', { path, status: answer.statusCode })
    return Buffer.concat(chunks).toString()
  } catch (error) {
    throw toEngineError(stop.signal.aborted ? stop.signal.reason : error)
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

function idsOf(text: string): readonly string[] {
  try {
    const { data } = JSON.parse(text) as { readonly data?: unknown }
    if (!Array.isArray(data)) return []
    return data.map((model) => (model as { readonly id?: unknown } | null)?.id).filter((id) => typeof id === 'string')
  } catch {
    return []
  }
}
