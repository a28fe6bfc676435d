/**
 * One answer on one sequence: evaluate the prompt, then sample until the model ends, a stop string comes, the limit is
 * reached or the caller leaves. Constrained parts (JSON, tool calls) are sampled under a grammar; what a tool call's spelling
 * dictates is fed instead of sampled.
 */
import type { LlamaContextSequence, LlamaGrammarEvaluationState, SequenceEvaluateOptions, Token } from 'node-llama-cpp'
import { TokenBias } from 'node-llama-cpp'
import type { Tool } from './contract.ts'
import { choiceGrammar, grammarFor, type JsonSchema } from './json-grammar.ts'
import type { ChatFormat } from './prompt.ts'
import type { Runtime } from './runtime.ts'
import { createSplitter, type Piece } from './splitter.ts'
import { createTokenText } from './token-text.ts'

export interface Sampling {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
  readonly seed: number
  readonly repetitionPenalty: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  readonly logitBias: ReadonlyMap<number, number>
}

export interface ToolPlan {
  readonly tools: readonly Tool[]
  /** `true`: the answer is a call. `false`: it is one if the model opens one. */
  readonly forced: boolean
  readonly format: ChatFormat
}

export interface AnswerPlan {
  readonly promptTokens: readonly Token[]
  readonly maxTokens: number | undefined
  readonly sampling: Sampling
  /** The caller's. */
  readonly stop: readonly string[]
  /** The template's. */
  readonly turnEnds: readonly string[]
  readonly thought?: {
    readonly open: string
    readonly close: string
    /** The prompt ends inside the thoughts. */
    readonly isOpen: boolean
    /** Fed to get out of them. */
    readonly skip: readonly Token[]
  }
  readonly grammar?: { readonly gbnf: string; readonly param: string }
  readonly tools?: ToolPlan
}

export type OutputPiece =
  | Piece
  | { readonly type: 'call'; readonly name: string }
  | { readonly type: 'arguments'; readonly text: string }

export interface AnswerEnd {
  readonly finish: 'stop' | 'length' | 'tool_calls'
  /** Fed: the prompt and whatever a tool call's spelling dictates. */
  readonly promptTokens: number
  /** Part of `promptTokens` that was still known from an earlier answer. */
  readonly cachedTokens: number
  /** Sampled, the end-of-turn token included. */
  readonly completionTokens: number
  /** Part of `completionTokens` spent between the marks of thinking. */
  readonly reasoningTokens: number
}

/**
 * Tokens of a prompt evaluated between two looks at whether the caller is still there. Small on a CPU, where a full batch
 * takes many seconds and holds up everyone else's answer as well.
 */
const PROMPT_STEP_CPU = 64
const PROMPT_STEP_GPU = 512
/** How far back the penalties look. */
const PENALTY_TOKENS = 128
/** llama.cpp needs a free cell for the token that is being sampled. */
const RESERVED_CELLS = 1

/** llama.cpp's seeds have 32 bits, and the largest of them means "draw one". */
const SEED_SPAN = 2 ** 32 - 1

/** Tokens left for an answer after this prompt. */
export const roomAfter = (runtime: Runtime, promptTokens: number): number =>
  runtime.contextSize - promptTokens - RESERVED_CELLS

