import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Breaker,
  CLOSED,
  FAILURES_TO_OPEN,
  letsThrough,
  MAX_PAUSE_MS,
  onFailure,
  onNoVerdict,
  onSent,
  onSuccess,
} from './breaker.ts'

const failing = (times: number, nowMs = 0): Breaker =>
  Array.from({ length: times }).reduce<Breaker>((b) => onFailure(b, nowMs), CLOSED)

test('it opens with the last of several failures in a row, and not before', () => {
  expect(letsThrough(failing(FAILURES_TO_OPEN - 1), 0)).toBe(true)
  expect(letsThrough(failing(FAILURES_TO_OPEN), 0)).toBe(false)
  expect(letsThrough(onFailure(onSuccess(failing(FAILURES_TO_OPEN - 1)), 0), 0)).toBe(true)
})

test('after its pause it lets one request through, and no second one while that runs', () => {
  const open = failing(FAILURES_TO_OPEN)
  expect(letsThrough(open, 999)).toBe(false)
  expect(letsThrough(open, 1000)).toBe(true)
  expect(letsThrough(onSent(open, 1000), 1000)).toBe(false)
})

test('a failed probe doubles the pause up to its maximum', () => {
  let breaker = failing(FAILURES_TO_OPEN)
  const pauses: number[] = []
  for (let i = 0; i < 8; i++) {
    if (breaker.is !== 'open') throw new Error('expected it open')
    pauses.push(breaker.pauseMs)
    breaker = onFailure(onSent(breaker, breaker.untilMs), breaker.untilMs)
  }
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, MAX_PAUSE_MS, MAX_PAUSE_MS])
})

test('a probe that said nothing may be sent again at once', () => {
  const probing = onSent(failing(FAILURES_TO_OPEN), 1000)
  expect(letsThrough(onNoVerdict(probing, 1500), 1500)).toBe(true)
})

test('it never stays shut for ever: whatever happened, a minute later something may be sent or a probe runs', () => {
  const event = fc.record({ what: fc.constantFrom('sent', 'ok', 'failed', 'none'), afterMs: fc.nat(5000) })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let [breaker, now]: [Breaker, number] = [CLOSED, 0]
      for (const { what, afterMs } of events) {
        now += afterMs
        if (what === 'sent') breaker = onSent(breaker, now)
        else if (what === 'ok') breaker = onSuccess(breaker)
        else breaker = what === 'failed' ? onFailure(breaker, now) : onNoVerdict(breaker, now)
      }
      expect(breaker.is === 'probing' || letsThrough(breaker, now + MAX_PAUSE_MS)).toBe(true)
    }),
  )
})
