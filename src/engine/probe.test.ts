import { expect, test } from 'vitest'
import { manualClock } from '../util/index.ts'
import { engineError } from './errors.ts'
import { type EngineState, type EngineWatch, watchEngine } from './probe.ts'

type Reply = (result: readonly string[] | Error) => void

/** An engine whose probes the test answers by hand. */
function setup(random = 0.5) {
  const clock = manualClock()
  const probes: { readonly reply: Reply; readonly signal: AbortSignal }[] = []
  const changes: EngineState[] = []
  const watch: EngineWatch = watchEngine({
    engine: {
      models: (signal) =>
        new Promise((resolve, reject) => {
          probes.push({ signal, reply: (result) => (result instanceof Error ? reject(result) : resolve(result)) })
        }),
    },
    clock,
    random: () => random,
    onChange: (state) => void changes.push(state),
  })
  return {
    clock,
    probes,
    changes,
    watch,
    /** Lets the promises of the last answer run. */
    async answer(result: readonly string[] | Error): Promise<void> {
      probes.at(-1)?.reply(result)
      await settle()
    },
  }
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const down = engineError('engine.unreachable')

test('starts as not ready, without announcing it, and probes at once', () => {
  const { watch, probes, changes } = setup()
  expect(watch.state).toEqual({ ready: false })
  expect([probes.length, changes.length]).toEqual([1, 0])
})

test('every change is announced once, with the models or the reason', async () => {
  const { answer, clock, changes, watch } = setup()
  for (const result of [['a'], ['a', 'b'], down, down, ['c']]) {
    await answer(result)
    clock.advance(2_000)
  }
  expect(changes).toEqual([
    { ready: true, models: ['a'] },
    { ready: false, why: down },
    { ready: true, models: ['c'] },
  ])
  expect(watch.state).toEqual({ ready: true, models: ['c'] })
})

test('the next probe starts one to two seconds after the last one ended', async () => {
  for (const [random, pause] of [
    [0, 1_000],
    [0.999, 1_999],
  ] as const) {
    const { answer, clock, probes } = setup(random)
    clock.advance(700)
    await answer([])
    clock.advance(pause - 1)
    expect(probes.length).toBe(1)
    clock.advance(1)
    expect(probes.length).toBe(2)
  }
})

test('while it is down it is probed four times as often', async () => {
  const { answer, clock, probes } = setup(0)
  await answer(down)
  clock.advance(249)
  expect(probes.length).toBe(1)
  clock.advance(1)
  expect(probes.length).toBe(2)
})

test('who suspects it has it probed at once, but not while it is down, being probed or no longer watched', async () => {
  const { answer, clock, probes, watch, changes } = setup()
  watch.suspect()
  expect(probes.length).toBe(1)
  await answer(['a'])
  watch.suspect()
  watch.suspect()
  expect(probes.length).toBe(2)
  await answer(down)
  expect(changes.at(-1)).toMatchObject({ ready: false })
  watch.suspect()
  clock.advance(200)
  expect(probes.length).toBe(2)
  watch.stop()
  watch.suspect()
  clock.advance(10_000)
  expect(probes.length).toBe(2)
})

test('a probe that never answers is aborted and counts as down', async () => {
  const { answer, clock, probes, watch, changes } = setup()
  await answer(['a'])
  clock.advance(2_000)
  clock.advance(40_000)
  await settle()
  expect(probes[1]?.signal.aborted).toBe(true)
  expect(watch.state).toMatchObject({ ready: false, why: { code: 'engine.timeout' } })
  expect(changes).toHaveLength(2)
})

test('after stop nothing is probed or announced', async () => {
  const { answer, clock, probes, changes, watch } = setup()
  watch.stop()
  expect(probes[0]?.signal.aborted).toBe(true)
  await answer(['a'])
  clock.advance(100_000)
  expect([probes.length, changes.length]).toEqual([1, 0])
})