/** Rejects with the signal's reason when the caller leaves. */
export async function generateAnswer(
  runtime: Runtime,
  sequence: LlamaContextSequence,
  plan: AnswerPlan,
  emit: (piece: OutputPiece) => void,
  signal: AbortSignal,
): Promise<AnswerEnd> {
  const { model } = runtime
  const counts = { fed: 0, cached: 0, sampled: 0, reasoning: 0 }
  const limit = plan.maxTokens ?? Number.POSITIVE_INFINITY
  const recent: Token[] = []
  /** Tokens that are decided but not evaluated yet: the rest of the prompt, or the last one sampled. */
  let pending: Token[] = []

  async function evaluatePrompt(): Promise<void> {
    // The last token stays: sampling needs its logits.
    await sequence.adaptStateToTokens(plan.promptTokens.slice(0, -1), false)
    counts.cached = sequence.nextTokenIndex
    counts.fed = plan.promptTokens.length
    pending = plan.promptTokens.slice(counts.cached)
  }

  async function evaluatePending(): Promise<void> {
    const step = model.gpuLayers > 0 ? PROMPT_STEP_GPU : PROMPT_STEP_CPU
    while (pending.length > step) {
      signal.throwIfAborted()
      await sequence.evaluateWithoutGeneratingNewTokens(pending.slice(0, step))
      pending = pending.slice(step)
    }
    signal.throwIfAborted()
  }

  const feed = (tokens: readonly Token[]): void => {
    pending = [...pending, ...tokens]
    counts.fed += tokens.length
  }

  /** Samples until `onToken` says to stop or the model ends. `length`: no room or no budget was left. */
  async function sample(
    grammar: LlamaGrammarEvaluationState | undefined,
    onToken: (token: Token) => boolean,
  ): Promise<'ended' | 'enough' | 'length'> {
    const room = runtime.contextSize - RESERVED_CELLS - sequence.nextTokenIndex - pending.length
    let left = Math.min(limit - counts.sampled, room)
    if (left <= 0) return 'length'
    await evaluatePending()
    const sampling = samplingOptions(runtime, plan.sampling, recent, counts.sampled, grammar)
    const input = pending
    pending = []
    for await (const token of sequence.evaluate(input, sampling)) {
      counts.sampled++
      pending = [token]
      recent.push(token)
      if (recent.length > PENALTY_TOKENS) recent.shift()
      signal.throwIfAborted()
      if (model.isEogToken(token)) {
        pending = []
        return 'ended'
      }
      if (onToken(token)) return 'enough'
      if (--left <= 0) return 'length'
    }
    return 'ended'
  }

  const textOf = () =>
    createTokenText((tokens, before) => model.detokenize(tokens as Token[], false, before as Token[]))

  async function writeText(): Promise<'stop' | 'length' | { readonly after: string }> {
    const thought = plan.grammar === undefined ? plan.thought : undefined
    const call = plan.tools === undefined ? [] : [opening(plan.tools.format).mark]
    const splitter = createSplitter({
      stop: [...plan.stop, ...plan.turnEnds],
      call,
      ...(thought === undefined ? {} : { thought }),
    })
    const marks = [...plan.turnEnds, ...call, ...(thought === undefined ? [] : [thought.open, thought.close])]
    const text = textOf()
    const grammar =
      plan.grammar === undefined ? undefined : await runtime.grammar(plan.grammar.gbnf, plan.grammar.param)
    const why = await sample(grammar, (token) => {
      if (splitter.thinking) counts.reasoning++
      const shown = model.isSpecialToken(token) ? specialText(token, marks) : text.push(token)
      for (const piece of splitter.push(shown)) emit(piece)
      return splitter.ended !== undefined
    })
    if (splitter.ended === undefined) for (const piece of splitter.finish()) emit(piece)
    if (splitter.ended?.why === 'call') return { after: splitter.ended.after }
    return why === 'length' ? 'length' : 'stop'
  }

  /** Control tokens are invisible, except where the template's marks consist of them. */
  function specialText(token: Token, marks: readonly string[]): string {
    const text = model.detokenize([token], true)
    return marks.some((mark) => mark.includes(text)) ? text : ''
  }

  /** `written`: what of the opening the model has written itself. */
  async function writeCall({ tools, format }: ToolPlan, written: string): Promise<'tool_calls' | 'length'> {
    const names = tools.map((tool) => tool.function.name)
    feed(format.tokens(format.call.open.slice(written.length)))
    const name = names.length === 1 ? (names[0] as string) : await chooseName(names)
    if (name === undefined) return 'length'
    if (names.length === 1) feed(format.tokens(name))
    feed(format.tokens(format.call.middle.replaceAll('{{functionName}}', name)))
    const index = names.indexOf(name)
    const tool = tools[index] as Tool
    emit({ type: 'call', name })
    const param = `tools[${index}].function.parameters`
    const grammar = await runtime.grammar(parametersGrammar(tool, param), param)
    const text = textOf()
    const why = await sample(grammar, (token) => {
      const shown = text.push(token)
      if (shown !== '') emit({ type: 'arguments', text: shown })
      return false
    })
    return why === 'length' ? 'length' : 'tool_calls'
  }

  async function chooseName(names: readonly string[]): Promise<string | undefined> {
    const text = textOf()
    let written = ''
    await sample(await runtime.grammar(choiceGrammar(names), 'tools'), (token) => {
      written += text.push(token)
      // Unless a longer name begins with this one, the grammar has nothing left to decide.
      return names.includes(written) && !names.some((name) => name !== written && name.startsWith(written))
    })
    return names.includes(written) ? written : undefined
  }

  async function write(): Promise<AnswerEnd['finish']> {
    await evaluatePrompt()
    const constrained = plan.grammar !== undefined || plan.tools?.forced === true
    // A model that is about to think is brought to the point.
    if (constrained && plan.thought?.isOpen === true) feed(plan.thought.skip)
    if (plan.tools?.forced === true) return writeCall(plan.tools, '')
    const ended = await writeText()
    if (typeof ended === 'string') return ended
    const { format } = plan.tools as ToolPlan
    const { mark, lead } = opening(format)
    const written = format.call.open.startsWith(`${lead}${mark}${ended.after}`)
      ? `${lead}${mark}${ended.after}`
      : `${lead}${mark}`
    return writeCall(plan.tools as ToolPlan, written)
  }

  const finish = await write()
  return {
    finish,
    promptTokens: counts.fed,
    cachedTokens: counts.cached,
    completionTokens: counts.sampled,
    reasoningTokens: counts.reasoning,
  }
}

