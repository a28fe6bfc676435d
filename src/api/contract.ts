/**
 * What the API reads of a request: the OpenAI fields we act on and the common rest, loosely. Unknown fields are the
 * engine's business and pass through. Browser-safe.
 */
import { z } from 'zod'
import { parseTon } from '../util/index.ts'
import { chatMessage, chatTool, chatToolChoice, responseFormat, unknownTool } from './chat-fields.ts'

/** Token limits, coefficients and the like travel as signed 32-bit integers. */
export const MAX_INT31 = 2 ** 31 - 1
/** Deeper nesting serves no request and costs recursive parsers further along their stack. */
export const MAX_JSON_DEPTH = 64
/** OpenAI's own limit for `n`; more choices of one prompt are more requests. */
export const MAX_CHOICES = 128
/** An hour: longer than any answer, short enough that a forgotten request gives its reservation back. */
export const MAX_TIMEOUT_SECONDS = 3600
/** Longer than any name of a model; it is copied into logs and messages. */
export const MAX_MODEL_CHARS = 512
/** OpenAI takes 2048 inputs in one call. */
export const MAX_INPUTS = 2048

/** Fields that are meant for the client node: they never leave it. */
export const CONTROL_FIELDS = [
  'max_coefficient',
  'max_cost',
  'timeout',
  'hedge_after',
  'enable_debug',
  'request_guid',
] as const

/** Fields we act on: given twice they are refused, since another reader of the body might take the other one. */
export const ACTED_FIELDS = [
  ...CONTROL_FIELDS,
  'model',
  'max_tokens',
  'max_completion_tokens',
  'n',
  'best_of',
  'prompt',
  'stream',
  'stream_options',
] as const

export const MAX_COST_SHAPE = 'must be nanoTON as a whole number, or TON like "0.05 TON"'

/** nanoTON of `50000000`, `"50000000"` and `"0.05 TON"`; null for anything else. */
export function parseMaxCost(value: number | string): bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : null
  const text = value.trim()
  if (/^\d{1,19}$/.test(text)) return BigInt(text)
  const ton = /^([\d.]+) ?TON$/i.exec(text)?.[1]
  return ton === undefined ? null : parseTon(ton)
}

const tokenLimit = z.int().min(1).max(MAX_INT31).nullish()
const choices = z.int().min(1).max(MAX_CHOICES).nullish()
const number = z.number().nullish()
const text = z.string().nullish()
const flag = z.boolean().nullish()

/** What every request for an inference has, whatever API it speaks. */
export const ENVELOPE_FIELDS = {
  model: z.string().min(1).max(MAX_MODEL_CHARS),
  max_coefficient: z.int().min(0).max(MAX_INT31).nullish(),
  max_cost: z
    .union([z.int().min(0), z.string()], { error: MAX_COST_SHAPE })
    .refine((value) => parseMaxCost(value) !== null, { error: MAX_COST_SHAPE })
    .nullish(),
  /** Seconds. */
  timeout: z.number().positive().max(MAX_TIMEOUT_SECONDS).nullish(),
  /** Seconds; 0 never asks a second proxy. */
  hedge_after: z.number().min(0).max(MAX_TIMEOUT_SECONDS).nullish(),
  enable_debug: flag,
  request_guid: z.string().max(256).nullish(),
}

const generation = {
  ...ENVELOPE_FIELDS,
  max_tokens: tokenLimit,
  max_completion_tokens: tokenLimit,
  n: choices,
  stream: flag,
  /** An object or nothing: some engines do not survive another type. */
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  temperature: number,
  top_p: number,
  frequency_penalty: number,
  presence_penalty: number,
  stop: z.union([z.string(), z.array(z.string())], { error: 'must be a string or an array of strings' }).nullish(),
  /** Longer than a double holds is fine: the bytes travel on as they are. */
  seed: z.number().refine(Number.isInteger, 'must be an integer').nullish(),
  user: text,
  logit_bias: z.record(z.string(), z.number()).nullish(),
}

export const chatRequest = z
  .looseObject({
    ...generation,
    messages: z.array(chatMessage).min(1),
    tools: z.array(chatTool).nullish(),
    tool_choice: chatToolChoice.nullish(),
    parallel_tool_calls: flag,
    response_format: responseFormat.nullish(),
    logprobs: flag,
    top_logprobs: z.int().min(0).nullish(),
    reasoning_effort: text,
  })
  .superRefine((request, context) => {
    const complain = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message })
    const problem = unknownTool(request)
    if (problem !== undefined) complain('tool_choice', problem)
    if ((request.top_logprobs ?? 0) > 0 && request.logprobs !== true)
      complain('top_logprobs', 'is only allowed with logprobs: true')
  })

const PROMPT_SHAPE = 'must be a string, an array of strings, or token ids'

export const completionRequest = z.looseObject({
  ...generation,
  prompt: z.custom<unknown>((value) => countPrompts(value) !== undefined, { error: PROMPT_SHAPE }),
  best_of: choices,
  echo: flag,
})

export const embeddingRequest = z.looseObject({
  ...ENVELOPE_FIELDS,
  input: z.custom<unknown>((value) => countPrompts(value) !== undefined, { error: PROMPT_SHAPE }),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).nullish(),
  user: text,
  max_tokens: z.null({ error: 'does not apply to embeddings: nothing is generated' }).optional(),
  max_completion_tokens: z.null({ error: 'does not apply to embeddings: nothing is generated' }).optional(),
})

const NOTHING_GENERATED = 'does not apply: nothing is generated'

export const rerankRequest = z.looseObject({
  ...ENVELOPE_FIELDS,
  query: z.string().min(1),
  documents: z
    .array(z.union([z.string(), z.looseObject({})], { error: 'must be a text or an object' }))
    .min(1)
    .max(MAX_INPUTS),
  top_n: z.int().min(1).nullish(),
  return_documents: flag,
  max_tokens: z.null({ error: NOTHING_GENERATED }).optional(),
  max_completion_tokens: z.null({ error: NOTHING_GENERATED }).optional(),
})

export const REQUEST_BY_PATH = {
  '/v1/chat/completions': chatRequest,
  '/v1/completions': completionRequest,
  '/v1/embeddings': embeddingRequest,
  '/v1/rerank': rerankRequest,
} as const

/** Answers without generated tokens: nothing is reserved for them. */
export const WITHOUT_GENERATION: ReadonlySet<InferencePath> = new Set(['/v1/embeddings', '/v1/rerank'])

export type InferencePath = keyof typeof REQUEST_BY_PATH

export const INFERENCE_PATHS = Object.keys(REQUEST_BY_PATH) as readonly InferencePath[]

export const isInferencePath = (path: string): path is InferencePath => Object.hasOwn(REQUEST_BY_PATH, path)

/**
 * How many texts a `prompt` or `input` holds: a text or one list of token ids is one, a list of texts or of lists is as
 * many. `undefined` when it is none of these.
 */
export function countPrompts(prompt: unknown): number | undefined {
  if (typeof prompt === 'string') return 1
  if (!Array.isArray(prompt) || prompt.length === 0) return undefined
  if (prompt.every(isTokenId)) return 1
  if (prompt.length > MAX_INPUTS) return undefined
  const texts = prompt.every((item) => typeof item === 'string')
  return texts || prompt.every((item) => Array.isArray(item) && item.every(isTokenId)) ? prompt.length : undefined
}

const isTokenId = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0
