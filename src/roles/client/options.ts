import { z } from 'zod'
import { clientChainOptions } from './chain/index.ts'

/** A client's own options; those of its HTTP side are in api/options.ts. */
export const clientOptions = z.strictObject({
  proxyConnections: z
    .int()
    .min(1)
    .max(100)
    .default(2)
    .describe(
      'Proxies to keep a connection to; requests are spread over them, and move to another when one is lost. With a chain, each needs an account of its own',
    ),
  reconnectWaitMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(10_000)
    .describe(
      'Milliseconds after the loss of a proxy, or of a worker, in which requests wait for one to come back, where none is left, instead of being refused; 0 refuses them at once. Proxies of ours are told',
    ),
  hedgeAfterMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(0)
    .describe(
      'Ask a second proxy as well when the first has not begun to answer after so many milliseconds; 0 never does. Requests may say otherwise (`hedge_after`). Peers that cannot be stopped may charge for both',
    ),
  minVersion: z.int().min(0).max(4).default(1).describe('Lowest protocol version offered'),
  maxVersion: z.int().min(0).max(4).default(4).describe('Highest protocol version offered'),
  maxPowDifficulty: z.int().min(0).max(40).default(28).describe('Refuse proxies that ask for more proof of work'),
  chain: clientChainOptions.prefault({}),
  isTestnet: z
    .boolean()
    .default(false)
    .describe('Write addresses in their testnet form; on a chain for tests that is always so'),
})
export type ClientOptions = z.infer<typeof clientOptions>
