import { availableParallelism } from 'node:os'
import { z } from 'zod'

/** How the embedded engine runs. Defaults stand here and nowhere else. */
export const LlamaOptions = z.strictObject({
  /** Path of a GGUF file. */
  modelPath: z.string().min(1),
  /** The name clients ask for in `model`; also what `/v1/models` lists. */
  servedModelName: z.string().min(1).default('local'),
  host: z.string().default('127.0.0.1'),
  /** 0: any free port. */
  port: z.number().int().min(0).max(65_535).default(0),
  /** Tokens one request can see, prompt and answer together. `auto`: what the model was trained on, at most 2048. */
  contextSize: z.union([z.literal('auto'), z.number().int().min(64).max(1_048_576)]).default('auto'),
  /** Answers written at the same time, in one batch. Each takes memory for `contextSize` tokens. */
  parallel: z.number().int().min(1).max(64).default(4),
  /** Answers waiting for a free place; more are refused with 503. */
  maxQueued: z.number().int().min(0).max(4096).default(64),
  /**
   * One core less than there are: llama.cpp's threads wait for each other in busy loops, and when one of them has to share
   * its core with this process, everything becomes tens of times slower.
   */
  threads: z.number().int().min(1).max(512).default(Math.max(1, availableParallelism() - 1)),
  gpu: z.enum(['auto', 'off']).default('auto'),
  /** Used where a request does not say. */
  temperature: z.number().min(0).max(2).default(0.7),
  topP: z.number().gt(0).max(1).default(0.95),
  /** For free text only: it would punish the quotes and braces of JSON. Small models repeat themselves without it. */
  repetitionPenalty: z.number().min(1).max(2).default(1.1),
  /** How long `close` lets running answers finish. */
  drainMs: z.number().int().min(0).max(600_000).default(5000),
})
export type LlamaOptions = z.infer<typeof LlamaOptions>
export type LlamaOptionsInput = z.input<typeof LlamaOptions>
