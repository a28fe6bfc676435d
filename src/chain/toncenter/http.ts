/** One HTTP POST, bounded in time and size. */
import { CocoonError, concatBytes } from '../../util/index.ts'

export interface HttpRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  /** What the server says about when to come again. */
  readonly retryAfterMs: number | null
  /** The server's clock when it answered, if it says so. */
  readonly dateMs: number | null
  readonly text: string
}

/** Rejects when there is no answer. */
export type HttpPost = (request: HttpRequest) => Promise<HttpAnswer>

/** A hundred transactions with four messages of code each stay below 4 MiB. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024

export const fetchPost: HttpPost = async ({ url, headers, body, signal }) => {
  // A redirect would carry the key to somebody else.
  const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' })
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const dateMs = Date.parse(response.headers.get('date') ?? '')
  return {
    status: response.status,
    dateMs: Number.isNaN(dateMs) ? null : dateMs,
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null,
    text: new TextDecoder().decode(await readBounded(response)),
  }
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    // Leaving the loop cancels the rest.
    if (size > MAX_ANSWER_BYTES) throw new CocoonError('chain.bad-answer', { message: 'the answer is too long' })
    parts.push(part)
  }
  return concatBytes(...parts)
}
