/** The paths that speak another API than the engines do, and who translates them. */
import type { HttpError } from './errors.ts'
import { toMessagesError } from './messages/errors.ts'
import { translateCount, translateMessages } from './messages/index.ts'
import { translateResponses } from './responses/index.ts'
import type { TranslatedRequest } from './request-translation.ts'

interface TranslatedPath {
  /** Throws `request.*` with `info.field`. */
  readonly translate: (json: object, traceId: string) => TranslatedRequest
  /** The body of an error, where it is not OpenAI's. */
  readonly errorBody?: (error: HttpError, traceId: string) => object
}

export type Translate = TranslatedPath['translate']

const messagesError = (error: HttpError, traceId: string): object =>
  toMessagesError(error.status, error.body.error, traceId)

const BY_PATH: Readonly<Record<string, TranslatedPath>> = {
  '/v1/responses': { translate: translateResponses },
  '/v1/messages': { translate: translateMessages, errorBody: messagesError },
  '/v1/messages/count_tokens': { translate: translateCount, errorBody: messagesError },
}

export const TRANSLATED_PATHS = Object.keys(BY_PATH)

export const translatorOf = (path: string): Translate | undefined => entryOf(path)?.translate

/** What a refusal before any answer looks like on this path. */
export const errorBodyFor = (path: string, error: HttpError, traceId: string): object =>
  entryOf(path)?.errorBody?.(error, traceId) ?? error.body

const entryOf = (path: string): TranslatedPath | undefined => (Object.hasOwn(BY_PATH, path) ? BY_PATH[path] : undefined)
