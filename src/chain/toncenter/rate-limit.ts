/** Not asking an endpoint more often than it allows. */
import type { Clock } from '../../util/index.ts'
import { CocoonError } from '../../util/index.ts'
import { pause } from '../pause.ts'

/** Whoever would wait longer had better ask another endpoint. */
const MAX_WAIT_MS = 10_000

export interface RateLimit {
  /** Resolves when a request may go out; throws `chain.unavailable` when that would take too long. */
  take(signal?: AbortSignal): Promise<void>
}

/** So many requests a second on average, one second's worth at once. */
export function createRateLimit(requestsPerSecond: number, clock: Clock): RateLimit {
  const intervalMs = 1000 / requestsPerSecond
  const burst = Math.max(1, Math.floor(requestsPerSecond))
  // When the bucket is full again: one number instead of a count and a time.
  let fullAtMs = 0
  return {
    async take(signal) {
      const nowMs = clock.now()
      const next = Math.max(fullAtMs, nowMs) + intervalMs
      const waitMs = next - burst * intervalMs - nowMs
      if (waitMs > MAX_WAIT_MS)
        throw new CocoonError('chain.unavailable', {
          retryAfterMs: Math.ceil(waitMs),
          message:
            'too many requests wait for the endpoint: give it a higher requestsPerSecond, or add another endpoint',
        })
      fullAtMs = next
      if (waitMs > 0) await pause(clock, waitMs, signal)
    },
  }
}
