import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../../util/index.ts'
import { Dispatcher, type Effect, type Job } from './dispatcher.ts'
import { WorkerPool } from './scheduler.ts'

interface Named extends Job {
  readonly name: string
}

const START = 1_000_000
const OK = { is: 'ok', kind: 'whole', firstAnswerMs: 10 } as const

function job(name: string, over: Partial<Named> = {}): Named {
  return {
    name,
    model: 'm',
    account: name.charAt(0),
    cost: 10,
    maxCoefficient: 4000,
    kind: 'whole',
    deadlineMs: START + 120_000,
    prefix: [],
    tried: null,
    waiting: null,
    ...over,
  }
}

/** Workers 1 … n with one place each. */
function proxy(workers: number, limits = { maxQueued: 100, maxQueueWaitMs: 10_000 }) {
  const pool = new WorkerPool(seededRandom(1))
  for (let id = 1; id <= workers; id++) {
    pool.add({ connectionId: id, model: 'm', version: 4, capacity: 1, coefficient: 1000 }, START)
    pool.update(id, { enabled: true }, START)
  }
  return { pool, dispatcher: new Dispatcher<Named>(pool, limits) }
}

const said = (effects: readonly Effect<Named>[]): string[] =>
  effects.map(
    (e) => `${e.job.name} ${e.do === 'refuse' ? e.refusal.reason : e.do === 'start' ? e.slot.connectionId : 'waits'}`,
  )

test('who comes when all are busy waits, and starts when a place is free', () => {
  const { dispatcher } = proxy(1)
  const [a, b] = [job('a'), job('b')]
  expect(said(dispatcher.offer(a, START))).toEqual(['a 1'])
  expect(said(dispatcher.offer(b, START))).toEqual(['b waits'])
  const effects = dispatcher.finished(a, 1, OK, 500, START + 500)
  expect(said(effects)).toEqual(['b 1'])
  expect(effects[0]).toMatchObject({ why: { waitedMs: 500 } })
  expect(dispatcher.waiting).toBe(0)
})

test('without a queue who comes when all are busy is refused', () => {
  const { dispatcher } = proxy(1, { maxQueued: 0, maxQueueWaitMs: 10_000 })
  dispatcher.offer(job('a'), START)
  expect(said(dispatcher.offer(job('b'), START))).toEqual(['b busy'])
})

test('who would wait too long is refused at once, and told when to come back', () => {
  const { dispatcher } = proxy(1)
  const first = job('a')
  dispatcher.offer(first, START)
  dispatcher.offer(job('a'), START)
  dispatcher.finished(first, 1, OK, 4_000, START + 4_000)
  expect(said(dispatcher.offer(job('b'), START + 4_000))).toEqual(['b waits'])
  expect(said(dispatcher.offer(job('c'), START + 4_000))).toEqual(['c waits'])
  const [effect] = dispatcher.offer(job('d'), START + 4_000)
  expect(effect).toMatchObject({ refusal: { reason: 'queue-wait', waitMs: 12_000, retryAfterMs: 12_000 } })
})

test('behind others nobody is let in who is likely to wait in vain; the next in line is', () => {
  const served = (serviceMs: number): ReturnType<typeof proxy>['dispatcher'] => {
    const { dispatcher } = proxy(1)
    const first = job('a')
    dispatcher.offer(first, START)
    dispatcher.finished(first, 1, OK, serviceMs, START)
    dispatcher.offer(job('b'), START)
    return dispatcher
  }
  expect(said(served(9_000).offer(job('c'), START))).toEqual(['c waits'])
  for (const [serviceMs, what] of [
    [4_000, 'waits'],
    [4_001, 'queue-wait'],
  ] as const) {
    const dispatcher = served(serviceMs)
    dispatcher.offer(job('c'), START)
    expect(said(dispatcher.offer(job('d'), START))).toEqual([`d ${what}`])
  }
})

test('who comes while the workers are gone is told to come back sooner when they have just left', () => {
  const { dispatcher, pool } = proxy(1)
  pool.update(1, { enabled: false }, START)
  for (const [atMs, retryAfterMs] of [
    [9_999, 500],
    [10_000, 5_000],
  ] as const)
    expect(dispatcher.offer(job('a'), START + atMs)).toMatchObject([
      { do: 'refuse', refusal: { reason: 'no-workers', retryAfterMs } },
    ])
})

