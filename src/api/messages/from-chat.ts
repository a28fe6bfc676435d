/** A chat completion as an answer of the Messages API, whole or as its events. Pure. */
import type { ChatPiece, ChatUsage, ToolCallPiece } from '../chat-piece.ts'
import { apiError } from '../errors.ts'
import { type AnswerTranslation, namedEvent, type StreamTranslation } from '../translated-outlet.ts'
import { statusOf, toMessagesError } from './errors.ts'

export interface MessagesContext {
  readonly traceId: string
  /** As the caller named it. */
  readonly model: string
  /** Whether the caller wants to see the reasoning; otherwise its first block would not be the answer. */
  readonly wantsThinking: boolean
  readonly stopSequences: readonly string[]
}

export function messagesTranslation(context: MessagesContext): AnswerTranslation {
  return {
    whole: (piece) => wholeMessage(piece, context),
    error: (status, error) => toMessagesError(status, error, context.traceId),
    ownField,
    stream: () => messageStream(context),
  }
}

/** The answer to `/v1/messages/count_tokens`. */
export function countTranslation(traceId: string): AnswerTranslation {
  return {
    whole({ usage }) {
      if (usage === undefined)
        throw apiError('engine.bad-answer', { message: 'The engine does not say how long the prompt is.' })
      return { input_tokens: usage.prompt }
    },
    error: (status, error) => toMessagesError(status, error, traceId),
    ownField,
  }
}

/** Of messages only that it was one of them: a system prompt and results of tools are messages of their own in a chat completion. */
function ownField(field: string): string {
  if (field.startsWith('messages')) return 'messages'
  return field.startsWith('response_format') ? 'output_format' : field
}

function wholeMessage(piece: ChatPiece, context: MessagesContext): object {
  const calls = piece.toolCalls.map((call) => toToolUse(call, piece.finish, context))
  const text = piece.content === '' ? piece.refusal : piece.content
  return {
    ...emptyMessage(context),
    content: [
      ...(context.wantsThinking && piece.reasoning !== ''
        ? [{ type: 'thinking', thinking: piece.reasoning, signature: '' }]
        : []),
      ...(text === '' ? [] : [{ type: 'text', text, citations: null }]),
      ...calls,
    ],
    ...stopOf(piece, calls.length > 0, context),
    usage: usageOf(piece.usage),
  }
}

const emptyMessage = ({ traceId, model }: MessagesContext) => ({
  id: `msg_${traceId}`,
  type: 'message',
  role: 'assistant',
  model,
  content: [] as object[],
  stop_reason: null as string | null,
  stop_sequence: null as string | null,
})

/** Anthropic counts cached tokens apart from the other input. */
function usageOf(usage: ChatUsage | undefined): object {
  return {
    input_tokens: (usage?.prompt ?? 0) - (usage?.cached ?? 0),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: usage?.cached ?? 0,
    output_tokens: usage?.completion ?? 0,
    ...usage?.costs,
  }
}

function stopOf(
  { finish, stoppedBy, refusal }: Pick<ChatPiece, 'finish' | 'stoppedBy' | 'refusal'>,
  hasCalls: boolean,
  { stopSequences }: MessagesContext,
): { readonly stop_reason: string; readonly stop_sequence: string | null } {
  const because = (stop_reason: string): ReturnType<typeof stopOf> => ({ stop_reason, stop_sequence: null })
  if (finish === 'length') return because('max_tokens')
  if (finish === 'content_filter' || refusal !== '') return because('refusal')
  // Engines say "stop" after a call that the caller had demanded.
  if (hasCalls) return because('tool_use')
  if (stoppedBy !== undefined && stopSequences.includes(stoppedBy))
    return { stop_reason: 'stop_sequence', stop_sequence: stoppedBy }
  return because('end_turn')
}

function toToolUse(call: ToolCallPiece, finish: string | undefined, { traceId }: MessagesContext): object {
  if (call.name === undefined)
    throw apiError('engine.bad-answer', { message: 'The engine calls a tool without a name.' })
  return { type: 'tool_use', id: idOf(call, traceId), name: call.name, input: readInput(call.arguments, finish) }
}

