import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { UsageRow } from '../../node/shapes.ts'
import { daysUntil, largest, measured, MOST_LAYERS, OTHERS, seriesOf, ticksUpTo } from './series.ts'

const row = (cost: number, day?: string): UsageRow =>
  ({ cost_nano: String(cost), requests: 2, total_tokens: '30', ...(day === undefined ? {} : { day }) }) as UsageRow

const DAYS = ['2026-08-30', '2026-08-31'] as const

test('a day without use has an empty bar', () => {
  const series = seriesOf(DAYS, [row(7, '2026-08-31')], [], 'cost')
  expect(series).toEqual({ days: DAYS, layers: [{ name: 'all', values: [0n, 7n] }], most: 7n })
})

test('what the named ones leave over stands on top as others', () => {
  const all = [row(7, '2026-08-30'), row(9, '2026-08-31')]
  const series = seriesOf(DAYS, all, [{ name: 'a', rows: [row(4, '2026-08-31')] }], 'cost')
  expect(series.layers).toEqual([
    { name: 'a', values: [0n, 4n] },
    { name: OTHERS, values: [7n, 5n] },
  ])
  expect(series.most).toBe(9n)
})

test('nothing is left over where the names are all, or where a request ended between two questions', () => {
  const part = { name: 'a', rows: [row(9, '2026-08-31')] }
  expect(seriesOf(DAYS, [row(9, '2026-08-31')], [part], 'cost').layers).toHaveLength(1)
  expect(seriesOf(DAYS, [row(8, '2026-08-31')], [part], 'cost').layers).toHaveLength(1)
})

test('use is measured in what was asked for', () => {
  expect([measured(row(5), 'cost'), measured(row(5), 'requests'), measured(row(5), 'tokens')]).toEqual([5n, 2n, 30n])
})

test('the largest names come first, no more than have colours, and none that used nothing', () => {
  const rows = Array.from({ length: MOST_LAYERS + 3 }, (_, i) => ({ name: `m${i}`, row: row(i) }))
  expect(largest(rows, 'cost')).toEqual(['m7', 'm6', 'm5', 'm4', 'm3'])
  expect(largest(rows.slice(0, 2), 'cost')).toEqual(['m1'])
})

test('days end with today in UTC', () => {
  expect(daysUntil(Date.parse('2026-03-01T23:59:59Z'), 3)).toEqual(['2026-02-27', '2026-02-28', '2026-03-01'])
})

test('lines begin at nothing, reach the highest stack, are evenly apart and few', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n }), (most) => {
      const ticks = ticksUpTo(most)
      const step = ticks[1] as bigint
      expect(ticks[0]).toBe(0n)
      expect((ticks.at(-1) as bigint) >= most).toBe(true)
      expect(ticks.every((tick, i) => tick === BigInt(i) * step)).toBe(true)
      expect(ticks.length).toBeLessThanOrEqual(6)
      expect(String(step)).toMatch(/^[125]0*$/)
    }),
  )
})
