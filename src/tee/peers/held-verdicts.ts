/**
 * Verdicts that open connections stand on: each is looked at again when its time is over, and all of them when the world has
 * changed. One timer, however many there are; one verdict at a time, so that a change does not stop the node.
 */
import { type Clock, type CocoonError, type Log, type Timer, toCocoonError } from '../../util/index.ts'

/** What the transport calls a `Standing`. */
export interface Standing {
  /** Calls `lost` at most once and never from within this call. The result stops that. */
  onLost(lost: (why: CocoonError) => void): () => void
}

export interface HeldVerdictsDeps<Subject> {
  readonly clock: Clock
  readonly log: Log
  /** Null while the verdict holds. */
  judgeAgain(subject: Subject): Promise<CocoonError | null>
  /** The last moment at which it holds without being looked at again. */
  endOf(subject: Subject): number
}

export interface HeldVerdicts<Subject> {
  /** @param isStale the world has changed since the verdict: look again at once */
  hold(subject: Subject, lost: (why: CocoonError) => void, isStale: boolean): () => void
  judgeAll(): void
  /** What is known of this one has changed: its end may be another. */
  changed(subject: Subject): void
  readonly size: number
  close(): void
}

interface Held<Subject> {
  readonly subject: Subject
  readonly lost: (why: CocoonError) => void
  endMs: number
  /** It has to be looked at. */
  due: boolean
}

/** What holds beyond its end is looked at again after this: times of vendors are whole seconds, or a registry is silent. */
const AGAIN_MS = 1000
/** The longest that a timer of Node can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1

export function createHeldVerdicts<Subject>(deps: HeldVerdictsDeps<Subject>): HeldVerdicts<Subject> {
  const { clock, log, judgeAgain, endOf } = deps
  const all = new Set<Held<Subject>>()
  let timer: Timer | null = null
  let timerMs = Number.POSITIVE_INFINITY
  let isRunning = false

  function arm(endMs: number): void {
    if (timer !== null && timerMs <= endMs) return
    timer?.cancel()
    timerMs = endMs
    // Beyond the end, which is the last good moment.
    timer = clock.after(Math.min(MAX_TIMER_MS, Math.max(1, endMs + 1 - clock.now())), () => {
      timer = null
      timerMs = Number.POSITIVE_INFINITY
      const nowMs = clock.now()
      for (const one of all) if (one.endMs < nowMs) one.due = true
      run()
      rearm()
    })
  }

  function rearm(): void {
    let earliestMs = Number.POSITIVE_INFINITY
    for (const one of all) if (!one.due) earliestMs = Math.min(earliestMs, one.endMs)
    if (earliestMs !== Number.POSITIVE_INFINITY) arm(earliestMs)
  }

  function run(): void {
    if (isRunning) return
    isRunning = true
    judgeDue()
      .catch((error: unknown) => log.error('verdicts could not be looked at', { error: String(error) }))
      .finally(() => {
        isRunning = false
        // One may have come due after the last look.
        if (nextDue() === null) rearm()
        else run()
      })
  }

  async function judgeDue(): Promise<void> {
    for (let one = nextDue(); one !== null; one = nextDue()) {
      one.due = false
      const why = await judgeAgain(one.subject).catch((error: unknown) => toCocoonError(error))
      if (!all.has(one)) continue
      const [endMs, nowMs] = [endOf(one.subject), clock.now()]
      one.endMs = endMs >= nowMs ? endMs : nowMs + AGAIN_MS
      if (why === null) continue
      all.delete(one)
      one.lost(why)
    }
  }

  function nextDue(): Held<Subject> | null {
    for (const one of all) if (one.due) return one
    return null
  }

  return {
    hold(subject, lost, isStale) {
      const one = { subject, lost, endMs: endOf(subject), due: isStale }
      all.add(one)
      if (isStale) run()
      else arm(one.endMs)
      return () => void all.delete(one)
    },
    changed(subject) {
      for (const one of all) {
        if (one.subject !== subject) continue
        one.endMs = endOf(subject)
        arm(one.endMs)
      }
    },
    judgeAll() {
      for (const one of all) one.due = true
      run()
    },
    get size() {
      return all.size
    },
    close() {
      timer?.cancel()
      timer = null
      all.clear()
    },
  }
}
