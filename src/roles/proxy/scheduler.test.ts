import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Abilities, abilitiesFrom, seededRandom } from '../../util/index.ts'
import { SAMPLE, type WorkerSlot, WorkerPool } from './scheduler.ts'
import { SLOW_START_MS } from './worker-record.ts'

const START = 1_000_000
/** Long after everybody came: nobody starts slowly any more. */
const NOW = START + SLOW_START_MS

function pool(...workers: readonly Partial<WorkerSlot>[]): WorkerPool {
  const p = new WorkerPool(seededRandom(1))
  workers.forEach((w, i) => {
    p.add({ connectionId: i + 1, model: 'm@1:2', version: 4, capacity: 2, coefficient: 1000, ...w }, START)
    p.update(i + 1, { enabled: w.enabled ?? true }, START)
  })
  return p
}
const wanted = { model: 'm', maxCoefficient: 4000, minVersion: 0 }

/** Gives and ends one request with this first answer. */
function answered(p: WorkerPool, id: number, firstAnswerMs: number, nowMs = NOW): void {
  p.begin(id, nowMs)
  p.finish(id, { is: 'ok', kind: 'streamed', firstAnswerMs }, nowMs)
}
function failed(p: WorkerPool, id: number, nowMs = NOW): void {
  p.begin(id, nowMs)
  p.finish(id, { is: 'failed', kind: 'streamed' }, nowMs)
}
function given(p: WorkerPool, count: number, nowMs = NOW): number[] {
  return Array.from({ length: count }, () => {
    const choice = p.choose(wanted, nowMs)
    if (!('slot' in choice)) throw new Error('expected a worker')
    p.begin(choice.slot.connectionId, nowMs)
    return choice.slot.connectionId
  })
}

test('requests are spread over equal workers', () => {
  const p = pool({}, {}, {})
  expect(given(p, 6)).toEqual([1, 2, 3, 1, 2, 3])
  expect(p.choose(wanted, NOW)).toEqual({ none: 'busy' })
  p.finish(2, { is: 'none' }, NOW)
  expect(p.choose(wanted, NOW)).toMatchObject({ slot: { connectionId: 2 } })
})

test('among equally loaded workers the cheaper one is chosen', () => {
  const p = pool({ coefficient: 1500 }, { coefficient: 900 })
  expect(p.choose(wanted, NOW)).toMatchObject({ slot: { connectionId: 2 } })
})

test('load is judged against capacity, not in absolute numbers', () => {
  const p = pool({ capacity: 10 }, { capacity: 2 })
  p.begin(1, NOW)
  p.begin(2, NOW)
  expect(p.choose(wanted, NOW)).toMatchObject({ slot: { connectionId: 1 } })
})

test('a worker that answers sooner gets more, and a slower one still gets some', () => {
  const p = pool({ capacity: 100 }, { capacity: 100 })
  for (let i = 0; i < 30; i++) {
    answered(p, 1, 200)
    answered(p, 2, 1100)
  }
  const counts = given(p, 50)
  const fast = counts.filter((id) => id === 1).length
  expect(fast).toBeGreaterThan(35)
  expect(fast).toBeLessThan(50)
})

test('a worker that fails fast is not taken for a fast one', () => {
  const p = pool({ capacity: 10 }, { capacity: 10 })
  answered(p, 2, 500)
  failed(p, 1)
  expect(p.choose(wanted, NOW)).toMatchObject({ slot: { connectionId: 2 } })
})

test('a worker that was slow long ago is tried again', () => {
  const p = pool({ capacity: 10 }, { capacity: 10 })
  answered(p, 1, 60_000)
  for (let i = 0; i < 40; i++) answered(p, 2, 300)
  expect(given(p, 5)).toEqual([2, 2, 2, 2, 2])
  expect(given(p, 5, NOW + 200_000)).toContain(1)
})

test('three failures in a row keep requests away until one probe has succeeded', () => {
  const p = pool({ capacity: 10 }, { capacity: 10 })
  for (let i = 0; i < 3; i++) failed(p, 1)
  expect(new Set(given(p, 9))).toEqual(new Set([2]))
  // The only free one: better to wait for the other than to be failed.
  p.begin(2, NOW)
  expect(p.choose(wanted, NOW)).toEqual({ none: 'busy' })
  const later = NOW + 1_000
  expect(given(p, 1, later)).toEqual([1])
  expect(p.choose(wanted, later)).toEqual({ none: 'busy' })
  p.finish(1, { is: 'ok', kind: 'streamed', firstAnswerMs: 10 }, later)
  expect(given(p, 1, later)).toEqual([1])
})

