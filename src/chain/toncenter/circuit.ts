/** Leaving an endpoint alone that fails: it is tried again after a while, by one request first. */
import { type Clock, type Random, uniform } from '../../util/index.ts'

/** In a row. A single failure is an accident, and there is nobody else to ask in many configurations. */
const FAILURES_TO_OPEN = 3
const FIRST_REST_MS = 2_000
/** Endpoints come back; nobody wants to wait much longer than this for that to be noticed. */
const MAX_REST_MS = 60_000
/** As much as we believe a server that says when to come again. */
const MAX_RETRY_AFTER_MS = 60_000

export interface Circuit {
  /** Milliseconds until it may be asked; 0 for now. */
  restMs(): number
  succeeded(): void
  failed(): void
  /** The endpoint says it is asked too often. */
  askedTooOften(retryAfterMs: number | null): void
}

export function createCircuit(clock: Clock, random: Random): Circuit {
  let failures = 0
  let closedUntilMs = 0
  const rest = (ms: number): void => {
    closedUntilMs = Math.max(closedUntilMs, clock.now() + ms * uniform(random, 0.75, 1.25))
  }
  return {
    restMs: () => Math.max(0, closedUntilMs - clock.now()),
    succeeded() {
      failures = 0
    },
    failed() {
      // It rests already: this was asked before, and is part of the same trouble. A proxy has many questions under way at once.
      if (closedUntilMs > clock.now()) return
      failures++
      const over = failures - FAILURES_TO_OPEN
      if (over >= 0) rest(Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** Math.min(over, 10)))
    },
    askedTooOften: (retryAfterMs) => rest(Math.min(MAX_RETRY_AFTER_MS, retryAfterMs ?? 1_000)),
  }
}
