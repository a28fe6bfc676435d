/** When blocks are made: on a cadence, or as soon as there is something to put into one. */
import type { Clock, Log, Timer } from '../util/index.ts'
import type { Chain } from './chain.ts'

export interface Producer {
  /** Something arrived. On a cadence it waits for its block. */
  kick(): void
  /** Ends after the block that is being made. */
  close(): Promise<void>
}

/** Wait after a block that could not be made (a full disk), so that the log stays readable. */
const RETRY_MS = 1_000

export function startProducer(
  chain: Chain,
  options: { readonly intervalMs: number; readonly lateMs: () => number },
  deps: { readonly clock: Clock; readonly log: Log },
): Producer {
  const { clock, log } = deps
  const isInstant = options.intervalMs === 0
  let timer: Timer | null = null
  let making: Promise<void> | null = null
  let isClosed = false
  let dueMs = clock.now() + options.intervalMs

  function schedule(delayMs: number): void {
    if (isClosed || timer !== null || making !== null) return
    timer = clock.after(delayMs, () => {
      timer = null
      making = make().finally(() => {
        making = null
        next()
      })
    })
  }

  let failedMs = 0
  async function make(): Promise<void> {
    try {
      await chain.mine()
      failedMs = 0
    } catch (error) {
      failedMs = RETRY_MS
      log.error('no block could be made', { error: String(error) })
    }
  }

  function next(): void {
    if (isInstant) {
      if (!chain.isIdle()) schedule(options.lateMs() + failedMs)
      return
    }
    // The cadence holds over the time a block takes, but a chain that fell behind does not hurry to catch up.
    dueMs = Math.max(dueMs + options.intervalMs, clock.now())
    // The clock goes on between the two readings.
    schedule(Math.max(0, dueMs - clock.now()) + options.lateMs() + failedMs)
  }

  if (isInstant) next()
  else schedule(options.intervalMs)
  return {
    kick: () => {
      if (isInstant) schedule(options.lateMs())
    },
    async close() {
      isClosed = true
      timer?.cancel()
      await making
    },
  }
}
