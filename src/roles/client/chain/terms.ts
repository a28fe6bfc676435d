import { z } from 'zod'

export const clientChainOptions = z.strictObject({
  topUp: z
    .boolean()
    .default(true)
    .describe(
      'Whether the client deposits TON at its proxies by itself: the network’s stake, whenever half of it is used up',
    ),
  pollMs: z
    .int()
    .min(20)
    .max(600_000)
    .default(7_500)
    .describe('How often the client’s contracts are read, give or take a third'),
})
export type ClientChainOptions = z.output<typeof clientChainOptions>