test('a proxy that has just started, and knows no worker yet, does not say that it knows no such model', () => {
  const pool = new WorkerPool(seededRandom(1))
  const dispatcher = new Dispatcher<Named>(pool, { maxQueued: 100, maxQueueWaitMs: 10_000, startedMs: START })
  expect(dispatcher.offer(job('a'), START + 9_999)).toMatchObject([
    { do: 'refuse', refusal: { reason: 'no-workers', retryAfterMs: 500 } },
  ])
  expect(said(dispatcher.offer(job('a'), START + 10_000))).toEqual(['a unknown-model'])
  pool.add({ connectionId: 1, model: 'other', version: 4, capacity: 1, coefficient: 1000 }, START)
  expect(said(dispatcher.offer(job('a'), START + 1))).toEqual(['a unknown-model'])
})

test('who has waited for as long as it may is refused by the clock', () => {
  const { dispatcher } = proxy(1)
  dispatcher.offer(job('a'), START)
  dispatcher.offer(job('b'), START)
  expect(dispatcher.tick(START + 9_999)).toEqual([])
  const [effect] = dispatcher.tick(START + 10_000)
  expect(effect).toMatchObject({ do: 'refuse', refusal: { reason: 'queue-expired', waitMs: 10_000 } })
  expect(dispatcher.waiting).toBe(0)
})

test('a caller with little time waits for no longer than leaves time for the answer', () => {
  const { dispatcher } = proxy(1)
  const first = job('a')
  dispatcher.offer(first, START)
  dispatcher.finished(first, 1, OK, 1_000, START)
  dispatcher.offer(job('a'), START)
  const hurried = job('b', { deadlineMs: START + 4_000 })
  dispatcher.offer(hurried, START)
  expect(hurried.waiting?.untilMs).toBe(START + 2_500)
})

test('a client that floods cannot push another out of a full queue', () => {
  const { dispatcher } = proxy(1, { maxQueued: 3, maxQueueWaitMs: 10_000 })
  for (let i = 0; i < 4; i++) dispatcher.offer(job(`f${i}`), START)
  expect(said(dispatcher.offer(job('f4'), START))).toEqual(['f4 queue-full'])
  expect(said(dispatcher.offer(job('r'), START))).toEqual(['r waits', 'f3 queue-displaced'])
})

test('a failed request goes to somebody who has not had it, and comes to an end when all have', () => {
  const { dispatcher } = proxy(2)
  const a = job('a')
  dispatcher.offer(a, START)
  a.tried = new Set([1])
  dispatcher.finished(a, 1, { is: 'failed', kind: 'whole' }, 1, START)
  expect(said(dispatcher.again(a, START, false))).toEqual(['a 2'])
  a.tried.add(2)
  dispatcher.finished(a, 2, { is: 'failed', kind: 'whole' }, 1, START)
  expect(said(dispatcher.again(a, START, false))).toEqual(['a all-tried'])
})

test('a request whose only worker left waits for one to come', () => {
  const { dispatcher, pool } = proxy(1)
  const a = job('a')
  dispatcher.offer(a, START)
  pool.remove(1, START)
  a.tried = new Set([1])
  expect(said(dispatcher.again(a, START, true))).toEqual(['a waits'])
  pool.add({ connectionId: 2, model: 'm', version: 4, capacity: 1, coefficient: 1000 }, START)
  pool.update(2, { enabled: true }, START)
  expect(said(dispatcher.pump('m', START + 100))).toEqual(['a 2'])
})

test.each([
  ['its client would', { lostWorkerMs: 700 }, 700],
  ['any request may', { lostWorkerMs: 60_000 }, 10_000],
  ['its timeout leaves', { lostWorkerMs: 60_000, deadlineMs: START + 3_000 }, 3_000],
])('a request whose only worker left waits no longer than %s', (_, over, most) => {
  const { dispatcher, pool } = proxy(1)
  const a = job('a', over)
  dispatcher.offer(a, START)
  pool.remove(1, START)
  a.tried = new Set([1])
  expect(said(dispatcher.again(a, START, true))).toEqual(['a waits'])
  expect(said(dispatcher.tick(START + most - 1))).toEqual([])
  expect(said(dispatcher.tick(START + most))).toEqual(['a queue-expired'])
})

