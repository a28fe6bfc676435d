/** Usage by day as stacked bars: one stack a day, one layer for each of the largest names. Pure. */
import type { UsageRow } from '../../node/shapes.ts'

export const MEASURES = ['cost', 'requests', 'tokens'] as const
export type Measure = (typeof MEASURES)[number]

export function measured(row: UsageRow, measure: Measure): bigint {
  switch (measure) {
    case 'cost':
      return BigInt(row.cost_nano)
    case 'tokens':
      return BigInt(row.total_tokens)
    case 'requests':
      return BigInt(row.requests)
  }
}

export interface Layer {
  readonly name: string
  /** One for each day. */
  readonly values: readonly bigint[]
}

export interface Series {
  /** `2026-08-31`, every day of the period, in UTC. */
  readonly days: readonly string[]
  readonly layers: readonly Layer[]
  /** The highest stack. */
  readonly most: bigint
}

/** More are not told apart by colour. */
export const MOST_LAYERS = 5
export const OTHERS = 'others'

/** The largest names of a period, largest first. */
export function largest(
  rows: readonly { readonly name: string; readonly row: UsageRow }[],
  measure: Measure,
): string[] {
  const amounts = rows
    .map(({ name, row }) => [name, measured(row, measure)] as const)
    .filter(([, amount]) => amount > 0n)
  return amounts
    .toSorted(([, a], [, b]) => (a > b ? -1 : a < b ? 1 : 0))
    .slice(0, MOST_LAYERS)
    .map(([name]) => name)
}

/**
 * @param all by day, of everything
 * @param parts by day, of each name that has a layer; what they leave over becomes `OTHERS`
 */
export function seriesOf(
  days: readonly string[],
  all: readonly UsageRow[],
  parts: readonly { readonly name: string; readonly rows: readonly UsageRow[] }[],
  measure: Measure,
): Series {
  const along = (rows: readonly UsageRow[]): readonly bigint[] => {
    const byDay = new Map(rows.map((row) => [row.day, measured(row, measure)]))
    return days.map((day) => byDay.get(day) ?? 0n)
  }
  const totals = along(all)
  const layers = parts.map(({ name, rows }) => ({ name, values: along(rows) }))
  const rest = totals.map((total, i) => {
    const left = total - layers.reduce((sum, { values }) => sum + (values[i] ?? 0n), 0n)
    // A request may have ended between two questions.
    return left < 0n ? 0n : left
  })
  const isSplit = parts.length > 0
  const hasRest = rest.some((value) => value > 0n)
  const shown = isSplit
    ? [...layers, ...(hasRest ? [{ name: OTHERS, values: rest }] : [])]
    : [{ name: 'all', values: totals }]
  const stacks = days.map((_, i) => shown.reduce((sum, { values }) => sum + (values[i] ?? 0n), 0n))
  return { days, layers: shown, most: stacks.reduce((most, stack) => (stack > most ? stack : most), 0n) }
}

const DAY_MS = 86_400_000

/** The last `count` days until `todayMs`, oldest first. */
export function daysUntil(todayMs: number, count: number): string[] {
  const today = Math.floor(todayMs / DAY_MS)
  return Array.from({ length: count }, (_, i) => new Date((today - count + 1 + i) * DAY_MS).toISOString().slice(0, 10))
}

/** Round values for lines across a chart, from 0 to at least `most`: 1, 2 or 5 times a power of ten apart. */
export function ticksUpTo(most: bigint, about = 4n): bigint[] {
  if (most <= 0n) return [0n, 1n]
  const rough = (most + about - 1n) / about
  const power = 10n ** BigInt(String(rough).length - 1)
  const step = [1n, 2n, 5n, 10n].map((times) => times * power).find((one) => one >= rough) ?? power
  const count = (most + step - 1n) / step
  return Array.from({ length: Number(count) + 1 }, (_, i) => BigInt(i) * step)
}
