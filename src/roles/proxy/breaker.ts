/**
 * Keeps requests away from a worker that fails again and again, and lets one try whether it has recovered. Pure: the time is
 * an argument, and every function gives the next state.
 */
export type Breaker =
  /** `failures` in a row, below the limit. */
  | { readonly is: 'closed'; readonly failures: number }
  /** Nothing until `untilMs`, then one request as a probe. */
  | { readonly is: 'open'; readonly untilMs: number; readonly pauseMs: number }
  /** The probe runs; nothing else is sent. */
  | { readonly is: 'probing'; readonly pauseMs: number }

/** A single failure may be the request's own fault; three in a row are the worker's. */
export const FAILURES_TO_OPEN = 3
/** Doubles with every failed probe. */
const FIRST_PAUSE_MS = 1_000
export const MAX_PAUSE_MS = 60_000

export const CLOSED: Breaker = { is: 'closed', failures: 0 }

export function letsThrough(breaker: Breaker, nowMs: number): boolean {
  switch (breaker.is) {
    case 'closed':
      return true
    case 'open':
      return nowMs >= breaker.untilMs
    case 'probing':
      return false
  }
}

/** A request is sent, whether the breaker would have let it through or not. */
export const onSent = (breaker: Breaker, nowMs: number): Breaker =>
  breaker.is === 'open' && nowMs >= breaker.untilMs ? { is: 'probing', pauseMs: breaker.pauseMs } : breaker

export const onSuccess = (breaker: Breaker): Breaker =>
  breaker.is === 'closed' && breaker.failures === 0 ? breaker : CLOSED

export function onFailure(breaker: Breaker, nowMs: number): Breaker {
  switch (breaker.is) {
    case 'closed': {
      const failures = breaker.failures + 1
      return failures < FAILURES_TO_OPEN ? { is: 'closed', failures } : opened(FIRST_PAUSE_MS, nowMs)
    }
    case 'probing':
      return opened(Math.min(2 * breaker.pauseMs, MAX_PAUSE_MS), nowMs)
    case 'open':
      // One of those that were on their way when it opened.
      return breaker
  }
}

/** The request ended without saying anything about the worker (cancelled, at fault itself): a probe may be sent again. */
export const onNoVerdict = (breaker: Breaker, nowMs: number): Breaker =>
  breaker.is === 'probing' ? { is: 'open', untilMs: nowMs, pauseMs: breaker.pauseMs } : breaker

const opened = (pauseMs: number, nowMs: number): Breaker => ({ is: 'open', untilMs: nowMs + pauseMs, pauseMs })
