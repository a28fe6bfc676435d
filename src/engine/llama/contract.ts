/** What the engine accepts: the OpenAI requests it can honour. Unknown fields are ignored, as other engines do. */
import { z } from 'zod'
import { invalid } from '../embedded/errors.ts'

/** Answers to one prompt at once. */
export const MAX_CHOICES = 8
const MAX_STOPS = 16
const MAX_STOP_LENGTH = 256
const MAX_MESSAGES = 4096
const MAX_TOOLS = 128
const MAX_PROMPTS = 64
const MAX_INPUTS = 256
const MAX_BIASES = 1024

const nullable = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined)

const Stop = z
  .union([z.string().min(1).max(MAX_STOP_LENGTH), z.array(z.string().min(1).max(MAX_STOP_LENGTH)).max(MAX_STOPS)])
  .transform((stop) => (typeof stop === 'string' ? [stop] : stop))

/** `false` is what "off" looks like; anything that asks for the feature is refused rather than ignored. */
const unsupported = (why: string) => nullable(z.union([z.literal(false), z.literal(0)], { error: why }))

const Sampling = {
  model: nullable(z.string()),
  temperature: nullable(z.number().min(0).max(2)),
  top_p: nullable(z.number().gt(0).max(1)),
  top_k: nullable(z.number().int().min(0).max(1000)),
  min_p: nullable(z.number().min(0).max(1)),
  seed: nullable(z.number().int()),
  stop: nullable(Stop),
  n: nullable(z.number().int().min(1).max(MAX_CHOICES)),
  max_tokens: nullable(z.number().int().min(1)),
  presence_penalty: nullable(z.number().min(-2).max(2)),
  frequency_penalty: nullable(z.number().min(-2).max(2)),
  /** vLLM's name; 1 is off. */
  repetition_penalty: nullable(z.number().gt(0).max(2)),
  logit_bias: nullable(
    z
      .record(z.string().regex(/^\d+$/, 'keys are token ids'), z.number().min(-100).max(100))
      .refine((bias) => Object.keys(bias).length <= MAX_BIASES, `holds more than ${MAX_BIASES} tokens`),
  ),
  stream: nullable(z.boolean()),
  stream_options: nullable(z.looseObject({ include_usage: nullable(z.boolean()) })),
  /** vLLM's: only requests with the same salt share the memory of earlier prompts. */
  cache_salt: nullable(z.string().max(256)),
}

const Text = z.looseObject({ type: z.literal('text'), text: z.string() })
const Part = z.discriminatedUnion('type', [Text], {
  error: 'only text parts are supported; this engine sees no images, audio or files',
})
const Content = z
  .union([z.string(), z.array(Part)])
  .transform((content) => (typeof content === 'string' ? content : content.map((part) => part.text).join('')))

const ToolCall = z.looseObject({
  id: z.string(),
  type: z.literal('function').default('function'),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
})

const Message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer']), content: Content }),
  z.looseObject({ role: z.literal('user'), content: Content }),
  z.looseObject({
    role: z.literal('assistant'),
    content: nullable(Content),
    tool_calls: nullable(z.array(ToolCall).max(MAX_TOOLS)),
  }),
  z.looseObject({ role: z.literal('tool'), tool_call_id: z.string(), content: Content }),
])
export type Message = z.output<typeof Message>

const JsonSchema = z.union([z.boolean(), z.record(z.string(), z.unknown())])

const Tool = z.looseObject({
  type: z.literal('function', { error: 'only function tools are supported' }),
  function: z.looseObject({
    name: z.string().regex(/^[\w.-]{1,64}$/, 'is 1 to 64 letters, digits, _, . or -'),
    description: nullable(z.string()),
    parameters: nullable(JsonSchema),
    strict: nullable(z.boolean()),
  }),
})
export type Tool = z.output<typeof Tool>

const ToolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string() }) }),
])

const ResponseFormat = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({
    type: z.literal('json_schema'),
    json_schema: z.looseObject({ name: nullable(z.string()), schema: JsonSchema, strict: nullable(z.boolean()) }),
  }),
])

export const ChatRequest = z.looseObject({
  ...Sampling,
  messages: z.array(Message).min(1).max(MAX_MESSAGES),
  max_completion_tokens: nullable(z.number().int().min(1)),
  response_format: nullable(ResponseFormat),
  tools: nullable(z.array(Tool).max(MAX_TOOLS)),
  tool_choice: nullable(ToolChoice),
  /** An answer holds one call at most, so both values are kept. */
  parallel_tool_calls: nullable(z.boolean()),
  logprobs: unsupported('log probabilities are not supported'),
  top_logprobs: unsupported('log probabilities are not supported'),
})
export type ChatRequest = z.output<typeof ChatRequest>

export const CompletionRequest = z.looseObject({
  ...Sampling,
  prompt: z
    .union([z.string(), z.array(z.string()).min(1).max(MAX_PROMPTS)], { error: 'is a string or an array of strings' })
    .transform((prompt) => (typeof prompt === 'string' ? [prompt] : prompt)),
  logprobs: unsupported('log probabilities are not supported'),
  echo: unsupported('echo is not supported'),
  suffix: nullable(z.literal('', { error: 'filling in the middle is not supported' })),
  best_of: nullable(z.literal(1, { error: 'best_of is not supported; use n' })),
})
export type CompletionRequest = z.output<typeof CompletionRequest>

/** What both kinds of request say about sampling. */
export type SamplingRequest = Pick<CompletionRequest, Exclude<keyof typeof Sampling, 'model'>>

export const EmbeddingRequest = z.looseObject({
  model: nullable(z.string()),
  input: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(MAX_INPUTS)], {
      error: 'is a non-empty string or an array of non-empty strings',
    })
    .transform((input) => (typeof input === 'string' ? [input] : input)),
  encoding_format: nullable(z.enum(['float', 'base64'])),
  dimensions: nullable(z.number().int().min(1)),
})
export type EmbeddingRequest = z.output<typeof EmbeddingRequest>

/** Throws `request.invalid` with `param` like `messages[0].content`. Nothing of the request itself gets into the error. */
export function parseRequest<T>(schema: z.ZodType<T>, body: unknown): T {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('body', 'is a JSON object')
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = deepest(parsed.error.issues[0] as z.core.$ZodIssue)
  throw invalid(issue.param, issue.message, issue.missing ? 'missing_required_parameter' : 'invalid_value')
}

/** A union reports each branch; the one that got furthest into the value is the one the caller meant. */
function deepest(
  issue: z.core.$ZodIssue,
  prefix: readonly PropertyKey[] = [],
): { param: string; message: string; missing: boolean } {
  const path = [...prefix, ...issue.path]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const inner = issue.errors.flat().toSorted((a, b) => depth(b) - depth(a))[0]
    if (inner !== undefined && depth(inner) > 0) return deepest(inner, path)
  }
  const param = path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  )
  return {
    param,
    message: issue.message,
    missing: issue.code === 'invalid_type' && issue.message.endsWith('undefined'),
  }
}

const depth = (issue: z.core.$ZodIssue): number =>
  issue.path.length + (issue.code === 'invalid_union' ? Math.max(0, ...issue.errors.flat().map(depth)) : 0)
