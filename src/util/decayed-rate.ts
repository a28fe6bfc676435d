/** Seven numbers that tell how much and how fast: a total, and rates that forget over a second up to a day. */
import type { Clock } from './clock.ts'

/** Seconds. */
export const RATE_PERIODS = [1, 10, 60, 600, 3600, 86_400] as const

export interface DecayedRate {
  add(amount: number): void
  /** Since the start. */
  readonly total: number
  /** Total since the start, then the amount per second over each of `RATE_PERIODS`. */
  read(): number[]
}

/**
 * Per period T the sum of everything added, each addition decayed by e^(−age/T), divided by T: with a steady inflow it
 * tends to that inflow. This is the reference's formula, whose tools poll these seven.
 */
export function createDecayedRate(clock: Clock): DecayedRate {
  let total = 0
  let atMs = clock.now()
  const sums: number[] = RATE_PERIODS.map(() => 0)
  const decay = (): void => {
    const nowMs = clock.now()
    // A wall clock may step back: nothing grows from that.
    const elapsed = Math.max(0, nowMs - atMs) / 1000
    atMs = nowMs
    // Several additions in one millisecond are the usual case under load.
    if (elapsed === 0) return
    RATE_PERIODS.forEach((period, i) => {
      sums[i] = (sums[i] as number) * Math.exp(-elapsed / period)
    })
  }
  return {
    add(amount) {
      decay()
      total += amount
      for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + amount
    },
    get total() {
      return total
    },
    read() {
      decay()
      return [total, ...RATE_PERIODS.map((period, i) => (sums[i] as number) / period)]
    },
  }
}
