import { expect, test } from 'vitest'
import { manualClock } from './clock.ts'
import { createDecayedRate, RATE_PERIODS } from './decayed-rate.ts'

test('one addition shows as total and, per period, as itself over the period', () => {
  const rate = createDecayedRate(manualClock())
  rate.add(86_400)
  expect(rate.read()).toEqual([86_400, 86_400, 8640, 1440, 144, 24, 1])
})

test('a rate falls by e with every period while the total stays', () => {
  const clock = manualClock()
  const rate = createDecayedRate(clock)
  rate.add(600)
  clock.advance(600_000)
  const [total, , , , tenMinutes] = rate.read()
  expect(total).toBe(600)
  expect(tenMinutes).toBeCloseTo(1 / Math.E, 12)
})

test('reading changes nothing, however often', () => {
  const clock = manualClock()
  const [once, often] = [createDecayedRate(clock), createDecayedRate(clock)]
  once.add(5)
  often.add(5)
  for (let i = 0; i < 100; i++) {
    clock.advance(50)
    often.read()
  }
  once.read().forEach((value, i) => expect(often.read()[i]).toBeCloseTo(value, 9))
})

test('a steady inflow is what the rates tend to', () => {
  const clock = manualClock()
  const rate = createDecayedRate(clock)
  for (let i = 0; i < 2000; i++) {
    clock.advance(100)
    rate.add(0.3)
  }
  const [, , tenSeconds, minute] = rate.read()
  expect(tenSeconds).toBeCloseTo(3, 1)
  expect(minute).toBeGreaterThan(2.8)
})

test('a clock that steps back makes nothing grow', () => {
  let now = 1_000_000
  const rate = createDecayedRate({ ...manualClock(), now: () => now })
  rate.add(10)
  now -= 500_000
  expect(rate.read()[1]).toBe(10)
  expect(rate.read()).toHaveLength(RATE_PERIODS.length + 1)
})