/** By what the opening of a call is recognised: its first line without blanks around. `lead` is what stands before. */
function opening(format: ChatFormat): { readonly mark: string; readonly lead: string } {
  const { open } = format.call
  const lead = open.slice(0, open.length - open.trimStart().length)
  return { lead, mark: open.trim().split('\n', 1)[0] as string }
}

/** The arguments' grammar of a tool. Throws `request.invalid`. */
export function parametersGrammar(tool: Tool, param: string): string {
  const parameters: JsonSchema = tool.function.parameters ?? { type: 'object', properties: {} }
  const schema =
    typeof parameters === 'object' && parameters.type === undefined ? { ...parameters, type: 'object' } : parameters
  return grammarFor(schema, { strict: tool.function.strict === true, param })
}

function samplingOptions(
  runtime: Runtime,
  sampling: Sampling,
  recent: readonly Token[],
  alreadySampled: number,
  grammar: LlamaGrammarEvaluationState | undefined,
): SequenceEvaluateOptions {
  const bias = new TokenBias(runtime.model.tokenizer)
  for (const [token, logit] of sampling.logitBias) bias.set(token as Token, { logit })
  const free = grammar === undefined
  const punishes =
    (free && sampling.repetitionPenalty !== 1) || sampling.presencePenalty !== 0 || sampling.frequencyPenalty !== 0
  return {
    temperature: sampling.temperature,
    topP: sampling.topP,
    topK: sampling.topK,
    minP: sampling.minP,
    // Each part of an answer starts a sampler of its own; the same seed would make them alike.
    seed: (sampling.seed + alreadySampled) % SEED_SPAN,
    yieldEogToken: true,
    ...(sampling.logitBias.size > 0 && free ? { tokenBias: bias } : {}),
    ...(grammar === undefined ? {} : { grammarEvaluationState: grammar }),
    ...(punishes
      ? {
          repeatPenalty: {
            punishTokens: () => [...recent],
            maxPunishTokens: PENALTY_TOKENS,
            penalty: free ? sampling.repetitionPenalty : 1,
            presencePenalty: sampling.presencePenalty,
            frequencyPenalty: sampling.frequencyPenalty,
          },
        }
      : {}),
  }
}
