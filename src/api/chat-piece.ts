/**
 * What an engine says in one chunk of a chat completion, or in a whole one, in one shape: what the translations into other
 * APIs read. A stranger wrote it, so it is checked; fields that nobody here needs are ignored.
 */
import { z } from 'zod'

export interface ChatPiece {
  readonly content: string
  /** Kept apart from the content by the engine. */
  readonly reasoning: string
  readonly refusal: string
  readonly toolCalls: readonly ToolCallPiece[]
  readonly logprobs: readonly unknown[]
  readonly finish: string | undefined
  /** The stop text that was met, where the engine tells it. */
  readonly stoppedBy: string | undefined
  readonly usage: ChatUsage | undefined
  /** Unix seconds. */
  readonly created: number | undefined
}

export interface ToolCallPiece {
  readonly index: number
  readonly id: string | undefined
  readonly name: string | undefined
  /** The next characters of a JSON text. */
  readonly arguments: string
}

/** Raw tokens, as the engine counts them. */
export interface ChatUsage {
  readonly prompt: number
  /** Of the prompt. */
  readonly cached: number
  readonly completion: number
  /** Of the completion. */
  readonly reasoning: number
  /** `prompt_total_cost`, `completion_total_cost`, `total_cost`, in nanoTON, where a worker has added them. */
  readonly costs: Readonly<Record<string, number>>
}

const count = z.int().min(0).nullish()
const text = z.string().nullish()

const usage = z.looseObject({
  prompt_tokens: count,
  completion_tokens: count,
  prompt_tokens_details: z.looseObject({ cached_tokens: count }).nullish(),
  completion_tokens_details: z.looseObject({ reasoning_tokens: count }).nullish(),
  reasoning_tokens: count,
})

const said = z.looseObject({
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string(), text }))]).nullish(),
  /** SGLang, DeepSeek and our own engine. */
  reasoning_content: text,
  /** vLLM. */
  reasoning: text,
  refusal: text,
  tool_calls: z
    .array(
      z.looseObject({
        index: z.int().min(0).nullish(),
        id: text,
        function: z.looseObject({ name: text, arguments: text }).nullish(),
      }),
    )
    .nullish(),
})

const completion = z.looseObject({
  created: z.number().nullish(),
  choices: z
    .array(
      z.looseObject({
        index: z.int().nullish(),
        delta: said.nullish(),
        message: said.nullish(),
        finish_reason: text,
        stop_reason: z.unknown().optional(),
        logprobs: z.looseObject({ content: z.array(z.unknown()).nullish() }).nullish(),
      }),
    )
    .nullish(),
  usage: usage.nullish(),
})

/** `undefined` when it is not a chat completion or a chunk of one. Of several choices the first counts. */
export function readChatPiece(json: unknown): ChatPiece | undefined {
  const read = completion.safeParse(json)
  if (!read.success) return undefined
  const { choices, created } = read.data
  const choice = choices?.find(({ index }) => (index ?? 0) === 0)
  const part = choice?.delta ?? choice?.message
  return {
    content: textOf(part?.content),
    reasoning: part?.reasoning_content ?? part?.reasoning ?? '',
    refusal: part?.refusal ?? '',
    toolCalls: (part?.tool_calls ?? []).map((call, i) => ({
      index: call.index ?? i,
      id: call.id ?? undefined,
      name: call.function?.name ?? undefined,
      arguments: call.function?.arguments ?? '',
    })),
    logprobs: choice?.logprobs?.content ?? [],
    finish: choice?.finish_reason ?? undefined,
    stoppedBy: typeof choice?.stop_reason === 'string' ? choice.stop_reason : undefined,
    usage: read.data.usage ? readUsage(read.data.usage) : undefined,
    created: created ?? undefined,
  }
}

function textOf(content: NonNullable<z.output<typeof said>['content']> | null | undefined): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => part.text ?? '').join('')
}

const COSTS = ['prompt_total_cost', 'completion_total_cost', 'total_cost'] as const

function readUsage(given: z.output<typeof usage>): ChatUsage {
  const costs: Record<string, number> = {}
  for (const name of COSTS) if (typeof given[name] === 'number') costs[name] = given[name]
  const prompt = given.prompt_tokens ?? 0
  const tokens = given.completion_tokens ?? 0
  return {
    prompt,
    cached: Math.min(prompt, given.prompt_tokens_details?.cached_tokens ?? 0),
    completion: tokens,
    reasoning: Math.min(tokens, given.completion_tokens_details?.reasoning_tokens ?? given.reasoning_tokens ?? 0),
    costs,
  }
}
