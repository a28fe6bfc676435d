/** How many requests run at once, and how they run out when the node stops. */
import type { Clock } from '../util/index.ts'
import { apiError } from './errors.ts'

export interface Gate {
  readonly running: number
  readonly draining: boolean
  /** Takes a place; the result gives it back (calling it again does nothing). Throws `capacity.busy`, `capacity.shutting-down`. */
  enter(): () => void
  /** Lets nobody in any more. Resolves with true when the last one has left, with false after `deadlineMs`. */
  drain(deadlineMs: number): Promise<boolean>
}

/** By then a place is free or another node is: most answers take seconds. */
const RETRY_AFTER_MS = 1_000

export function createGate(clock: Clock, max: number): Gate {
  let running = 0
  let draining = false
  const waiting = new Set<() => void>()
  return {
    get running() {
      return running
    },
    get draining() {
      return draining
    },
    enter() {
      if (draining) throw apiError('capacity.shutting-down', { retryAfterMs: RETRY_AFTER_MS })
      if (running >= max) throw apiError('capacity.busy', { retryAfterMs: RETRY_AFTER_MS })
      running++
      let inside = true
      return () => {
        if (!inside) return
        inside = false
        if (--running === 0) for (const done of waiting) done()
      }
    },
    drain(deadlineMs) {
      draining = true
      if (running === 0) return Promise.resolve(true)
      return new Promise((resolve) => {
        const finish = (empty: boolean): void => {
          timer.cancel()
          waiting.delete(left)
          resolve(empty)
        }
        const left = (): void => finish(true)
        const timer = clock.after(deadlineMs, () => finish(false))
        waiting.add(left)
      })
    },
  }
}
