import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../util/index.ts'
import { answered, firstPace, heldUp, type Pace, refused } from './pace.ts'

const random = seededRandom(7)

test('each answer lets one line more out, up to the limit; each refusal halves', () => {
  let pace = firstPace
  for (let i = 0; i < 20; i++) pace = answered(pace, 8)
  expect(pace.width).toBe(8)
  expect(refused(pace, 1_000, null, random).width).toBe(4)
})

test('refusals that come together count once; those that follow the pause double it, up to a minute', () => {
  let pace = refused(firstPace, 0, null, random)
  const again = refused(pace, 1, null, random)
  expect(again.pauseMs).toBe(pace.pauseMs)
  const pauses: number[] = []
  for (let i = 0; i < 9; i++) {
    pace = refused(pace, pace.pausedUntilMs, null, random)
    pauses.push(pace.pauseMs)
  }
  expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000])
})

test('an answer ends the pause', () => {
  const pace = refused(refused(firstPace, 0, null, random), 5_000, null, random)
  expect(answered(pace, 8)).toMatchObject({ pausedUntilMs: 0, pauseMs: 0 })
})

test('what a refusal says is waited for, unless it is longer than a minute', () => {
  expect(refused(firstPace, 0, 30_000, random).pausedUntilMs).toBe(30_000)
  expect(refused(firstPace, 0, 9_000_000, random).pausedUntilMs).toBe(60_000)
})

test('being held up by our own lines makes no pause longer', () => {
  expect(heldUp(firstPace, 0)).toMatchObject({ pausedUntilMs: 1_000, pauseMs: 0, width: 1 })
})

test('whatever comes, at least one line may go out within a minute, and never more than the limit', () => {
  const event = fc.oneof(
    fc.record({ is: fc.constant('answered' as const) }),
    fc.record({ is: fc.constant('held' as const), afterMs: fc.nat(5_000) }),
    fc.record({ is: fc.constant('refused' as const), afterMs: fc.nat(5_000), told: fc.option(fc.nat(200_000)) }),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), fc.integer({ min: 1, max: 20 }), (events, limit) => {
      let pace: Pace = firstPace
      let now = 0
      for (const one of events) {
        if (one.is !== 'answered') now += one.afterMs
        if (one.is === 'answered') pace = answered(pace, limit)
        else if (one.is === 'held') pace = heldUp(pace, now)
        else pace = refused(pace, now, one.told, random)
        expect(pace.width).toBeGreaterThanOrEqual(1)
        expect(pace.width).toBeLessThanOrEqual(limit)
        expect(pace.pausedUntilMs - now).toBeLessThanOrEqual(60_000)
      }
    }),
  )
})
