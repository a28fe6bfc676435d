/**
 * What `POST /v1/messages` takes: Anthropic's Messages API, as far as it can be said to an engine that speaks chat
 * completions. What cannot be said is refused with its reason, never left out. Browser-safe.
 * Source: docs.anthropic.com, "Create a Message".
 */
import { z } from 'zod'
import { ENVELOPE_FIELDS, MAX_INT31 } from '../contract.ts'

const text = z.looseObject({ type: z.literal('text'), text: z.string() })

const image = z.looseObject({
  type: z.literal('image'),
  source: z.discriminatedUnion(
    'type',
    [
      z.looseObject({
        type: z.literal('base64'),
        media_type: z.enum(['image/jpeg', 'image/png', 'image/gif', 'image/webp']),
        data: z.string().min(1),
      }),
      z.looseObject({ type: z.literal('url'), url: z.string().min(1) }),
    ],
    { error: 'must be of type base64 or url: this node keeps no files' },
  ),
})

const document = z.looseObject({
  type: z.literal('document'),
  title: z.string().nullish(),
  context: z.string().nullish(),
  source: z.discriminatedUnion(
    'type',
    [
      z.looseObject({ type: z.literal('text'), data: z.string() }),
      z.looseObject({ type: z.literal('content'), content: z.union([z.string(), z.array(text)]) }),
    ],
    { error: 'must be of type text or content: engines read no PDF; send its text, or its pages as images' },
  ),
})

const toolUse = z.looseObject({
  type: z.literal('tool_use'),
  id: z.string().min(1),
  name: z.string().min(1),
  input: z.record(z.string(), z.unknown()),
})

const toolResult = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string().min(1),
  is_error: z.boolean().nullish(),
  content: z
    .union([
      z.string(),
      z.array(
        z.discriminatedUnion('type', [text, image, document], {
          error: 'must be of type text, image or document here',
        }),
      ),
    ])
    .nullish(),
})

const thinking = z.looseObject({ type: z.literal('thinking'), thinking: z.string() })
/** Nobody but who wrote it can read it. */
const redacted = z.looseObject({ type: z.literal('redacted_thinking') })

const message = z.discriminatedUnion(
  'role',
  [
    z.looseObject({
      role: z.literal('user'),
      content: z.union([
        z.string(),
        z
          .array(
            z.discriminatedUnion('type', [text, image, document, toolResult], {
              error: 'must be of type text, image, document or tool_result in a user message',
            }),
          )
          .min(1),
      ]),
    }),
    z.looseObject({
      role: z.literal('assistant'),
      content: z.union([
        z.string(),
        z
          .array(
            z.discriminatedUnion('type', [text, toolUse, thinking, redacted], {
              error: 'must be of type text, tool_use, thinking or redacted_thinking in an assistant message',
            }),
          )
          .min(1),
      ]),
    }),
  ],
  { error: 'must have the role user or assistant' },
)

const tool = z.looseObject({
  type: z
    .literal('custom', { error: 'must be custom: tools that Anthropic’s servers run do not exist here' })
    .nullish(),
  name: z.string().min(1).max(128),
  description: z.string().nullish(),
  input_schema: z.looseObject({ type: z.literal('object') }),
  strict: z.boolean().nullish(),
})

const oneAtATime = z.boolean().nullish()
const toolChoice = z.discriminatedUnion(
  'type',
  [
    z.looseObject({ type: z.literal('auto'), disable_parallel_tool_use: oneAtATime }),
    z.looseObject({ type: z.literal('any'), disable_parallel_tool_use: oneAtATime }),
    z.looseObject({ type: z.literal('tool'), name: z.string().min(1), disable_parallel_tool_use: oneAtATime }),
    z.looseObject({ type: z.literal('none') }),
  ],
  { error: 'must be of type auto, any, tool or none' },
)

const jsonFormat = z.looseObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) })

const absent = (why: string) => z.null({ error: why }).optional()

const prompt = {
  ...ENVELOPE_FIELDS,
  messages: z.array(message).min(1),
  system: z.union([z.string(), z.array(text)]).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  thinking: z
    .discriminatedUnion(
      'type',
      [
        z.looseObject({ type: z.literal('enabled'), budget_tokens: z.int().min(1).nullish() }),
        z.looseObject({ type: z.literal('adaptive') }),
        z.looseObject({ type: z.literal('disabled') }),
      ],
      { error: 'must be of type enabled, adaptive or disabled' },
    )
    .nullish(),
  output_format: jsonFormat.nullish(),
  output_config: z
    .looseObject({ effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullish(), format: jsonFormat.nullish() })
    .nullish(),
  mcp_servers: z.array(z.unknown()).max(0, 'must be empty: tools on servers do not exist here').nullish(),
  container: absent('does not exist here: this node runs no code'),
}

export const messagesRequest = z.looseObject({
  ...prompt,
  max_tokens: z.int().min(1).max(MAX_INT31),
  stop_sequences: z.array(z.string().min(1)).nullish(),
  stream: z.boolean().nullish(),
  temperature: z.number().min(0).max(1).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  metadata: z.looseObject({ user_id: z.string().nullish() }).nullish(),
  n: absent('must be left out: a message has one answer'),
})

export const countTokensRequest = z.looseObject(prompt)

export type MessagesRequest = z.output<typeof messagesRequest>
export type CountTokensRequest = z.output<typeof countTokensRequest>
export type Message = z.output<typeof message>
export type ToolResult = z.output<typeof toolResult>
export type Document = z.output<typeof document>
export type Image = z.output<typeof image>
