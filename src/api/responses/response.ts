/** The response object and its items, as OpenAI's library reads them. */
import type { ChatPiece, ChatUsage, ToolCallPiece } from '../chat-piece.ts'
import { apiError } from '../errors.ts'
import type { ResponsesRequest } from './contract.ts'

export interface ResponseContext {
  readonly traceId: string
  readonly request: ResponsesRequest
}

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete'

export interface ContentPart {
  readonly type: 'output_text' | 'refusal' | 'reasoning_text'
  readonly text: string
  readonly logprobs: readonly unknown[]
}

export type OutputItem =
  | { readonly type: 'reasoning' | 'message'; readonly id: string; readonly parts: readonly ContentPart[] }
  | {
      readonly type: 'function_call'
      readonly id: string
      readonly callId: string
      readonly name: string
      readonly arguments: string
    }

export function writePart({ type, text, logprobs }: ContentPart): object {
  if (type === 'refusal') return { type, refusal: text }
  return type === 'reasoning_text' ? { type, text } : { type, text, annotations: [], logprobs }
}

export function writeItem(item: OutputItem, status: ItemStatus): object {
  if (item.type === 'function_call') {
    const { type, id, callId, name } = item
    return { type, id, call_id: callId, name, arguments: item.arguments, status }
  }
  const content = item.parts.map(writePart)
  return item.type === 'message'
    ? { type: item.type, id: item.id, role: 'assistant', status, content }
    : { type: item.type, id: item.id, summary: [], content, status }
}

/** Ids need to be unique within what a caller sends back; the place in the output makes them so. */
export const itemId = (kind: 'rs' | 'msg' | 'fc', { traceId }: ResponseContext, index: number): string =>
  `${kind}_${traceId}_${index}`

export function toCall(piece: ToolCallPiece, context: ResponseContext, index: number): OutputItem {
  if (piece.name === undefined) throw namelessCall()
  return {
    type: 'function_call',
    id: itemId('fc', context, index),
    callId: piece.id ?? `call_${context.traceId}_${piece.index}`,
    name: piece.name,
    arguments: piece.arguments,
  }
}

export const namelessCall = () => apiError('engine.bad-answer', { message: 'The engine calls a tool without a name.' })

/** Why an answer is not all that it might have been; null when it is. */
export function incompleteReason(finish: string | undefined): 'max_output_tokens' | 'content_filter' | null {
  if (finish === 'length') return 'max_output_tokens'
  return finish === 'content_filter' ? 'content_filter' : null
}

/** A whole chat completion as the items of a response. */
export function itemsOf(piece: ChatPiece, context: ResponseContext): OutputItem[] {
  const items: OutputItem[] = []
  const part = (type: ContentPart['type'], text: string): ContentPart[] =>
    text === '' ? [] : [{ type, text, logprobs: type === 'output_text' ? piece.logprobs : [] }]
  const thoughts = part('reasoning_text', piece.reasoning)
  if (thoughts.length > 0) items.push({ type: 'reasoning', id: itemId('rs', context, 0), parts: thoughts })
  const said = [...part('output_text', piece.content), ...part('refusal', piece.refusal)]
  if (said.length > 0) items.push({ type: 'message', id: itemId('msg', context, items.length), parts: said })
  for (const call of piece.toolCalls) items.push(toCall(call, context, items.length))
  return items
}

export type ResponseState =
  | { readonly is: 'in_progress' }
  | { readonly is: 'ended'; readonly finish: string | undefined }
  | { readonly is: 'failed'; readonly error: { readonly code: string; readonly message: string } }

/** @param createdAt Unix seconds by the engine's clock, once it has said something */
export function writeResponse(
  context: ResponseContext,
  state: ResponseState,
  output: readonly object[],
  usage: ChatUsage | undefined,
  createdAt: number | undefined,
): object {
  const { request, traceId } = context
  const reason = state.is === 'ended' ? incompleteReason(state.finish) : null
  return {
    id: `resp_${traceId}`,
    object: 'response',
    created_at: Math.floor(createdAt ?? 0),
    status: state.is === 'ended' ? (reason === null ? 'completed' : 'incomplete') : state.is,
    background: false,
    error: state.is === 'failed' ? state.error : null,
    incomplete_details: reason === null ? null : { reason },
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    model: request.model,
    output,
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: request.reasoning?.effort ?? null, summary: request.reasoning?.summary ?? null },
    store: false,
    temperature: request.temperature ?? 1,
    text: { format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: (request.tools ?? []).map((tool) => ({ ...tool, strict: tool.strict ?? false })),
    top_p: request.top_p ?? 1,
    truncation: 'disabled',
    usage: usage === undefined ? null : writeUsage(usage),
    user: null,
    metadata: request.metadata ?? {},
  }
}

const writeUsage = (usage: ChatUsage): object => ({
  input_tokens: usage.prompt,
  input_tokens_details: { cached_tokens: usage.cached },
  output_tokens: usage.completion,
  output_tokens_details: { reasoning_tokens: usage.reasoning },
  total_tokens: usage.prompt + usage.completion,
  ...usage.costs,
})
