import { availableParallelism } from 'node:os'
import { z } from 'zod'

/** How the embedded speech engine runs. Defaults stand here and nowhere else. */
export const whisperOptions = z.strictObject({
  modelPath: z.string().min(1).describe('Path of a package or tar with a Whisper model as ONNX'),
  runtimePath: z.string().min(1).describe('Path of the package with ONNX Runtime'),
  runtimeSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('What that package must be; checked at every start'),
  servedModelName: z.string().min(1).default('local').describe('The name callers ask for in `model`'),
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on'),
  port: z.int().min(0).max(65_535).default(0).describe('Port to listen on; 0 takes a free one'),
  parallel: z
    .int()
    .min(1)
    .max(64)
    .default(Math.max(1, availableParallelism() - 1))
    .describe('Transcripts written at the same time, each by a thread with the model in its own memory'),
  maxQueued: z
    .int()
    .min(0)
    .max(4096)
    .default(64)
    .describe('Requests waiting for a free place; more are refused with 503'),
  drainMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(5000)
    .describe('How long running answers may take when the engine is told to stop'),
})
export type WhisperOptions = z.output<typeof whisperOptions>
export type WhisperOptionsInput = z.input<typeof whisperOptions>
