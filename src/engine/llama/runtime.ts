/** llama.cpp with one model: the only file that starts it, and the one that ends it. */
import {
  getLlama,
  type Llama,
  type LlamaContextSequence,
  type LlamaEmbeddingContext,
  LlamaGrammarEvaluationState,
  LlamaLogLevel,
  type LlamaModel,
} from 'node-llama-cpp'
import { CocoonError, type Log } from '../../util/index.ts'
import { invalid, queueFull } from '../embedded/errors.ts'
import type { LlamaOptions } from './options.ts'
import { createSlots, type Slots } from './slots.ts'

export interface Runtime {
  readonly model: LlamaModel
  readonly slots: Slots<LlamaContextSequence>
  /** Of one sequence. */
  readonly contextSize: number
  /** A fresh state of a GBNF grammar. Throws `request.invalid` when llama.cpp refuses the grammar. */
  grammar(gbnf: string, param: string): Promise<LlamaGrammarEvaluationState>
  /** Unit vector of a text's tokens. One at a time; `tokens` is the count that was evaluated. */
  embed(text: string, param: string): Promise<{ readonly vector: readonly number[]; readonly tokens: number }>
  close(): Promise<void>
}

/** More context than this is a decision about memory, which the operator should take. */
const AUTO_CONTEXT_SIZE = 2048

/** Throws `engine.model-unusable`. */
export async function startRuntime(options: LlamaOptions, log: Log): Promise<Runtime> {
  const llama = await getLlama({
    gpu: options.gpu === 'off' ? false : 'auto',
    // Never compiles and never downloads: what npm installed is what runs.
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    maxThreads: options.threads,
    logLevel: LlamaLogLevel.error,
    // The library's messages can quote text, and its level is our only filter.
    logger: (level) => log.debug('llama.cpp has something to say', { level }),
  })
  try {
    const model = await llama.loadModel({ modelPath: options.modelPath })
    const wanted = options.contextSize === 'auto' ? AUTO_CONTEXT_SIZE : options.contextSize
    const contextSize = Math.min(wanted, model.trainContextSize)
    const context = await model.createContext({ contextSize, sequences: options.parallel, threads: options.threads })
    const sequences = Array.from({ length: options.parallel }, () => context.getSequence())
    return {
      model,
      contextSize,
      slots: createSlots(sequences, options.maxQueued, (sequence) => sequence.contextTokens),
      grammar: (gbnf, param) => createGrammar(llama, model, gbnf, param),
      embed: embedder(model, contextSize, options),
      close: () => llama.dispose(),
    }
  } catch (error) {
    await llama.dispose()
    throw new CocoonError(
      'engine.model-unusable',
      {
        message: `${options.modelPath} could not be loaded: ${error instanceof Error ? error.message : String(error)}. Check that it is a GGUF file and that it fits into memory.`,
        path: options.modelPath,
      },
      { cause: error },
    )
  }
}

async function createGrammar(
  llama: Llama,
  model: LlamaModel,
  gbnf: string,
  param: string,
): Promise<LlamaGrammarEvaluationState> {
  try {
    return new LlamaGrammarEvaluationState({ model, grammar: await llama.createGrammar({ grammar: gbnf }) })
  } catch {
    throw invalid(param, 'this schema cannot be turned into a grammar')
  }
}

/** The embedding context takes memory of its own, so it is made on first use. */
function embedder(model: LlamaModel, contextSize: number, { threads, maxQueued }: LlamaOptions): Runtime['embed'] {
  let waiting = 0
  let made: Promise<LlamaEmbeddingContext> | undefined
  return async (text, param) => {
    if (waiting > maxQueued) throw queueFull('Too many texts are waiting to be embedded.')
    made ??= model.createEmbeddingContext({ contextSize, threads })
    const context = await made
    const tokens = context.calculateInputLength(text)
    if (tokens >= contextSize)
      throw invalid(param, `has ${tokens} tokens; at most ${contextSize - 1} fit`, 'context_length_exceeded')
    waiting++
    const { vector } = await context.getEmbeddingFor(text).finally(() => waiting--)
    const length = Math.hypot(...vector) || 1
    return { vector: vector.map((x) => x / length), tokens }
  }
}
