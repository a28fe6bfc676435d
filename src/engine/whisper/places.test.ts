import { expect, test } from 'vitest'
import { CocoonError } from '../../util/index.ts'
import type { Place } from './place.ts'
import { startPlaces } from './places.ts'
import type { WindowAnswer, WindowJob } from './speech-thread.ts'

interface FakePlace extends Place {
  /** Answers the job it works on. */
  finish(): void
  /** Its thread ends under it. */
  die(): void
  readonly jobs: Omit<WindowJob, 'cancelled'>[]
}

function factory() {
  const made: FakePlace[] = []
  const start = async (): Promise<Place> => {
    let settle: { finish(): void; die(): void } = { finish: () => {}, die: () => {} }
    let hasEnded = false
    const jobs: FakePlace['jobs'] = []
    const place: FakePlace = {
      languages: ['en'],
      jobs,
      get hasEnded() {
        return hasEnded
      },
      write: (job) =>
        new Promise((resolve, reject) => {
          jobs.push(job)
          settle = {
            finish: () => resolve({ language: job.prompt } as WindowAnswer),
            die: () => reject(new CocoonError('engine.generation-failed')),
          }
        }),
      finish: () => settle.finish(),
      die() {
        hasEnded = true
        settle.die()
      },
      close: async () => undefined,
    }
    made.push(place)
    return place
  }
  return { made, start }
}

const job = (prompt: string) => ({ prompt }) as Omit<WindowJob, 'cancelled'>
const patient = new AbortController().signal
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('windows are worked on in the order they came, one at a time in each place', async () => {
  const { made, start } = factory()
  const places = await startPlaces(start, { parallel: 1, maxQueued: 5 })
  const asked = ['a', 'b', 'c'].map((name) => places.write(job(name), patient))
  for (const name of ['a', 'b', 'c']) {
    await turn()
    expect(made[0]?.jobs.at(-1)?.prompt).toBe(name)
    made[0]?.finish()
  }
  expect((await Promise.all(asked)).map(({ language }) => language)).toEqual(['a', 'b', 'c'])
  expect(places.busy).toBe(0)
})

test('more places start when somebody waits, and no more than allowed', async () => {
  const { made, start } = factory()
  const places = await startPlaces(start, { parallel: 2, maxQueued: 5 })
  expect(made).toHaveLength(1)
  const asked = ['a', 'b', 'c'].map((name) => places.write(job(name), patient))
  await turn()
  expect(made).toHaveLength(2)
  expect(places.busy).toBe(2)
  made[1]?.finish()
  await turn()
  expect(made[1]?.jobs.map(({ prompt }) => prompt)).toEqual(['b', 'c'])
  for (const place of made) place.finish()
  await Promise.all(asked)
})

test('requests beyond places and queue are refused until one leaves', async () => {
  const places = await startPlaces(factory().start, { parallel: 1, maxQueued: 1 })
  const leave = places.admit()
  places.admit()
  expect(places.queued).toBe(1)
  expect(() => places.admit()).toThrowError(expect.objectContaining({ code: 'capacity.queue-full' }))
  leave()
  expect(places.admit()).toBeTypeOf('function')
})

test('a caller that leaves the queue is passed over', async () => {
  const { made, start } = factory()
  const places = await startPlaces(start, { parallel: 1, maxQueued: 5 })
  const first = places.write(job('a'), patient)
  const leaving = new AbortController()
  const left = places.write(job('b'), leaving.signal)
  const last = places.write(job('c'), patient)
  leaving.abort(new Error('left'))
  await expect(left).rejects.toThrow('left')
  made[0]?.finish()
  await first
  made[0]?.finish()
  await last
  expect(made[0]?.jobs.map(({ prompt }) => prompt)).toEqual(['a', 'c'])
})

test('a place stays taken until its thread has heard that the caller left', async () => {
  const { made, start } = factory()
  const places = await startPlaces(start, { parallel: 1, maxQueued: 5 })
  const leaving = new AbortController()
  const left = places.write(job('a'), leaving.signal)
  await turn()
  leaving.abort(new Error('left'))
  await turn()
  expect(places.busy).toBe(1)
  made[0]?.finish()
  await expect(left).rejects.toThrow('left')
  expect(places.busy).toBe(0)
})

test('a place whose thread has ended fails its request and is replaced for the next', async () => {
  const { made, start } = factory()
  const places = await startPlaces(start, { parallel: 1, maxQueued: 5 })
  const lost = places.write(job('a'), patient)
  const next = places.write(job('b'), patient)
  await turn()
  made[0]?.die()
  await expect(lost).rejects.toMatchObject({ code: 'engine.generation-failed' })
  await turn()
  expect(made).toHaveLength(2)
  made[1]?.finish()
  expect((await next).language).toBe('b')
})

test('when no place can be had at all, those who wait are told why', async () => {
  const { made, start } = factory()
  let isBroken = false
  const places = await startPlaces(
    () => (isBroken ? Promise.reject(new CocoonError('engine.model-unusable')) : start()),
    { parallel: 1, maxQueued: 5 },
  )
  isBroken = true
  const lost = places.write(job('a'), patient)
  const next = places.write(job('b'), patient)
  await turn()
  made[0]?.die()
  await expect(lost).rejects.toMatchObject({ code: 'engine.generation-failed' })
  await expect(next).rejects.toMatchObject({ code: 'engine.model-unusable' })
})
