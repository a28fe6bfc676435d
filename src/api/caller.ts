/** A request as a caller makes it and as it leaves this node, and what is common to all kinds of them. */
import type { InferenceRequest } from '../roles/client/index.ts'
import type { AnswerTranslation } from './translated-outlet.ts'

export interface RequestDefaults {
  /** Token limit of a request that gives none. */
  readonly maxTokens: number
  /** Per mille. */
  readonly maxCoefficient: number
  readonly timeoutMs: number
}

export interface CallerRequest {
  /** As asked for; a query string is cut off. */
  readonly path: string
  readonly headers: Iterable<readonly [name: string, value: string]>
  readonly body: Uint8Array
  readonly traceId: string
  /** Id of the API key that asks, or `OWNER`. */
  readonly caller: string
  readonly defaults: RequestDefaults
}

export interface PreparedInference extends InferenceRequest {
  readonly stream: boolean
  /** How the answer is said in the API that the caller speaks; absent when that is the engine's. */
  readonly translation?: AnswerTranslation
}

/** `name` of `name` and of `name@commit:hash`: what workers are found by. */
export const baseName = (model: string): string => model.split('@', 1)[0] as string

/**
 * The only headers of a caller that go further. Whatever names a person, a program or a credential stays: engines need
 * none of it.
 */
const FORWARDED_HEADERS: ReadonlySet<string> = new Set(['accept'])
/** A list of media types is short; longer is a way to smuggle something out. */
const MAX_HEADER_CHARS = 256

export function headersToForward(
  headers: Iterable<readonly [name: string, value: string]>,
  contentType: string,
  bodyBytes: number,
): (readonly [string, string])[] {
  const forwarded: (readonly [string, string])[] = [['content-type', contentType]]
  for (const [name, value] of headers)
    if (FORWARDED_HEADERS.has(name.toLowerCase()) && value.length <= MAX_HEADER_CHARS && /^[\x20-\x7e]*$/.test(value))
      forwarded.push([name.toLowerCase(), value])
  forwarded.push(['content-length', String(bodyBytes)])
  return forwarded
}
