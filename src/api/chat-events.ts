/**
 * A stream of chat completion chunks as events, from bytes that may be cut anywhere. Lines end with LF, CRLF or CR, as
 * WHATWG HTML, 9.2.6 has them. This is for answers that are translated; all others pass as bytes, unread.
 */
import { type ChatPiece, readChatPiece } from './chat-piece.ts'
import type { OpenAiErrorBody } from './errors.ts'

export type ChatEvent =
  | { readonly is: 'piece'; readonly piece: ChatPiece }
  /** The stream is still alive and has nothing to say. */
  | { readonly is: 'comment' }
  | { readonly is: 'done' }
  | { readonly is: 'error'; readonly error: OpenAiErrorBody['error'] }
  /** An event that nobody can read. */
  | { readonly is: 'garbage' }

export interface ChatEvents {
  push(bytes: Uint8Array): ChatEvent[]
}

/** One event: far above what an engine puts into a chunk; more would be kept in memory for nothing. */
const MAX_EVENT_CHARS = 8 * 1024 * 1024

export function createChatEvents(): ChatEvents {
  const decoder = new TextDecoder()
  /** The unfinished line. */
  let line = ''
  /** A CR may be half of a CRLF. */
  let endedWithCr = false
  /** Of the unfinished event. */
  let data: string[] = []
  let chars = 0

  function endOfLine(events: ChatEvent[]): void {
    if (line === '') {
      if (data.length > 0) events.push(readEvent(data.join('\n')))
      data = []
      chars = 0
    } else if (line.startsWith(':')) events.push({ is: 'comment' })
    else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
    line = ''
  }

  return {
    push(bytes) {
      const events: ChatEvent[] = []
      let text = decoder.decode(bytes, { stream: true })
      if (text === '') return events
      if (endedWithCr && text.startsWith('\n')) text = text.slice(1)
      endedWithCr = text.endsWith('\r')
      const lines = text.split(/\r\n|\n|\r/)
      for (const [i, part] of lines.entries()) {
        line += part
        chars += part.length
        if (chars > MAX_EVENT_CHARS) return [...events, { is: 'garbage' }]
        if (i < lines.length - 1) endOfLine(events)
      }
      return events
    },
  }
}

function readEvent(data: string): ChatEvent {
  if (data.trim() === '[DONE]') return { is: 'done' }
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    return { is: 'garbage' }
  }
  const error = readError(json)
  if (error !== undefined) return { is: 'error', error }
  const piece = readChatPiece(json)
  return piece === undefined ? { is: 'garbage' } : { is: 'piece', piece }
}

/** The error in a body or an event, in OpenAI's shape or one of those engines have; `undefined` when there is none. */
export function readError(json: unknown): OpenAiErrorBody['error'] | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const { error, object } = json as Record<string, unknown>
  // Some engines put the fields of the error on top.
  const found = object === 'error' ? json : error
  if (typeof found === 'string') return { message: found, type: 'server_error', param: null, code: 'engine.failed' }
  if (typeof found !== 'object' || found === null) return undefined
  const { message, type, param, code } = found as Record<string, unknown>
  return {
    message: typeof message === 'string' ? message : 'The engine failed.',
    type: typeof type === 'string' ? type : 'server_error',
    param: typeof param === 'string' ? param : null,
    code: typeof code === 'string' || typeof code === 'number' ? String(code) : 'engine.failed',
  }
}
