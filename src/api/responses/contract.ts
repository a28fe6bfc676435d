/**
 * What `POST /v1/responses` takes: OpenAI's Responses API without its memory. This node keeps no answers, so everything that
 * refers to a kept one is refused, as is what only OpenAI's servers can do. Browser-safe.
 * Source: platform.openai.com, "Create a model response".
 */
import { z } from 'zod'
import { ENVELOPE_FIELDS, MAX_INT31 } from '../contract.ts'

const absent = (why: string) => z.null({ error: why }).optional()
const text = z.string().nullish()
const NO_FILES = 'must be left out: this node keeps no files'

const inputText = z.looseObject({ type: z.enum(['input_text', 'output_text', 'text']), text: z.string() })
const refusal = z.looseObject({ type: z.literal('refusal'), refusal: z.string() })
const inputImage = z.looseObject({
  type: z.literal('input_image'),
  image_url: z.string().min(1),
  detail: text,
  file_id: absent(NO_FILES),
})
const inputAudio = z.looseObject({
  type: z.literal('input_audio'),
  input_audio: z.looseObject({ data: z.string(), format: z.string() }),
})
const inputFile = z.looseObject({
  type: z.literal('input_file'),
  file_data: z.string().min(1),
  filename: text,
  file_id: absent(NO_FILES),
  file_url: absent('must be left out: this node fetches nothing for a caller'),
})
const part = z.discriminatedUnion('type', [inputText, refusal, inputImage, inputAudio, inputFile], {
  error: 'must be of type input_text, output_text, refusal, input_image, input_audio or input_file',
})
const content = z.union([z.string(), z.array(part)], { error: 'must be a string or an array of parts' })

const message = z.looseObject({
  type: z.literal('message').nullish(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content,
})
const functionCall = z.looseObject({
  type: z.literal('function_call'),
  call_id: z.string().min(1),
  name: z.string().min(1),
  arguments: z.string(),
})
const functionOutput = z.looseObject({
  type: z.literal('function_call_output'),
  call_id: z.string().min(1),
  output: content,
})
const reasoning = z.looseObject({
  type: z.literal('reasoning'),
  content: z.array(z.looseObject({ type: z.string(), text: z.string() })).nullish(),
})

const ITEMS = { message, function_call: functionCall, function_call_output: functionOutput, reasoning } as const

/** Told apart by `type`, which a message need not have; the complaint is then about the kind that was meant. */
const item = z.looseObject({}).transform((given, context) => {
  const type = given['type'] ?? 'message'
  if (typeof type !== 'string' || !Object.hasOwn(ITEMS, type)) {
    const known = `must be one of ${Object.keys(ITEMS).join(', ')}: nothing else can be said to an engine`
    context.addIssue({ code: 'custom', path: ['type'], message: known })
    return z.NEVER
  }
  const read = ITEMS[type as keyof typeof ITEMS].safeParse(given)
  if (read.success) return read.data
  for (const issue of read.error.issues) context.addIssue(issue as z.core.$ZodRawIssue as never)
  return z.NEVER
})

const tool = z.looseObject({
  type: z.literal('function', {
    error: 'must be function: tools that OpenAI’s servers run do not exist here',
  }),
  name: z.string().min(1),
  description: text,
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
})

const toolChoice = z.union(
  [
    z.enum(['none', 'auto', 'required']),
    z.looseObject({ type: z.literal('function'), name: z.string().min(1) }),
    z.looseObject({
      type: z.literal('allowed_tools'),
      mode: z.enum(['auto', 'required']),
      tools: z.array(z.looseObject({ type: z.literal('function'), name: z.string() })),
    }),
  ],
  { error: 'must be none, auto, required, a function or allowed_tools' },
)

const format = z.discriminatedUnion(
  'type',
  [
    z.looseObject({ type: z.literal('text') }),
    z.looseObject({ type: z.literal('json_object') }),
    z.looseObject({
      type: z.literal('json_schema'),
      name: z.string().min(1),
      schema: z.record(z.string(), z.unknown()),
      description: text,
      strict: z.boolean().nullish(),
    }),
  ],
  { error: 'must be of type text, json_object or json_schema' },
)

const STATELESS = 'must be left out: this node keeps no answers; send the earlier items in input'

export const responsesRequest = z.looseObject({
  ...ENVELOPE_FIELDS,
  input: z.union([z.string(), z.array(item).min(1)], { error: 'must be a string or an array of items' }),
  instructions: text,
  tools: z.array(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  text: z.looseObject({ format: format.nullish(), verbosity: text }).nullish(),
  reasoning: z.looseObject({ effort: text, summary: text }).nullish(),
  max_output_tokens: z.int().min(1).max(MAX_INT31).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  include: z
    .array(z.enum(['message.output_text.logprobs', 'reasoning.encrypted_content', 'message.input_image.image_url']))
    .nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({}).nullish(),
  store: z.literal(false, { error: 'must be false or left out: this node keeps no answers' }).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  truncation: z
    .literal('disabled', { error: 'must be disabled: shortening the input is left to the caller' })
    .nullish(),
  background: z.literal(false, { error: 'must be false: this node keeps no answers' }).nullish(),
  previous_response_id: absent(STATELESS),
  conversation: absent(STATELESS),
  prompt: absent('must be left out: this node keeps no prompts'),
  n: absent('must be left out: a response has one answer'),
})

export type ResponsesRequest = z.output<typeof responsesRequest>
export type Item = z.output<typeof item>
export type Part = z.output<typeof part>
