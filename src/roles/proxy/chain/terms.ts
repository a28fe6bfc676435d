/** When a proxy spends fees to move money or to make work signable. All amounts in TON. */
import { z } from 'zod'

const ton = z.number().min(0).max(1_000_000)

export const proxyChainOptions = z.strictObject({
  checkpointEveryMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(45_000)
    .describe('Shortest time between two checkpoints on chain; each costs about 0.003 TON'),
  checkpointAtTon: ton.default(1).describe('Unsigned work worth this much TON is covered by a checkpoint'),
  checkpointAfterMs: z
    .int()
    .min(0)
    .max(86_400_000)
    .default(600_000)
    .describe('Any unsigned work is covered by a checkpoint after this time'),
  chargeAtTon: ton.default(1).describe('A client is charged on chain once it owes this much TON'),
  payoutAtTon: ton
    .prefault(10)
    .describe('A worker is paid on chain once it is owed this much TON; workers may collect less by themselves'),
  withdrawAtTon: ton.default(10).describe('The proxy’s own earnings go to its owner once they are this much TON'),
  pollMs: z
    .int()
    .min(20)
    .max(600_000)
    .default(7_500)
    .describe('How often the proxy contract is read, give or take a third'),
})
export type ProxyChainOptions = z.output<typeof proxyChainOptions>
