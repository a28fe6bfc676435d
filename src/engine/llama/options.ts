import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { shellFields } from '../embedded/shell-options.ts'

/**
 * llama.cpp's threads wait for each other in busy loops: when one of them has to share its core with this process, everything
 * becomes tens of times slower. So one core less than there are.
 */
const DEFAULT_THREADS = Math.max(1, availableParallelism() - 1)

/** How the embedded engine runs. Defaults stand here and nowhere else. */
export const llamaOptions = z.strictObject({
  modelPath: z.string().min(1).describe('Path of a GGUF file'),
  servedModelName: shellFields.servedModelName,
  host: shellFields.host,
  port: shellFields.port,
  contextSize: z
    .union([z.literal('auto'), z.int().min(64).max(1_048_576)])
    .default('auto')
    .describe(
      'Tokens one request can see, prompt and answer together. `auto`: what the model was trained on, at most 2048',
    ),
  parallel: z
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe(
      'Answers written at the same time. Each takes memory for `contextSize` tokens, or a speech model of its own',
    ),
  maxQueued: z
    .int()
    .min(0)
    .max(4096)
    .default(64)
    .describe('Answers waiting for a free place; more are refused with 503'),
  threads: z.int().min(1).max(512).default(DEFAULT_THREADS).describe('Threads that compute; never more than cores - 1'),
  gpu: z.enum(['auto', 'off']).default('auto').describe('`auto`: the best the machine has'),
  temperature: z.number().min(0).max(2).default(0.7).describe('Used where a request does not say'),
  topP: z.number().gt(0).max(1).default(0.95).describe('Used where a request does not say'),
  repetitionPenalty: z
    .number()
    .min(1)
    .max(2)
    .default(1.1)
    .describe('Used for free text where a request does not say; 1 is off. Small models repeat themselves without it'),
  drainMs: shellFields.drainMs,
})
export type LlamaOptions = z.infer<typeof llamaOptions>
export type LlamaOptionsInput = z.input<typeof llamaOptions>
