import { z } from 'zod'

/** What every embedded engine can be told of its server. */
export const shellFields = {
  servedModelName: z.string().min(1).default('local').describe('The name callers ask for in `model`'),
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on'),
  port: z.int().min(0).max(65_535).default(0).describe('Port to listen on; 0 takes a free one'),
  drainMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(5000)
    .describe('How long running answers may take when the engine is told to stop'),
}
