import { expect, test } from 'vitest'
import type { Inference, InferenceRequest, InferenceSink } from '../roles/client/index.ts'
import { CocoonError, manualClock } from '../util/index.ts'
import { watchInteractive } from './interactive.ts'

const STREAMED = { path: '/v1/chat/completions', model: 'm', stream: true } as unknown as InferenceRequest
const WHOLE = { ...STREAMED, stream: false } as InferenceRequest
const HEAD = { status: 200, headers: [], maxCostNano: 1n, proxy: 'p', evidence: 'none' } as const

function setUp() {
  const clock = manualClock()
  const sinks: InferenceSink[] = []
  const inference: Inference = {
    run(_request, sink) {
      sinks.push(sink)
      return { cancel() {}, charge: () => Promise.resolve('nothing'), story: () => ({ queuedMs: null, attempts: [] }) }
    },
    quote: () => {
      throw new Error('not asked')
    },
    models: () => Promise.resolve({ models: [], silent: [] }),
  }
  const watch = watchInteractive(inference, clock)
  const seen: string[] = []
  const caller: InferenceSink = {
    head: () => void seen.push('head'),
    part: () => void seen.push('part'),
    end: () => void seen.push('end'),
    fail: (error) => void seen.push(error.code),
  }
  return { clock, sinks, watch, seen, run: (request = STREAMED) => watch.inference.run(request, caller) }
}

test('a stream that has not begun after a second is waiting, until it does', () => {
  const { clock, sinks, watch, run, seen } = setUp()
  run()
  expect(watch.isWaiting()).toBe(false)
  clock.advance(1_001)
  expect(watch.isWaiting()).toBe(true)
  sinks[0]?.head(HEAD)
  sinks[0]?.part(new Uint8Array(1))
  expect(watch.isWaiting()).toBe(false)
  expect(seen).toEqual(['head', 'part'])
})

test('a whole answer that takes its time keeps nobody waiting', () => {
  const { clock, watch, run } = setUp()
  run(WHOLE)
  clock.advance(60_000)
  expect(watch.isWaiting()).toBe(false)
})

test('for five seconds after a refusal for want of room nothing else goes first; another failure means nothing', () => {
  const { clock, sinks, watch, run, seen } = setUp()
  run()
  sinks[0]?.fail(new CocoonError('engine.failed'))
  run()
  sinks[1]?.fail(new CocoonError('capacity.rate-limit'))
  expect(watch.isWaiting()).toBe(false)
  run()
  sinks[2]?.fail(new CocoonError('capacity.busy'))
  expect(watch.isWaiting()).toBe(true)
  clock.advance(5_000)
  expect(watch.isWaiting()).toBe(false)
  expect(seen).toEqual(['engine.failed', 'capacity.rate-limit', 'capacity.busy'])
})

test('a caller that leaves waits no longer', () => {
  const { clock, watch, run } = setUp()
  const running = run()
  clock.advance(5_000)
  running.cancel()
  expect(watch.isWaiting()).toBe(false)
})
