import { z } from 'zod'
import { ABILITIES } from '../../util/index.ts'
import { workerChainOptions } from './chain/index.ts'

/** A worker's own options. */
export const workerOptions = z.strictObject({
  model: z
    .string()
    .min(1)
    .max(1024)
    .default('tinyllama')
    .describe(
      'Name the worker offers, as `name` or `name@commit:hash`; the part before `@` is what callers ask for and what the engine must serve',
    ),
  can: z
    .array(z.enum(ABILITIES))
    .default([])
    .describe(`What the model can do at this engine, where the engine does not say it: ${ABILITIES.join(', ')}`),
  cannot: z.array(z.enum(ABILITIES)).default([]).describe('What it cannot do, of the same words'),
  contextLength: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .optional()
    .describe('Tokens of prompt and answer together, where the engine does not say it'),
  coefficient: z
    .int()
    .min(0)
    .max(999_999_999)
    .default(1000)
    .describe('Price per mille of the network’s price: 1000 is the price, 1500 is half as much again'),
  maxActiveRequests: z.int().min(1).max(10_000).default(60).describe('Requests served at once, over all proxies'),
  proxyConnections: z.int().min(1).max(100).default(1).describe('Proxies to keep a connection to'),
  minVersion: z.int().min(1).max(4).default(1).describe('Lowest protocol version offered'),
  maxVersion: z.int().min(1).max(4).default(4).describe('Highest protocol version offered'),
  maxPowDifficulty: z.int().min(0).max(40).default(28).describe('Refuse proxies that ask for more proof of work'),
  chain: workerChainOptions.prefault({}),
  isTestnet: z
    .boolean()
    .default(false)
    .describe('Write addresses in their testnet form; on a chain for tests that is always so'),
})
export type WorkerOptions = z.infer<typeof workerOptions>