test('a request whose client waits for no lost worker is refused at once, but waits for one that is busy', () => {
  const { dispatcher, pool } = proxy(2)
  const [a, b] = [job('a', { lostWorkerMs: 0 }), job('b', { lostWorkerMs: 0 })]
  for (const one of [a, b]) dispatcher.offer(one, START)
  pool.remove(1, START)
  a.tried = new Set([1])
  expect(said(dispatcher.again(a, START, true))).toEqual(['a waits'])
  dispatcher.leave(a)
  pool.remove(2, START)
  b.tried = new Set([2])
  expect(said(dispatcher.again(b, START, true))).toEqual(['b no-workers'])
})

test('the same prompt goes to the worker that had it', () => {
  const { dispatcher } = proxy(5)
  const prefix = ['k1', 'k2']
  const first = job('a', { prefix })
  const [effect] = dispatcher.offer(first, START)
  const id = effect?.do === 'start' ? effect.slot.connectionId : 0
  dispatcher.finished(first, id, OK, 10, START)
  expect(said(dispatcher.offer(job('b', { prefix }), START))).toEqual([`b ${id}`])
})

test('names of models that nobody offers are not kept', () => {
  const { dispatcher } = proxy(1)
  for (let i = 0; i < 100; i++) dispatcher.offer(job('a', { model: `made up ${i}` }), START)
  expect(dispatcher.queues().length).toBeLessThanOrEqual(1)
})

test('no request is lost or served twice, and no worker has more than its capacity, whatever happens', () => {
  const step = fc.record({
    what: fc.constantFrom('offer', 'offer', 'end', 'fail', 'leave', 'tick'),
    client: fc.constantFrom('a', 'b', 'c'),
    which: fc.nat(20),
    afterMs: fc.nat(3000),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const { dispatcher, pool } = proxy(3, { maxQueued: 4, maxQueueWaitMs: 5_000 })
      const open = new Map<Named, number | 'waits'>()
      let [now, next] = [START, 0]
      const see = (effects: readonly Effect<Named>[]): void => {
        for (const effect of effects) {
          if (effect.do === 'start') {
            expect(open.get(effect.job)).toBe('waits')
            open.set(effect.job, effect.slot.connectionId)
          } else if (effect.do === 'refuse') expect(open.delete(effect.job)).toBe(true)
        }
      }
      for (const { what, client, which, afterMs } of steps) {
        now += afterMs
        const [chosen, at] = [...open][which % Math.max(1, open.size)] ?? []
        if (what === 'offer') {
          const j = job(`${client}${next++}`, { deadlineMs: now + 20_000 })
          open.set(j, 'waits')
          see(dispatcher.offer(j, now))
        } else if (what === 'tick') see(dispatcher.tick(now))
        else if (chosen === undefined) continue
        else if (at === 'waits') {
          if (what !== 'leave') continue
          dispatcher.leave(chosen)
          open.delete(chosen)
        } else if (what === 'end') {
          open.delete(chosen)
          see(dispatcher.finished(chosen, at as number, OK, afterMs, now))
        } else if (what === 'fail') {
          ;(chosen.tried ??= new Set()).add(at as number)
          open.set(chosen, 'waits')
          const freed = dispatcher.finished(chosen, at as number, { is: 'failed', kind: 'whole' }, 1, now)
          see(dispatcher.again(chosen, now, false))
          see(freed)
        }
        const waiting = [...open.values()].filter((v) => v === 'waits').length
        expect(dispatcher.waiting).toBe(waiting)
        for (const slot of pool.slots()) {
          expect(slot.running).toBe([...open.values()].filter((v) => v === slot.connectionId).length)
          expect(slot.running).toBeLessThanOrEqual(slot.capacity)
        }
      }
    }),
  )
})
