/** A request of the Responses API as a chat completion with the same meaning. Pure. */
import { given, unknownFields } from '../request-translation.ts'
import { type Item, type Part, type ResponsesRequest, responsesRequest } from './contract.ts'

type Json = Record<string, unknown>

/** What names a person, or means nothing to an engine. */
const DROPPED = ['user', 'safety_identifier', 'service_tier', 'max_tool_calls', 'prompt_cache_retention']

/** The body for `/v1/chat/completions`. */
export function toChat(request: ResponsesRequest): Json {
  const { tools, tool_choice: choice, text, stream } = request
  const allowed = typeof choice === 'object' && choice?.type === 'allowed_tools' ? choice : undefined
  const names = allowed && new Set(allowed.tools.map(({ name }) => name))
  const offered = tools?.filter(({ name }) => names === undefined || names.has(name)) ?? []
  const wantsLogprobs = request.include?.includes('message.output_text.logprobs') === true
  return given({
    ...unknownFields(responsesRequest, request, DROPPED),
    model: request.model,
    messages: toMessages(request),
    ...(offered.length > 0 && {
      tools: offered.map(({ name, description, parameters, strict }) => ({
        type: 'function',
        function: given({ name, description, parameters, strict }),
      })),
      parallel_tool_calls: request.parallel_tool_calls,
      tool_choice: toToolChoice(choice),
    }),
    response_format: toFormat(text?.format),
    verbosity: text?.verbosity,
    reasoning_effort: request.reasoning?.effort,
    max_tokens: request.max_output_tokens,
    temperature: request.temperature,
    top_p: request.top_p,
    ...(wantsLogprobs && { logprobs: true, top_logprobs: request.top_logprobs }),
    ...(stream === true && { stream, stream_options: { include_usage: true } }),
    max_coefficient: request.max_coefficient,
    max_cost: request.max_cost,
    timeout: request.timeout,
    hedge_after: request.hedge_after,
    enable_debug: request.enable_debug,
  })
}

function toToolChoice(choice: ResponsesRequest['tool_choice']): unknown {
  if (typeof choice !== 'object' || choice === null) return choice
  return choice.type === 'allowed_tools' ? choice.mode : { type: 'function', function: { name: choice.name } }
}

function toFormat(format: NonNullable<ResponsesRequest['text']>['format']): unknown {
  if (format?.type !== 'json_schema') return format?.type === 'json_object' ? { type: 'json_object' } : undefined
  const { name, schema, description, strict } = format
  return { type: 'json_schema', json_schema: given({ name, schema, description, strict }) }
}

/** Templates know one system message, at the start: what begins the conversation goes into it. */
function toMessages({ instructions, input }: ResponsesRequest): Json[] {
  const items: readonly Item[] = typeof input === 'string' ? [{ role: 'user', content: input }] : input
  const system = instructions ? [instructions] : []
  const messages: Json[] = []
  /** The message of the assistant to which further calls and texts belong. */
  let turn: { content: string; reasoning: string; calls: Json[] } | undefined
  const endTurn = (): void => {
    if (turn !== undefined && (turn.content !== '' || turn.calls.length > 0))
      messages.push({
        role: 'assistant',
        content: turn.content === '' && turn.calls.length > 0 ? null : turn.content,
        ...(turn.reasoning !== '' && { reasoning_content: turn.reasoning }),
        ...(turn.calls.length > 0 && { tool_calls: turn.calls }),
      })
    turn = undefined
  }
  const inTurn = () => (turn ??= { content: '', reasoning: '', calls: [] })
  for (const item of items) {
    if (item.type === 'function_call') {
      const { call_id: id, name } = item
      inTurn().calls.push({ id, type: 'function', function: { name, arguments: item.arguments } })
    } else if (item.type === 'reasoning') {
      if (turn !== undefined && turn.calls.length === 0 && turn.content !== '') endTurn()
      inTurn().reasoning += (item.content ?? []).map((one) => one.text).join('')
    } else if (item.type === 'function_call_output') {
      endTurn()
      const { text, others } = split(item.output)
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: text })
      if (others.length > 0) messages.push({ role: 'user', content: others })
    } else if (item.role === 'assistant') {
      if (turn !== undefined && turn.calls.length > 0) endTurn()
      inTurn().content += split(item.content).text
    } else {
      endTurn()
      const isSystem = item.role !== 'user'
      if (isSystem && messages.length === 0) system.push(split(item.content).text)
      else messages.push({ role: isSystem ? 'system' : 'user', content: toContent(item.content) })
    }
  }
  endTurn()
  return system.length > 0 ? [{ role: 'system', content: system.join('\n\n') }, ...messages] : messages
}

const toContent = (content: string | readonly Part[]): unknown =>
  typeof content === 'string' ? content : content.map(toPart)

/** A message that holds text alone, and what does not fit into it. */
function split(content: string | readonly Part[]): { readonly text: string; readonly others: Json[] } {
  if (typeof content === 'string') return { text: content, others: [] }
  const parts = content.map(toPart)
  const isText = (part: Json): boolean => part['type'] === 'text'
  const text = parts.filter(isText).map((part) => part['text'])
  return { text: text.join(''), others: parts.filter((part) => !isText(part)) }
}

function toPart(part: Part): Json {
  switch (part.type) {
    case 'refusal':
      return { type: 'text', text: part.refusal }
    case 'input_image':
      return { type: 'image_url', image_url: given({ url: part.image_url, detail: part.detail }) }
    case 'input_audio':
      return { type: 'input_audio', input_audio: part.input_audio }
    case 'input_file':
      return { type: 'file', file: given({ file_data: part.file_data, filename: part.filename }) }
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: part.text }
  }
}
