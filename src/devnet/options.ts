/** Options of the local chain: defaults, units and bounds. */
import { z } from 'zod'

export const devnetOptions = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on. The money is play money, but whoever reaches the port may mint it and move time'),
  port: z.int().min(0).max(65_535).default(18_080).describe('Port of the HTTP API; 0 takes a free one'),
  forkPort: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe(
      'Port of a second endpoint over the same chain, for tests of endpoints that disagree; 0 takes a free one',
    ),
  statePath: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder for the state, made when missing. Without it the chain lives in memory and ends with the process',
    ),
  blockIntervalMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(1_000)
    .describe('Time from block to block. 0 makes a block as soon as there is a message, and none otherwise'),
  syncToDisk: z
    .boolean()
    .default(false)
    .describe(
      'Whether a message is acknowledged only once it is on the disk itself. Without it, everything acknowledged ' +
        'survives the death of the process but not of the machine',
    ),
  keepTransactionsPerAccount: z
    .int()
    .min(16)
    .max(1_000_000)
    .default(1_000)
    .describe('How many of an account’s last transactions can be asked for; older ones are trimmed'),
  keepTransactions: z
    .int()
    .min(64)
    .max(10_000_000)
    .default(20_000)
    .describe('The same for all accounts together. One takes about 2 KB of memory'),
  keepBlocks: z.int().min(256).max(10_000_000).default(4_096).describe('How many of the last blocks can be asked for'),
  journalBytes: z
    .int()
    .min(64 * 1024)
    .max(1024 ** 3)
    .default(256 * 1024)
    .describe(
      'After how many bytes of journal the state is saved as a whole. The default is about a thousand messages, which a start repeats in a few seconds at most',
    ),
})

export type DevnetOptions = z.output<typeof devnetOptions>