const idOf = (call: ToolCallPiece, traceId: string): string => call.id ?? `toolu_${traceId}_${call.index}`

/** An answer that was cut short has half an object, of which the stop reason tells; any other is the engine's fault. */
function readInput(text: string, finish: string | undefined): object {
  if (text.trim() === '') return {}
  try {
    const input: unknown = JSON.parse(text)
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input
  } catch {
    if (finish === 'length') return {}
  }
  throw apiError('engine.bad-answer', { message: 'The engine calls a tool with arguments that are not a JSON object.' })
}

type Block = 'thinking' | 'text' | 'tool_use'

/** Blocks follow one another: a new kind of piece, or a new call, ends the block before it. */
function messageStream(context: MessagesContext): StreamTranslation {
  let started = false
  let open: Block | undefined
  let index = -1
  /** Of the call whose block is open, and of one whose name is still to come. */
  let callIndex = -1
  let pending: { call: ToolCallPiece; arguments: string } | undefined
  let hasCalls = false
  let finish: string | undefined
  let stoppedBy: string | undefined
  let refusal = ''
  let usage: ChatUsage | undefined

  const start = (): string => {
    if (started) return ''
    started = true
    const message = { ...emptyMessage(context), usage: usageOf(usage) }
    return namedEvent({ type: 'message_start', message }) + namedEvent({ type: 'ping' })
  }
  const close = (): string => {
    if (open === undefined) return ''
    open = undefined
    return namedEvent({ type: 'content_block_stop', index })
  }
  const begin = (kind: Block, content_block: object): string => {
    const closed = close()
    open = kind
    index++
    return `${closed}${namedEvent({ type: 'content_block_start', index, content_block })}`
  }
  const delta = (delta: object): string => namedEvent({ type: 'content_block_delta', index, delta })

  const think = (thinking: string): string =>
    thinking === '' || !context.wantsThinking
      ? ''
      : `${open === 'thinking' ? '' : begin('thinking', { type: 'thinking', thinking: '', signature: '' })}${delta({ type: 'thinking_delta', thinking })}`
  const say = (text: string): string =>
    text === ''
      ? ''
      : `${open === 'text' ? '' : begin('text', { type: 'text', text: '', citations: null })}${delta({ type: 'text_delta', text })}`

  function call(piece: ToolCallPiece): string {
    if (open === 'tool_use' && piece.index === callIndex) return input(piece.arguments)
    if (pending?.call.index === piece.index)
      pending = {
        call: { ...pending.call, id: pending.call.id ?? piece.id, name: pending.call.name ?? piece.name },
        arguments: pending.arguments + piece.arguments,
      }
    else {
      if (piece.index <= callIndex || pending !== undefined)
        throw apiError('engine.bad-answer', { message: 'The engine mixes the pieces of several tool calls.' })
      pending = { call: piece, arguments: piece.arguments }
    }
    const { call: known, arguments: text } = pending
    if (known.name === undefined) return ''
    pending = undefined
    callIndex = known.index
    hasCalls = true
    const block = { type: 'tool_use', id: idOf(known, context.traceId), name: known.name, input: {} }
    return begin('tool_use', block) + input(text)
  }
  const input = (partial_json: string): string =>
    partial_json === '' ? '' : delta({ type: 'input_json_delta', partial_json })

  return {
    piece(piece) {
      usage = piece.usage ?? usage
      finish = piece.finish ?? finish
      stoppedBy = piece.stoppedBy ?? stoppedBy
      refusal += piece.refusal
      return (
        start() + think(piece.reasoning) + say(piece.content) + say(piece.refusal) + piece.toolCalls.map(call).join('')
      )
    },
    idle: () => (started ? namedEvent({ type: 'ping' }) : ''),
    done() {
      if (pending !== undefined)
        throw apiError('engine.bad-answer', { message: 'The engine calls a tool without a name.' })
      const stop = stopOf({ finish, stoppedBy, refusal }, hasCalls, context)
      return (
        start() +
        close() +
        namedEvent({ type: 'message_delta', delta: stop, usage: usageOf(usage) }) +
        namedEvent({ type: 'message_stop' })
      )
    },
    failed: (error) => namedEvent({ ...toMessagesError(statusOf(error), error, context.traceId) }),
  }
}
