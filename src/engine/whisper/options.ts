import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { shellFields } from '../embedded/shell-options.ts'

/** How the embedded speech engine runs. Defaults stand here and nowhere else. */
export const whisperOptions = z.strictObject({
  modelPath: z.string().min(1).describe('Path of a package or tar with a Whisper model as ONNX'),
  runtimePath: z.string().min(1).describe('Path of the package with ONNX Runtime'),
  runtimeSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('What that package must be; checked at every start'),
  servedModelName: shellFields.servedModelName,
  host: shellFields.host,
  port: shellFields.port,
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
  drainMs: shellFields.drainMs,
})
export type WhisperOptions = z.output<typeof whisperOptions>
export type WhisperOptionsInput = z.input<typeof whisperOptions>
