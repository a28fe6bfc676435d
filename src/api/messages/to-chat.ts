/** A request of the Messages API as a chat completion with the same meaning. Pure. */
import { given, unknownFields } from '../request-translation.ts'
import {
  type CountTokensRequest,
  type Document,
  type Image,
  type Message,
  type MessagesRequest,
  messagesRequest,
  type ToolResult,
} from './contract.ts'

type Json = Record<string, unknown>

/** What concerns Anthropic's own servers. */
const DROPPED = ['service_tier', 'inference_geo', 'cache_control', 'context_management', 'speed', 'betas']

/**
 * The body for `/v1/chat/completions`. Cache marks are left out, since engines find equal beginnings by themselves; so is
 * `metadata.user_id`, which names a person.
 */
export function toChat(request: MessagesRequest): Json {
  const { stop_sequences: stop, temperature, top_p, top_k, stream } = request
  return given({
    ...unknownFields(messagesRequest, request, DROPPED),
    ...promptOf(request),
    max_tokens: request.max_tokens,
    temperature,
    top_p,
    top_k,
    ...(stop && stop.length > 0 && { stop }),
    ...(stream === true && { stream, stream_options: { include_usage: true } }),
  })
}

/** The same prompt with the shortest answer there is: its usage says how long the prompt is. */
export const toCount = (request: CountTokensRequest): Json => given({ ...promptOf(request), max_tokens: 1 })

function promptOf(request: CountTokensRequest): Json {
  const { system, tools, tool_choice: choice, thinking, output_config: output } = request
  const systemText = typeof system === 'string' ? system : system?.map((block) => block.text).join('\n')
  const format = output?.format ?? request.output_format
  const effort = output?.effort
  return {
    model: request.model,
    messages: [
      ...(systemText ? [{ role: 'system', content: systemText }] : []),
      ...request.messages.flatMap((message) => (message.role === 'user' ? fromUser(message) : fromAssistant(message))),
    ],
    ...(tools && tools.length > 0 && { tools: tools.map(toTool) }),
    ...(choice && { tool_choice: toToolChoice(choice) }),
    ...(choice && choice.type !== 'none' && choice.disable_parallel_tool_use && { parallel_tool_calls: false }),
    ...(format && {
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: format.schema, strict: true } },
    }),
    ...(effort && { reasoning_effort: effort === 'xhigh' || effort === 'max' ? 'high' : effort }),
    // The switch of the chat templates that have one.
    ...(thinking && { chat_template_kwargs: { enable_thinking: thinking.type !== 'disabled' } }),
    max_coefficient: request.max_coefficient,
    max_cost: request.max_cost,
    timeout: request.timeout,
    hedge_after: request.hedge_after,
    enable_debug: request.enable_debug,
  }
}

function toTool(tool: NonNullable<CountTokensRequest['tools']>[number]): Json {
  const { name, description, input_schema: parameters, strict } = tool
  return { type: 'function', function: given({ name, description, parameters, strict }) }
}

function toToolChoice(choice: NonNullable<CountTokensRequest['tool_choice']>): unknown {
  switch (choice.type) {
    case 'any':
      return 'required'
    case 'tool':
      return { type: 'function', function: { name: choice.name } }
    case 'auto':
    case 'none':
      return choice.type
  }
}

/** Results of tools become messages of their own, which stand right behind the calls. */
function fromUser({ content }: Extract<Message, { role: 'user' }>): Json[] {
  if (typeof content === 'string') return [{ role: 'user', content }]
  const results: Json[] = []
  const parts: Json[] = []
  for (const block of content)
    switch (block.type) {
      case 'text':
        parts.push({ type: 'text', text: block.text })
        break
      case 'image':
        parts.push(toImage(block))
        break
      case 'document':
        parts.push({ type: 'text', text: documentText(block) })
        break
      case 'tool_result': {
        const { text, images } = readResult(block)
        results.push({ role: 'tool', tool_call_id: block.tool_use_id, content: text })
        parts.push(...images)
        break
      }
      default:
        block satisfies never
    }
  const only = parts.length === 1 && parts[0]?.['type'] === 'text' ? parts[0]['text'] : parts
  return parts.length === 0 ? results : [...results, { role: 'user', content: only }]
}

/** A tool's message holds text alone; its images follow in the user's message. That a tool failed is said in words. */
function readResult({ content, is_error }: ToolResult): { readonly text: string; readonly images: Json[] } {
  const blocks = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? [])
  const images: Json[] = []
  const texts: string[] = is_error === true ? ['Error:'] : []
  for (const block of blocks)
    if (block.type === 'image') images.push(toImage(block))
    else texts.push(block.type === 'text' ? block.text : documentText(block))
  return { text: texts.join('\n'), images }
}

function toImage({ source }: Image): Json {
  const url = source.type === 'url' ? source.url : `data:${source.media_type};base64,${source.data}`
  return { type: 'image_url', image_url: { url } }
}

function documentText({ title, context, source }: Document): string {
  const body =
    source.type === 'text'
      ? source.data
      : typeof source.content === 'string'
        ? source.content
        : source.content.map((block) => block.text).join('\n')
  return [title, context, body].filter((line) => line).join('\n\n')
}

function fromAssistant({ content }: Extract<Message, { role: 'assistant' }>): Json[] {
  if (typeof content === 'string') return [{ role: 'assistant', content }]
  let text = ''
  let reasoning = ''
  const calls: Json[] = []
  for (const block of content)
    if (block.type === 'text') text += block.text
    else if (block.type === 'thinking') reasoning += block.thinking
    else if (block.type === 'tool_use')
      calls.push({
        id: block.id,
        type: 'function',
        function: { name: block.name, arguments: JSON.stringify(block.input) },
      })
  return [
    {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      ...(reasoning !== '' && { reasoning_content: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
  ]
}
