/** Waiting that can be called off. */
import type { Clock } from '../util/index.ts'

/** The longest that timers know. */
const LONG_MS = 2 ** 31 - 1

/**
 * Resolves after `ms`; rejects with the signal's reason when that comes first. Keeps the process alive meanwhile, which the
 * clock's timers do not: somebody waits for what comes after.
 */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  const hold = setInterval(() => {}, LONG_MS)
  let stop = (): void => {}
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = clock.after(ms, resolve)
      stop = () => {
        timer.cancel()
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', stop, { once: true })
    })
  } finally {
    clearInterval(hold)
    signal?.removeEventListener('abort', stop)
  }
}

/** The promise, unless the signal fires first: then its reason. What the promise stands for goes on. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
  })
}
