import { z } from 'zod'
import { proxyChainOptions } from './chain/index.ts'

const port = z.int().min(0).max(65_535)

/** A proxy's own options. */
export const proxyOptions = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address that both ports listen on'),
  workerPort: port.default(11_001).describe('Port for workers'),
  clientPort: port.default(11_002).describe('Port for clients'),
  powDifficulty: z
    .int()
    .min(0)
    .max(30)
    .default(20)
    .describe('Leading zero bits that a connecting peer has to find; each bit doubles its work'),
  maxConnections: z.int().min(1).max(100_000).default(10_000).describe('Connections per port; more are refused'),
  maxQueuedRequests: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(1_000)
    .describe('Requests of one model that wait while all its workers are busy; 0 refuses them at once'),
  maxQueueWaitMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(10_000)
    .describe('Milliseconds a request waits for a worker at most; refused at once when the wait would be longer'),
  chain: proxyChainOptions.prefault({}),
  isTestnet: z
    .boolean()
    .default(false)
    .describe('Write addresses in their testnet form; on a chain for tests that is always so'),
})
export type ProxyOptions = z.infer<typeof proxyOptions>
