/**
 * How many lines of one kind go out at once, and when again after a refusal: one more for each answer, half for each refusal,
 * and a pause that doubles. Refusals that come together count once. Pure, but for the clock and the dice it is given.
 */
import { type Random, uniform } from '../util/index.ts'

export interface Pace {
  /** Lines under way at once. */
  readonly width: number
  readonly pausedUntilMs: number
  /** Of the last pause that grew. */
  readonly pauseMs: number
}

const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 60_000

export const firstPace: Pace = { width: 1, pausedUntilMs: 0, pauseMs: 0 }

export const answered = (pace: Pace, maxWidth: number): Pace => ({
  width: Math.min(maxWidth, pace.width + 1),
  pausedUntilMs: 0,
  pauseMs: 0,
})

/** @param retryAfterMs what the refusal says; it is waited at least, and never longer than a minute */
export function refused(pace: Pace, nowMs: number, retryAfterMs: number | null, random: Random): Pace {
  const told = Math.min(MAX_PAUSE_MS, retryAfterMs ?? 0)
  if (nowMs < pace.pausedUntilMs) return { ...pace, pausedUntilMs: Math.max(pace.pausedUntilMs, nowMs + told) }
  const pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * pace.pauseMs))
  const waitMs = Math.max(told, uniform(random, pauseMs / 2, pauseMs))
  return { width: Math.max(1, Math.floor(pace.width / 2)), pausedUntilMs: nowMs + waitMs, pauseMs }
}

/** Something of ours must end first: look again soon, without making the pauses longer. */
export const heldUp = (pace: Pace, nowMs: number): Pace => ({
  ...pace,
  pausedUntilMs: Math.max(pace.pausedUntilMs, nowMs + FIRST_PAUSE_MS),
})