test('when every worker’s breaker is open, they are tried all the same', () => {
  const p = pool({})
  for (let i = 0; i < 5; i++) failed(p, 1)
  expect(p.slot(1)?.record.breaker.is).toBe('open')
  expect(p.choose(wanted, NOW)).toMatchObject({ slot: { connectionId: 1 } })
})

test('a worker that has just come gets a small part of its share, and all of it later', () => {
  const p = pool({ capacity: 100 })
  p.add({ connectionId: 9, model: 'm', version: 4, capacity: 100, coefficient: 1000 }, NOW)
  p.update(9, { enabled: true }, NOW)
  const share = (nowMs: number): number => given(p, 30, nowMs).filter((id) => id === 9).length
  const first = share(NOW)
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThan(8)
  expect(share(NOW + SLOW_START_MS)).toBeGreaterThan(first + 8)
})

test('a new worker is used at once where the others are full', () => {
  const p = pool({ capacity: 1 })
  p.begin(1, NOW)
  p.add({ connectionId: 9, model: 'm', version: 4, capacity: 1, coefficient: 1000 }, NOW)
  p.update(9, { enabled: true }, NOW)
  expect(p.choose(wanted, NOW)).toMatchObject({ slot: { connectionId: 9 } })
})

test('a warm cache wins over a slightly less loaded worker, and loses against a far less loaded one', () => {
  const p = pool({ capacity: 10 }, { capacity: 10 })
  const warm = { ...wanted, warm: { connectionIds: [1], share: 1 } }
  p.begin(1, NOW)
  expect(p.choose(warm, NOW)).toMatchObject({ slot: { connectionId: 1 }, warm: 1 })
  for (let i = 0; i < 5; i++) p.begin(1, NOW)
  expect(p.choose(warm, NOW)).toMatchObject({ slot: { connectionId: 2 }, warm: 0 })
})

test.each([
  ['a model nobody ever offered', pool({}), { ...wanted, model: 'x' }, { none: 'unknown-model' }],
  ['only disabled workers', pool({ enabled: false }), wanted, { none: 'no-workers', sinceMs: null }],
  [
    'workers above the price cap',
    pool({ coefficient: 5000 }, { coefficient: 4500 }),
    wanted,
    { none: 'too-expensive', lowestCoefficient: 4500 },
  ],
  ['workers of an older protocol', pool({ version: 2 }), { ...wanted, minVersion: 3 }, { none: 'busy' }],
  ['a worker that has had it', pool({}), { ...wanted, tried: new Set([1]) }, { none: 'all-tried' }],
] as const)('%s: nobody is chosen and the reason is said', (_, p, want, expected) => {
  expect(p.choose(want, NOW)).toEqual(expected)
})

test('where only a dearer worker is free, the caller may wait or pay: both are said', () => {
  const p = pool({ capacity: 1 }, { coefficient: 5000 })
  p.begin(1, NOW)
  expect(p.choose(wanted, NOW)).toEqual({ none: 'busy', lowestCoefficient: 5000 })
})

test('since when nobody takes requests is known, and forgotten when somebody does', () => {
  const p = pool({}, { enabled: false })
  p.update(1, { enabled: false }, NOW)
  p.remove(2, NOW + 3)
  expect(p.choose(wanted, NOW + 5)).toEqual({ none: 'no-workers', sinceMs: NOW })
  p.update(1, { enabled: true }, NOW + 6)
  p.remove(1, NOW + 7)
  expect(p.choose(wanted, NOW + 8)).toEqual({ none: 'no-workers', sinceMs: NOW + 7 })
  expect(pool({ enabled: false }).choose(wanted, NOW)).toEqual({ none: 'no-workers', sinceMs: null })
})

test('a model whose workers left is known but has no workers', () => {
  const p = pool({})
  p.remove(1, NOW)
  expect(p.choose(wanted, NOW + 5)).toEqual({ none: 'no-workers', sinceMs: NOW })
})

test('the one free worker among many is found, wherever it is', () => {
  const many = 10 * SAMPLE
  for (const free of [1, many / 2, many]) {
    const p = pool(...Array.from({ length: many }, () => ({ capacity: 1 })))
    for (let id = 1; id <= many; id++) if (id !== free) p.begin(id, NOW)
    expect(p.choose(wanted, NOW)).toMatchObject({ slot: { connectionId: free } })
  }
})

