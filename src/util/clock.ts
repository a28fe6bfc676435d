/** Time and timers as an argument, so that no test sleeps and no rule reads the wall clock. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `run` once after `delayMs`; the handle cancels it. A timer never keeps the process alive by itself. */
  after(delayMs: number, run: () => void): Timer
}

export interface Timer {
  cancel(): void
}

/** Setting `unref` on a Node timer; browsers have plain numbers. */
type MaybeNodeTimer = ReturnType<typeof setTimeout> & { unref?: () => void }

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs) as MaybeNodeTimer
    handle.unref?.()
    return { cancel: () => clearTimeout(handle) }
  },
}

/** A clock that moves only when told to. Timers run in order of time, then of creation. */
export function manualClock(startMs = 1_700_000_000_000): Clock & { advance(ms: number): void } {
  let nowMs = startMs
  let nextId = 0
  const timers = new Map<number, { at: number; run: () => void }>()
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const id = nextId++
      timers.set(id, { at: nowMs + delayMs, run })
      return { cancel: () => void timers.delete(id) }
    },
    advance(ms) {
      const end = nowMs + ms
      for (;;) {
        let due: [number, { at: number; run: () => void }] | undefined
        for (const entry of timers)
          if (entry[1].at <= end && (due === undefined || entry[1].at < due[1].at)) due = entry
        if (due === undefined) break
        timers.delete(due[0])
        nowMs = Math.max(nowMs, due[1].at)
        due[1].run()
      }
      nowMs = end
    },
  }
}
