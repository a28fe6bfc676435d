/** A stream of chat completion chunks as the events of a response. Pure. */
import type { ChatUsage, ToolCallPiece } from '../chat-piece.ts'
import { apiError, type OpenAiErrorBody } from '../errors.ts'
import { namedEvent, type StreamTranslation } from '../translated-outlet.ts'
import {
  type ContentPart,
  itemId,
  type ItemStatus,
  incompleteReason,
  namelessCall,
  type OutputItem,
  type ResponseContext,
  type ResponseState,
  toCall,
  writeItem,
  writePart,
  writeResponse,
} from './response.ts'

/** Items follow one another: a new kind of piece, or a new call, ends the item before it. */
export function responseStream(context: ResponseContext): StreamTranslation {
  let sequence = 0
  let isStarted = false
  /** Items that have ended. */
  const output: object[] = []
  let open: OutputItem | undefined
  /** Of the last call that was begun, and of one whose name is still to come. */
  let callIndex = -1
  let pending: ToolCallPiece | undefined
  let finish: string | undefined
  let usage: ChatUsage | undefined
  let createdAt: number | undefined

  const event = (type: string, fields: object): string => namedEvent({ type, sequence_number: sequence++, ...fields })
  const lifecycle = (type: string, state: ResponseState): string =>
    event(type, { response: writeResponse(context, state, output, usage, createdAt) })

  function start(): string {
    if (isStarted) return ''
    isStarted = true
    return (
      lifecycle('response.created', { is: 'in_progress' }) + lifecycle('response.in_progress', { is: 'in_progress' })
    )
  }

  function begin(item: OutputItem): string {
    const closed = close('completed')
    open = item
    return `${closed}${event('response.output_item.added', { output_index: output.length, item: writeItem(item, 'in_progress') })}`
  }

  function close(status: ItemStatus): string {
    if (open === undefined) return ''
    const item = open
    const at = { output_index: output.length }
    let text = ''
    if (item.type === 'function_call')
      text += event('response.function_call_arguments.done', {
        ...at,
        item_id: item.id,
        name: item.name,
        arguments: item.arguments,
      })
    else text += closePart(item.id, item.parts)
    const written = writeItem(item, status)
    text += event('response.output_item.done', { ...at, item: written })
    output.push(written)
    open = undefined
    return text
  }

  const place = (id: string, parts: readonly ContentPart[]) => ({
    item_id: id,
    output_index: output.length,
    content_index: parts.length - 1,
  })

  function closePart(id: string, parts: readonly ContentPart[]): string {
    const part = parts.at(-1)
    if (part === undefined) return ''
    const { type, text, logprobs } = part
    const said = type === 'refusal' ? { refusal: text } : type === 'output_text' ? { text, logprobs } : { text }
    const at = place(id, parts)
    return (
      event(`response.${type}.done`, { ...at, ...said }) +
      event('response.content_part.done', { ...at, part: writePart(part) })
    )
  }

  function say(type: ContentPart['type'], delta: string, logprobs: readonly unknown[]): string {
    if (delta === '') return ''
    const kind = type === 'reasoning_text' ? 'reasoning' : 'message'
    let text = ''
    if (open?.type !== kind) {
      // A begun item must be closed before its successor takes a place in the output.
      text += close('completed')
      text += begin({ type: kind, id: itemId(kind === 'message' ? 'msg' : 'rs', context, output.length), parts: [] })
    }
    const item = open as Extract<OutputItem, { parts: unknown }>
    let parts = item.parts
    if (parts.at(-1)?.type !== type) {
      const fresh: ContentPart = { type, text: '', logprobs: [] }
      text += closePart(item.id, parts)
      parts = [...parts, fresh]
      text += event('response.content_part.added', { ...place(item.id, parts), part: writePart(fresh) })
    }
    const last = parts.at(-1) as ContentPart
    const grown = { type, text: last.text + delta, logprobs: [...last.logprobs, ...logprobs] }
    open = { ...item, parts: [...parts.slice(0, -1), grown] }
    return `${text}${event(`response.${type}.delta`, { ...place(item.id, parts), delta, ...(type === 'output_text' && { logprobs }) })}`
  }

  function call(piece: ToolCallPiece): string {
    if (open?.type === 'function_call' && piece.index === callIndex) return argue(piece.arguments)
    if (pending?.index === piece.index)
      pending = {
        index: piece.index,
        id: pending.id ?? piece.id,
        name: pending.name ?? piece.name,
        arguments: pending.arguments + piece.arguments,
      }
    else {
      if (piece.index <= callIndex || pending !== undefined)
        throw apiError('engine.bad-answer', { message: 'The engine mixes the pieces of several tool calls.' })
      pending = piece
    }
    if (pending.name === undefined) return ''
    const known = pending
    pending = undefined
    callIndex = known.index
    const closed = close('completed')
    return closed + begin(toCall({ ...known, arguments: '' }, context, output.length)) + argue(known.arguments)
  }

  function argue(delta: string): string {
    if (delta === '' || open?.type !== 'function_call') return ''
    open = { ...open, arguments: open.arguments + delta }
    return event('response.function_call_arguments.delta', { item_id: open.id, output_index: output.length, delta })
  }

  return {
    piece(piece) {
      createdAt ??= piece.created
      usage = piece.usage ?? usage
      finish = piece.finish ?? finish
      return (
        start() +
        say('reasoning_text', piece.reasoning, []) +
        say('output_text', piece.content, piece.logprobs) +
        say('refusal', piece.refusal, []) +
        piece.toolCalls.map(call).join('')
      )
    },
    idle: () => ': ping\n\n',
    done() {
      if (pending !== undefined) throw namelessCall()
      const isWhole = incompleteReason(finish) === null
      const ended = start() + close(isWhole ? 'completed' : 'incomplete')
      return ended + lifecycle(isWhole ? 'response.completed' : 'response.incomplete', { is: 'ended', finish })
    },
    failed: (error) => start() + fail(error),
  }

  /** The response says that it failed; the event after it makes libraries raise. */
  function fail(error: OpenAiErrorBody['error']): string {
    const code = error.type === 'rate_limit_error' ? 'rate_limit_exceeded' : 'server_error'
    const closed = close('incomplete')
    const failed = lifecycle('response.failed', { is: 'failed', error: { code, message: error.message } })
    const { message, param } = error
    return closed + failed + event('error', { code: error.code, message, param, error })
  }
}
