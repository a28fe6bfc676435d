/** Windows of budgets: whole days, weeks and months in UTC, and all time. */
import type { BudgetWindow } from './accounts.ts'

export const DAY_MS = 86_400_000

/** Number of the day since 1970-01-01. */
export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS)

/** `2026-08-31`. */
export const dayText = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10)

/** The window around `nowMs`: from the first millisecond to the one after the last. */
export function windowAt(window: BudgetWindow, nowMs: number): { readonly fromMs: number; readonly untilMs: number } {
  const day = dayOf(nowMs)
  switch (window) {
    case 'day':
      return { fromMs: day * DAY_MS, untilMs: (day + 1) * DAY_MS }
    case 'week': {
      // The first of January 1970 was a Thursday.
      const monday = day - ((day + 3) % 7)
      return { fromMs: monday * DAY_MS, untilMs: (monday + 7) * DAY_MS }
    }
    case 'month': {
      const date = new Date(nowMs)
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
      return { fromMs: Date.UTC(year, month), untilMs: Date.UTC(year, month + 1) }
    }
    case 'total':
      return { fromMs: 0, untilMs: Number.POSITIVE_INFINITY }
  }
}
