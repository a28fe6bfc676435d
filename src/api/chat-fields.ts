/**
 * The fields of a chat completion that have a shape of their own: messages and their parts, tools, formats. What OpenAI
 * defines is checked; kinds that only some engines know pass, since the engine judges them. Browser-safe.
 */
import { z } from 'zod'

const text = z.string().nullish()

const knownPart = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({
    type: z.literal('image_url'),
    image_url: z.looseObject({ url: z.string().min(1), detail: text }),
  }),
  z.looseObject({
    type: z.literal('input_audio'),
    input_audio: z.looseObject({ data: z.string().min(1), format: z.string().min(1) }),
  }),
  z.looseObject({
    type: z.literal('file'),
    file: z.looseObject({ file_data: text, file_id: text, filename: text }),
  }),
  z.looseObject({ type: z.literal('refusal'), refusal: z.string() }),
])
const KNOWN_PARTS: ReadonlySet<string> = new Set(['text', 'image_url', 'input_audio', 'file', 'refusal'])

const otherThan = (known: ReadonlySet<string>) => z.string().refine((type) => !known.has(type), { abort: true })

const part = z.union([knownPart, z.looseObject({ type: otherThan(KNOWN_PARTS) })], {
  error: 'must be a part with a type',
})
const content = z.union([z.string(), z.array(part)], { error: 'must be a string or an array of parts' }).nullish()

const toolCall = z.looseObject({
  id: z.string(),
  type: text,
  function: z.looseObject({ name: z.string(), arguments: z.string() }).nullish(),
})

export const chatMessage = z.discriminatedUnion(
  'role',
  [
    z.looseObject({ role: z.enum(['system', 'developer', 'user', 'function']), content, name: text }),
    z.looseObject({ role: z.literal('assistant'), content, tool_calls: z.array(toolCall).nullish() }),
    z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string() }),
  ],
  { error: 'must be system, developer, user, assistant, tool or function' },
)

const FUNCTION: ReadonlySet<string> = new Set(['function'])

export const chatTool = z.union(
  [
    z.looseObject({
      type: z.literal('function'),
      function: z.looseObject({
        name: z.string().min(1).max(128),
        description: text,
        parameters: z.union([z.looseObject({}), z.boolean()], { error: 'must be a JSON schema' }).nullish(),
        strict: z.boolean().nullish(),
      }),
    }),
    z.looseObject({ type: otherThan(FUNCTION) }),
  ],
  { error: 'must be a tool with a type' },
)

const TOOL_CHOICES = 'must be "none", "auto", "required" or a tool'

export const chatToolChoice = z.union(
  [
    z.enum(['none', 'auto', 'required'], { error: TOOL_CHOICES }),
    z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string().min(1) }) }),
    z.looseObject({ type: otherThan(FUNCTION) }),
  ],
  { error: TOOL_CHOICES },
)

const FORMATS: ReadonlySet<string> = new Set(['text', 'json_object', 'json_schema'])

export const responseFormat = z.union([
  z.discriminatedUnion('type', [
    z.looseObject({ type: z.literal('text') }),
    z.looseObject({ type: z.literal('json_object') }),
    z.looseObject({
      type: z.literal('json_schema'),
      json_schema: z.looseObject({
        name: text,
        description: text,
        schema: z.union([z.looseObject({}), z.boolean()], { error: 'must be a JSON schema' }),
        strict: z.boolean().nullish(),
      }),
    }),
  ]),
  z.looseObject({ type: otherThan(FORMATS) }),
])

export interface ToolUse {
  readonly tools?: readonly z.output<typeof chatTool>[] | null | undefined
  readonly tool_choice?: z.output<typeof chatToolChoice> | null | undefined
}

/** The first function that is demanded but not offered; engines fail at it in ways of their own. */
export function unknownTool({ tools, tool_choice: choice }: ToolUse): string | undefined {
  if (choice === null || choice === undefined || choice === 'none' || choice === 'auto') return undefined
  if (choice === 'required') return (tools ?? []).length === 0 ? 'is required, but there are no tools' : undefined
  if (choice.type !== 'function') return undefined
  const { name } = choice['function'] as { name: string }
  const offered = tools?.some(
    (tool) => tool.type === 'function' && (tool['function'] as { name: string }).name === name,
  )
  return offered === true ? undefined : 'names a function that is not in tools'
}
