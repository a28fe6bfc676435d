import { z } from 'zod'
import { clientChainOptions } from './chain/index.ts'

/** A client's own options; those of its HTTP side are in api/options.ts. */
export const clientOptions = z.strictObject({
  proxyConnections: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe('Proxies to keep a connection to; requests are spread over them'),
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
