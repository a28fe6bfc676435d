/** From a checked request to what the sampler shall do: every rule about fields that depend on each other is here. */
import type { Token } from 'node-llama-cpp'
import { CocoonError } from '../../util/index.ts'
import type { ChatRequest, SamplingRequest } from './contract.ts'
import { invalid } from '../embedded/errors.ts'
import { type AnswerPlan, parametersGrammar, roomAfter, type Sampling, type ToolPlan } from './generate.ts'
import { grammarFor, JSON_OBJECT_GRAMMAR } from './json-grammar.ts'
import type { LlamaOptions } from './options.ts'
import type { ChatFormat } from './prompt.ts'
import type { Runtime } from './runtime.ts'

/** Seeds are counted on from here, so they start well inside what numbers hold exactly. */
const SEED_SPAN = 2 ** 32
/** As llama.cpp's own default; keeps the long tail of nonsense away from small models. */
const DEFAULT_TOP_K = 40

export function samplingOf(request: SamplingRequest, options: LlamaOptions, randomSeed: () => number): Sampling {
  return {
    temperature: request.temperature ?? options.temperature,
    topP: request.top_p ?? options.topP,
    topK: request.top_k ?? DEFAULT_TOP_K,
    minP: request.min_p ?? 0,
    seed: request.seed === undefined ? randomSeed() : ((request.seed % SEED_SPAN) + SEED_SPAN) % SEED_SPAN,
    repetitionPenalty: request.repetition_penalty ?? options.repetitionPenalty,
    presencePenalty: request.presence_penalty ?? 0,
    frequencyPenalty: request.frequency_penalty ?? 0,
    logitBias: new Map(Object.entries(request.logit_bias ?? {}).map(([token, bias]) => [Number(token), bias])),
  }
}

/** Throws `request.invalid` and `request.context-overflow`. */
export function chatPlan(runtime: Runtime, format: ChatFormat, request: ChatRequest, sampling: Sampling): AnswerPlan {
  const tools = toolPlan(request, format)
  const grammar = responseGrammar(request)
  if (grammar !== undefined && tools !== undefined) {
    throw invalid(
      'response_format',
      'cannot be combined with tools; set tool_choice to "none" or leave response_format out',
    )
  }
  const documented = request.tool_choice === 'none' ? [] : (request.tools ?? [])
  checkLength(
    runtime,
    'messages',
    request.messages.reduce((n, message) => n + (message.content?.length ?? 0), 0),
  )
  const prompt = format.prompt(request.messages, documented)
  checkRoom(runtime, prompt.tokens)
  const { thought } = format
  return {
    promptTokens: prompt.tokens,
    maxTokens: request.max_completion_tokens ?? request.max_tokens,
    sampling,
    stop: request.stop ?? [],
    turnEnds: prompt.stop,
    ...(thought === undefined
      ? {}
      : { thought: { ...thought, isOpen: prompt.thinking, skip: format.tokens(`${thought.close}\n\n`) } }),
    ...(grammar === undefined ? {} : { grammar }),
    ...(tools === undefined ? {} : { tools }),
  }
}

export function completionPlan(
  runtime: Runtime,
  promptTokens: readonly Token[],
  request: SamplingRequest,
  sampling: Sampling,
): AnswerPlan {
  checkRoom(runtime, promptTokens)
  return {
    promptTokens,
    maxTokens: request.max_tokens ?? DEFAULT_COMPLETION_TOKENS,
    sampling,
    stop: request.stop ?? [],
    turnEnds: [],
  }
}

/** OpenAI's default for text completions, which otherwise never know when to end. */
const DEFAULT_COMPLETION_TOKENS = 16

/** The longest tokens are runs of blanks. What is longer than this times the context is refused without tokenizing it. */
const MAX_CHARS_PER_TOKEN = 256

/** Spares the event loop the seconds that megabytes of text take to tokenize. Throws `request.invalid`. */
export function checkLength(runtime: Runtime, param: string, characters: number): void {
  if (characters <= runtime.contextSize * MAX_CHARS_PER_TOKEN) return
  throw invalid(
    param,
    `is far longer than this model's context of ${runtime.contextSize} tokens`,
    'context_length_exceeded',
  )
}

function checkRoom(runtime: Runtime, tokens: readonly Token[]): void {
  if (roomAfter(runtime, tokens.length) < 1) throw contextOverflow(tokens.length, runtime.contextSize)
}

function toolPlan(request: ChatRequest, format: ChatFormat): ToolPlan | undefined {
  const tools = request.tools ?? []
  const choice = request.tool_choice ?? (tools.length === 0 ? 'none' : 'auto')
  if (choice === 'none') return undefined
  if (tools.length === 0) throw invalid('tool_choice', 'asks for a tool, but tools is empty')
  const names = tools.map((tool) => tool.function.name)
  if (new Set(names).size !== names.length) throw invalid('tools', 'two tools have the same name')
  // Refused before anything is generated, whichever of them the model would have chosen.
  for (const [i, tool] of tools.entries()) parametersGrammar(tool, `tools[${i}].function.parameters`)
  if (typeof choice === 'string') return { tools, forced: choice === 'required', format }
  const named = tools.filter((tool) => tool.function.name === choice.function.name)
  if (named.length === 0) throw invalid('tool_choice.function.name', 'is not among tools')
  return { tools: named, forced: true, format }
}

function responseGrammar(request: ChatRequest): AnswerPlan['grammar'] {
  const wanted = request.response_format
  if (wanted === undefined || wanted.type === 'text') return undefined
  if (wanted.type === 'json_object') return { gbnf: JSON_OBJECT_GRAMMAR, param: 'response_format' }
  const param = 'response_format.json_schema.schema'
  return { gbnf: grammarFor(wanted.json_schema.schema, { strict: wanted.json_schema.strict === true, param }), param }
}

function contextOverflow(promptTokens: number, contextSize: number): CocoonError {
  return new CocoonError('request.context-overflow', {
    message:
      `This model's context is ${contextSize} tokens, of which the prompt takes ${promptTokens} and at least one is needed ` +
      'for the answer. Shorten the messages.',
    param: 'messages',
    code: 'context_length_exceeded',
  })
}