test('a chosen worker is always enabled, free, untried and within the cap; nobody is only chosen where nobody is', () => {
  const worker = fc.record({
    coefficient: fc.nat(3000),
    capacity: fc.integer({ min: 1, max: 3 }),
    enabled: fc.boolean(),
    version: fc.integer({ min: 0, max: 4 }),
  })
  fc.assert(
    fc.property(
      fc.array(worker, { maxLength: 40 }),
      fc.array(fc.nat(40), { maxLength: 60 }),
      fc.array(fc.nat(40), { maxLength: 4 }),
      fc.nat(3000),
      (workers, begun, removed, cap) => {
        const p = pool(...workers)
        for (const i of begun) if ((p.slot(i)?.running ?? 9) < (p.slot(i)?.capacity ?? 0)) p.begin(i, NOW)
        for (const i of removed) p.remove(i, NOW)
        const tried = new Set(begun.slice(0, 3))
        const fits = (s: WorkerSlot): boolean =>
          s.enabled && s.running < s.capacity && s.coefficient <= cap && s.version >= 1 && !tried.has(s.connectionId)
        const choice = p.choose({ ...wanted, maxCoefficient: cap, minVersion: 1, tried }, NOW)
        expect('slot' in choice ? fits(choice.slot) : !p.slots().some(fits)).toBe(true)
      },
    ),
  )
})

test('the sums of places agree with the workers after any sequence of changes', () => {
  const step = fc.tuple(
    fc.constantFrom('begin', 'finish', 'enable', 'disable', 'remove'),
    fc.integer({ min: 1, max: 5 }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const p = pool({}, {}, { enabled: false }, { capacity: 1 }, { capacity: 5 })
      for (const [what, id] of steps) {
        if (what === 'begin') p.begin(id, NOW)
        else if (what === 'finish') {
          if ((p.slot(id)?.running ?? 0) > 0) p.finish(id, { is: 'none' }, NOW)
        } else if (what === 'remove') p.remove(id, NOW)
        else p.update(id, { enabled: what === 'enable' }, NOW)
      }
      const enabled = p.slots().filter((s) => s.enabled)
      expect(p.places('m')).toEqual({
        all: enabled.reduce((n, s) => n + s.capacity, 0),
        free: enabled.reduce((n, s) => n + Math.max(0, s.capacity - s.running), 0),
      })
    }),
  )
})

describe('what workers said they can do', () => {
  const NEEDS_SIGHT = {
    abilities: [{ what: 'vision', field: 'messages[0]' }],
    promptAtLeast: 0,
    maxTokens: 10,
  } as const
  const blind = abilitiesFrom(['chat'], ['vision'], null)
  const sees = abilitiesFrom(['chat', 'vision'], [], null)
  const with_ = (...abilities: readonly (Abilities | null)[]): WorkerPool => {
    const p = pool(...abilities.map(() => ({ capacity: 1 })))
    abilities.forEach((one, i) => p.update(i + 1, { abilities: one }, NOW))
    return p
  }
  const needing = { ...wanted, needs: NEEDS_SIGHT }

  test('a request goes to one that can, however busy, and to one that has not said', () => {
    expect(with_(blind, sees).choose(needing, NOW)).toMatchObject({ slot: { connectionId: 2 } })
    expect(with_(blind, null).choose(needing, NOW)).toMatchObject({ slot: { connectionId: 2 } })
  })

  test('it waits for those that can, and not for those that cannot', () => {
    const p = with_(blind, sees)
    p.begin(2, NOW)
    expect(p.choose(needing, NOW)).toEqual({ none: 'busy' })
    p.update(2, { enabled: false }, NOW)
    const unfit = { none: 'unfit', lacks: NEEDS_SIGHT.abilities[0] }
    expect(p.choose(needing, NOW)).toEqual(unfit)
    p.begin(1, NOW)
    expect(p.choose(needing, NOW)).toEqual(unfit)
    expect(p.choose(wanted, NOW)).toEqual({ none: 'busy' })
  })

  test('among hundreds the only one that can is found', () => {
    const p = with_(...Array.from({ length: 300 }, (_, i) => (i === 222 ? sees : blind)))
    expect(p.choose(needing, NOW)).toMatchObject({ slot: { connectionId: 223 } })
  })

  test('one with room for the whole answer goes before one that may have to cut it, until that is all there is', () => {
    const p = with_(abilitiesFrom([], [], 500), abilitiesFrom([], [], 5_000))
    const long = { ...wanted, needs: { abilities: [], promptAtLeast: 0, maxTokens: 900 } }
    expect(p.choose(long, NOW)).toMatchObject({ slot: { connectionId: 2 } })
    p.update(2, { enabled: false }, NOW)
    expect(p.choose(long, NOW)).toMatchObject({ slot: { connectionId: 1 } })
  })
})
