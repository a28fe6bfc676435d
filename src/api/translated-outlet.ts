/** An answer in the shape of another API: between `Answer`, which carries a chat completion, and where it goes. */
import type { CocoonError } from '../util/index.ts'
import type { AnswerOutlet } from './answer.ts'
import { type ChatEvents, createChatEvents, readError } from './chat-events.ts'
import { type ChatPiece, readChatPiece } from './chat-piece.ts'
import { apiError, type OpenAiErrorBody, toHttpError } from './errors.ts'

/** How a chat completion becomes an answer of another API. Texts of a stream are whole server-sent events, or empty. */
export interface AnswerTranslation {
  /** The JSON for a whole completion. Throws `engine.bad-answer`. */
  whole(completion: ChatPiece): object
  /** The JSON for a refusal or a failure. */
  error(status: number, error: OpenAiErrorBody['error']): object
  /** The field of the caller's request that became this one of the chat completion. */
  ownField(field: string): string
  /** Called once, when the answer turns out to be a stream. Absent where nobody can ask for one. */
  stream?(): StreamTranslation
}

export interface StreamTranslation {
  /** Throws `engine.bad-answer`. */
  piece(piece: ChatPiece): string
  /** The engine is alive and has nothing to say. */
  idle(): string
  /** What closes a good stream. Throws `engine.bad-answer`. */
  done(): string
  /** What closes one that failed. */
  failed(error: OpenAiErrorBody['error']): string
}

export class TranslatedOutlet implements AnswerOutlet {
  readonly #inner: AnswerOutlet
  readonly #translation: AnswerTranslation
  #stream: { readonly into: StreamTranslation; readonly events: ChatEvents } | undefined
  /** Everything has been said that there is to say; what still comes is dropped. */
  #isOver = false

  constructor(inner: AnswerOutlet, translation: AnswerTranslation) {
    this.#inner = inner
    this.#translation = translation
  }

  get undelivered(): number {
    return this.#inner.undelivered
  }

  begin(status: number, headers: string[], isEventStream: boolean): void {
    const into = isEventStream ? this.#translation.stream?.() : undefined
    if (into === undefined)
      return this.#refuse(headers, 'The answer is not of the kind asked for, or too large to be translated.')
    this.#stream = { into, events: createChatEvents() }
    this.#inner.begin(status, replaced(headers, 'content-type', 'text/event-stream; charset=utf-8'), true)
  }

  write(bytes: Uint8Array): void {
    if (this.#stream === undefined || this.#isOver) return
    const { into, events } = this.#stream
    let text = ''
    try {
      for (const event of events.push(bytes)) {
        if (this.#isOver) break
        switch (event.is) {
          case 'piece':
            text += into.piece(event.piece)
            break
          case 'comment':
            text += into.idle()
            break
          case 'done':
            text += into.done()
            this.#isOver = true
            break
          case 'error':
            text += into.failed(event.error)
            this.#isOver = true
            break
          case 'garbage':
            throw apiError('engine.bad-answer')
          default:
            event satisfies never
        }
      }
    } catch (thrown) {
      text += into.failed(toHttpError(thrown).body.error)
      this.#isOver = true
    }
    if (text !== '') this.#inner.write(Buffer.from(text))
  }

  end(cost: readonly (readonly [string, string])[]): void {
    // Refused at the head: the caller has its answer.
    if (this.#stream === undefined) return
    if (!this.#isOver)
      this.#inner.write(Buffer.from(this.#stream.into.failed(toHttpError(apiError('engine.stream-cut')).body.error)))
    this.#inner.end(cost)
  }

  send(status: number, headers: string[], body: Uint8Array): void {
    if (status >= 300) return this.#sendJson(status, headers, this.#errorFor(status, body))
    try {
      const completion = readChatPiece(parseJson(body))
      if (completion === undefined) throw apiError('engine.bad-answer')
      this.#sendJson(status, headers, this.#translation.whole(completion))
    } catch (thrown) {
      const { status: failed, body: failure } = toHttpError(thrown)
      this.#sendJson(failed, headers, this.#translation.error(failed, failure.error))
    }
  }

  abort(why: CocoonError): void {
    this.#inner.abort(why)
  }

  #errorFor(status: number, body: Uint8Array): object {
    const message = `The engine answered with status ${status}.`
    const unknown = { message, type: 'server_error', param: null, code: 'engine.failed' }
    return this.#translation.error(status, this.#inOwnTerms(readError(parseJson(body)) ?? unknown))
  }

  #inOwnTerms(error: OpenAiErrorBody['error']): OpenAiErrorBody['error'] {
    const { param, message } = error
    if (typeof param !== 'string') return error
    const own = this.#translation.ownField(param)
    return { ...error, param: own, message: message.replaceAll(param, own) }
  }

  #refuse(headers: string[], message: string): void {
    const { status, body } = toHttpError(apiError('engine.bad-answer', { message }))
    this.#sendJson(status, headers, this.#translation.error(status, body.error))
  }

  #sendJson(status: number, headers: readonly string[], json: object): void {
    const bytes = Buffer.from(JSON.stringify(json))
    const typed = replaced(headers, 'content-type', 'application/json; charset=utf-8')
    this.#inner.send(status, replaced(typed, 'content-length', String(bytes.length)), bytes)
  }
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
  } catch {
    return undefined
  }
}

/** In a flat list of headers, of which this and the encoding are the body's own. */
function replaced(flat: readonly string[], name: string, value: string): string[] {
  const rest: string[] = []
  for (let i = 0; i < flat.length; i += 2)
    if (flat[i] !== name && flat[i] !== 'content-encoding') rest.push(flat[i] as string, flat[i + 1] as string)
  return [...rest, name, value]
}

/** One server-sent event with a name, as both translated APIs have them. */
export const namedEvent = (event: { readonly type: string } & Readonly<Record<string, unknown>>): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
