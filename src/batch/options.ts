/** Options of files and batches: what is kept, for how long, and how much of the network batches take. */
import { z } from 'zod'

const MIB = 1024 * 1024
const DAY_MS = 86_400_000

export const batchOptions = z.strictObject({
  maxFileBytes: z
    .int()
    .min(1024)
    .max(1024 * MIB)
    .default(200 * MIB)
    .describe('Largest file that callers may upload'),
  maxTotalBytes: z
    .int()
    .min(1024)
    .max(1024 * 1024 * MIB)
    .default(4 * 1024 * MIB)
    .describe('All files together; above it uploads are refused. What batches write counts, and is never refused'),
  maxFiles: z.int().min(1).max(1_000_000).default(10_000).describe('Files kept at a time'),
  maxLines: z.int().min(1).max(200_000).default(50_000).describe('Lines of one batch'),
  keepFilesMs: z
    .int()
    .min(3_600_000)
    .max(3650 * DAY_MS)
    .default(30 * DAY_MS)
    .describe('How long files and ended batches are kept, unless the caller says so or deletes them'),
  maxRunning: z
    .int()
    .min(1)
    .max(1_000)
    .default(8)
    .describe('Lines of all batches under way at once; as many answers may be lost by a crash'),
  maxLoadPercent: z
    .int()
    .min(1)
    .max(100)
    .default(80)
    .describe('Batches leave the rest of the workers’ places to requests that somebody waits for'),
  attempts: z
    .int()
    .min(1)
    .max(20)
    .default(3)
    .describe('How often a line is tried when peers or engines fail. Want of room is no failure: it is waited out'),
  lineTimeoutMs: z.int().min(1_000).max(3_600_000).default(600_000).describe('Time limit of lines that give none'),
})

export type BatchOptions = z.output<typeof batchOptions>
