/** Counting up: what one attempt, or the end of a batch, adds. */
import type { AttemptCost, Progress, TokenUsage } from './records.ts'

export const NO_COST: AttemptCost = { costNano: 0n, unsettledNano: 0n }
export const NO_USAGE: TokenUsage = { input: 0, cached: 0, output: 0, reasoning: 0 }

/** @param counts null for an attempt after which the line still waits */
export function added(
  progress: Progress,
  counts: 'completed' | 'failed' | null,
  cost: AttemptCost,
  usage: TokenUsage,
): Progress {
  return {
    total: progress.total,
    completed: progress.completed + (counts === 'completed' ? 1 : 0),
    failed: progress.failed + (counts === 'failed' ? 1 : 0),
    costNano: progress.costNano + cost.costNano,
    unsettledNano: progress.unsettledNano + cost.unsettledNano,
    usage: {
      input: progress.usage.input + usage.input,
      cached: progress.usage.cached + usage.cached,
      output: progress.usage.output + usage.output,
      reasoning: progress.usage.reasoning + usage.reasoning,
    },
  }
}

/** Lines without an answer have failed when the batch is over. */
export const closed = (progress: Progress): Progress => ({ ...progress, failed: progress.total - progress.completed })
