import { z } from 'zod'

export const workerChainOptions = z.strictObject({
  collectAtTon: z
    .number()
    .min(0)
    .max(1_000_000)
    .default(20)
    .describe('The worker collects by itself, at its own fees, once a proxy owes it this much TON'),
  collectAfterMs: z
    .int()
    .min(0)
    .max(31_536_000_000)
    .default(86_400_000)
    .describe('The worker collects 0.2 TON and more by itself when they have been owed for this time'),
  pollMs: z
    .int()
    .min(20)
    .max(600_000)
    .default(15_000)
    .describe('How often the worker’s contracts are read, give or take a third'),
})
export type WorkerChainOptions = z.output<typeof workerChainOptions>
