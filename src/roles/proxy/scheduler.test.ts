import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type WorkerSlot, WorkerPool } from './scheduler.ts'

function pool(...workers: readonly Partial<WorkerSlot>[]): WorkerPool {
  const p = new WorkerPool()
  workers.forEach((w, i) => {
    p.add({ connectionId: i + 1, model: 'm@1:2', version: 4, capacity: 2, coefficient: 1000, ...w })
    p.update(i + 1, { enabled: w.enabled ?? true })
  })
  return p
}
const wanted = { model: 'm', maxCoefficient: 4000, minVersion: 0 }

test('requests are spread over equal workers', () => {
  const p = pool({}, {}, {})
  const given = Array.from({ length: 6 }, () => {
    const choice = p.choose(wanted)
    if (!('slot' in choice)) throw new Error('expected a worker')
    p.begin(choice.slot.connectionId)
    return choice.slot.connectionId
  })
  expect(given).toEqual([1, 2, 3, 1, 2, 3])
  expect(p.choose(wanted)).toEqual({ none: 'busy' })
  p.finish(2)
  expect(p.choose(wanted)).toMatchObject({ slot: { connectionId: 2 } })
})

test('among equally loaded workers the cheaper one is chosen', () => {
  expect(pool({ coefficient: 1500 }, { coefficient: 900 }).choose(wanted)).toMatchObject({ slot: { connectionId: 2 } })
})

test('load is judged against capacity, not in absolute numbers', () => {
  const p = pool({ capacity: 10 }, { capacity: 2 })
  p.begin(1)
  p.begin(2)
  expect(p.choose(wanted)).toMatchObject({ slot: { connectionId: 1 } })
})

test.each([
  ['a model nobody ever offered', pool({}), { ...wanted, model: 'x' }, { none: 'unknown-model' }],
  ['only disabled workers', pool({ enabled: false }), wanted, { none: 'no-workers' }],
  [
    'workers above the price cap',
    pool({ coefficient: 5000 }, { coefficient: 4500 }),
    wanted,
    { none: 'too-expensive', lowestCoefficient: 4500 },
  ],
  ['workers of an older protocol', pool({ version: 2 }), { ...wanted, minVersion: 3 }, { none: 'busy' }],
] as const)('%s: nobody is chosen and the reason is said', (_, p, want, expected) => {
  expect(p.choose(want)).toEqual(expected)
})

test('a model whose workers left is known but has no workers', () => {
  const p = pool({})
  p.remove(1)
  expect(p.choose(wanted)).toEqual({ none: 'no-workers' })
})

test('a chosen worker is always enabled, free and within the cap', () => {
  const worker = fc.record({
    coefficient: fc.nat(3000),
    capacity: fc.integer({ min: 1, max: 3 }),
    enabled: fc.boolean(),
    version: fc.integer({ min: 0, max: 4 }),
  })
  fc.assert(
    fc.property(
      fc.array(worker, { maxLength: 8 }),
      fc.array(fc.nat(8), { maxLength: 12 }),
      fc.nat(3000),
      (workers, begun, cap) => {
        const p = pool(...workers)
        for (const i of begun) if ((p.slot(i)?.running ?? 9) < (p.slot(i)?.capacity ?? 0)) p.begin(i)
        const choice = p.choose({ ...wanted, maxCoefficient: cap, minVersion: 1 })
        if ('slot' in choice) {
          const { slot } = choice
          expect(slot.enabled && slot.running < slot.capacity && slot.coefficient <= cap && slot.version >= 1).toBe(
            true,
          )
        } else
          expect(
            p.slots().some((s) => s.enabled && s.running < s.capacity && s.coefficient <= cap && s.version >= 1),
          ).toBe(false)
      },
    ),
  )
})
