/** A long-running command: started, kept up, told to stop by a signal or by its parent's end, and stopped cleanly. */
import type { Log } from '../util/index.ts'

export interface Running {
  /** Finishes what runs within the grace, then frees everything. */
  close(graceMs: number): Promise<void>
}

const SAME_SIGNAL_MS = 500

/** Resolves with the exit status after a stop. A second signal ends the process at once. */
export function untilStopped(running: Running, log: Log, graceMs: number): Promise<number> {
  return new Promise((resolve) => {
    let stoppingSinceMs: number | null = null
    const stop = (why: string): void => {
      if (stoppingSinceMs !== null) {
        // A terminal and the programs between it and us may each pass on the same key press.
        if (Date.now() - stoppingSinceMs < SAME_SIGNAL_MS) return
        log.warn('stopping at once', { why })
        process.exit(130)
      }
      stoppingSinceMs = Date.now()
      log.info('stopping: running answers may finish, new ones are refused', { why, graceMs })
      running.close(graceMs).then(
        () => {
          log.info('stopped')
          resolve(0)
        },
        (error: unknown) => {
          log.error('the stop failed', { error: String(error) })
          resolve(1)
        },
      )
    }
    process.on('SIGTERM', () => stop('SIGTERM'))
    for (const signal of ['SIGINT', 'SIGHUP'] as const)
      process.on(signal, () => {
        // Under a supervisor the terminal's signals are the supervisor's: it stops its nodes in their order.
        if (!process.channel) stop(signal)
      })
    // A supervisor that died cannot send a signal any more; nobody may be left behind.
    if (process.channel) process.on('disconnect', () => stop('the supervisor is gone'))
    // Node has nothing to wait for while all timers are unref'd.
    setInterval(() => undefined, 2 ** 30)
  })
}
