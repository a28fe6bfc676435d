/** What can be ordered to go wrong: with the chain (late blocks, lost messages), or with one endpoint's answers. */
import { z } from 'zod'
import type { Clock, Random } from '../util/index.ts'
import { devnetError } from './errors.ts'

/** An hour: longer delays than any test waits for are slips. */
const MAX_DELAY_MS = 3_600_000

const chance = z.number().min(0).max(1)
/** The next so many, or each with this probability. */
const some = { next: z.int().min(0).max(1_000_000).default(0), probability: chance.default(0) }

/** `null` turns a fault off; what is not named stays. */
export const faultsSchema = z.strictObject({
  lateBlocksMs: z.int().min(0).max(MAX_DELAY_MS).nullable().optional().describe('Each block comes this much later'),
  loseMessages: z
    .strictObject(some)
    .nullable()
    .optional()
    .describe('External messages acknowledged and then forgotten'),
  staleReplies: z
    .strictObject({ blocks: z.int().min(1).max(128), probability: chance.default(1) })
    .nullable()
    .optional()
    .describe('This endpoint answers as of so many blocks ago'),
  failReplies: z
    .strictObject({ ...some, status: z.union([429, 500, 502, 503, 504].map((code) => z.literal(code))).default(503) })
    .nullable()
    .optional()
    .describe('This endpoint fails'),
  slowRepliesMs: z.int().min(0).max(MAX_DELAY_MS).nullable().optional().describe('This endpoint answers late'),
  rateLimitPerSecond: z
    .int()
    .min(1)
    .max(1_000_000)
    .nullable()
    .optional()
    .describe('More than this is answered with 429'),
  forkEndpoints: z
    .boolean()
    .nullable()
    .optional()
    .describe('From here on the second endpoint has a chain of its own; false puts it back on the common one'),
})

export type FaultOrder = z.output<typeof faultsSchema>

/** Faults of the chain, whichever endpoint ordered them. */
export interface ChainFaults {
  lateMs(): number
  losesMessage(): boolean
}

/** Faults of one endpoint's answers. */
export interface ReplyFaults {
  /** Blocks. */
  lag(): number
  /** Throws what the caller shall see: `capacity.devnet-rate`, `capacity.devnet-failing`. */
  beforeReply(): void
  delayMs(): number
}

export interface Faults {
  readonly current: FaultOrder
  order(faults: FaultOrder): void
  clear(): void
}

export function createFaults(deps: {
  readonly random: Random
  readonly clock: Clock
}): Faults & ChainFaults & ReplyFaults {
  const { random, clock } = deps
  let current: FaultOrder = {}
  let second = 0
  let answered = 0

  /** Uses up one of `next`, or draws. */
  function happens(kind: 'loseMessages' | 'failReplies'): boolean {
    const fault = current[kind]
    if (fault === undefined || fault === null) return false
    if (fault.next > 0) {
      current = { ...current, [kind]: { ...fault, next: fault.next - 1 } }
      return true
    }
    return fault.probability > 0 && random.fraction() < fault.probability
  }

  return {
    get current() {
      return current
    },
    order(faults) {
      const merged = { ...current, ...faults }
      current = Object.fromEntries(Object.entries(merged).filter(([, v]) => v !== null && v !== undefined))
    },
    clear() {
      current = {}
    },
    lateMs: () => current.lateBlocksMs ?? 0,
    losesMessage: () => happens('loseMessages'),
    lag() {
      const stale = current.staleReplies
      return stale && random.fraction() < stale.probability ? stale.blocks : 0
    },
    beforeReply() {
      const limit = current.rateLimitPerSecond
      if (limit !== undefined && limit !== null) {
        const now = Math.floor(clock.now() / 1000)
        if (now !== second) answered = 0
        second = now
        if (++answered > limit) throw devnetError('capacity.devnet-rate', { limit })
      }
      if (happens('failReplies'))
        throw devnetError('capacity.devnet-failing', { status: current.failReplies?.status ?? 503 })
    },
    delayMs: () => current.slowRepliesMs ?? 0,
  }
}
