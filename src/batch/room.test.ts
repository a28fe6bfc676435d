import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findRoom } from './room.ts'

const worker = (coefficient: number, runningRequests: number, maxRunningRequests: number) => ({
  coefficient,
  runningRequests,
  maxRunningRequests,
})
const offer = (...workers: ReturnType<typeof worker>[]) => ({ workers })

describe('a line of a batch', () => {
  test.each([
    ['goes to the cheapest that is free', offer(worker(2000, 0, 4), worker(800, 0, 4)), 4000, 0, 800],
    ['goes to a dearer one when the cheap one is full', offer(worker(800, 4, 4), worker(2000, 0, 4)), 4000, 0, 2000],
    ['takes the last share of a single place only when it is free', offer(worker(800, 0, 1)), 4000, 0, 800],
    ['counts workers at one price together', offer(worker(800, 4, 4), worker(800, 0, 4)), 4000, 0, 800],
    ['offers its cap where nothing is told of workers', offer(), 1000, 7, 1000],
    ['takes a worker that tells no places while it is idle', offer(worker(800, 0, 0)), 4000, 0, 800],
  ] as const)('%s', (_, offered, cap, started, coefficient) => {
    expect(findRoom(offered, cap, 80, started)).toEqual({ at: 'coefficient', coefficient })
  })

  test.each([
    ['for workers within its price', offer(worker(800, 4, 4), worker(2000, 0, 4)), 1000, 0, 'full'],
    ['for a price that nobody asks', offer(worker(2000, 0, 4)), 1000, 0, 'dearer'],
    ['for a model that nobody offers', undefined, 1000, 0, 'nowhere'],
    ['for those that went out a moment ago', offer(worker(800, 0, 4)), 1000, 3, 'full'],
    ['rather than take the places left for others', offer(worker(800, 8, 10)), 1000, 0, 'full'],
  ] as const)('waits %s', (_, offered, cap, started, at) => {
    expect(findRoom(offered, cap, 80, started)).toEqual({ at })
  })
})

test('a line never offers more than its cap, nor goes where the load is at its limit', () => {
  const any = fc.record({
    coefficient: fc.nat(4000),
    runningRequests: fc.nat(20),
    maxRunningRequests: fc.nat(20),
  })
  fc.assert(
    fc.property(
      fc.array(any, { maxLength: 6 }),
      fc.nat(4000),
      fc.integer({ min: 1, max: 100 }),
      (workers, cap, load) => {
        const room = findRoom({ workers }, cap, load, 0)
        if (room.at !== 'coefficient') return
        expect(room.coefficient).toBeLessThanOrEqual(cap)
        const within = workers.filter((w) => w.coefficient <= room.coefficient)
        const running = within.reduce((sum, w) => sum + w.runningRequests, 0)
        const places = within.reduce((sum, w) => sum + Math.max(1, w.maxRunningRequests), 0)
        expect(running === 0 || running < (places * load) / 100).toBe(true)
      },
    ),
  )
})
