import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { advance, type BatchEvent, newBatch } from './batch-state.ts'
import { type Batch, type BatchOrder, BATCH_STATUSES, isOver, NO_PROGRESS } from './records.ts'

const ORDER: BatchOrder = {
  project: 'shop',
  caller: 'key-1',
  endpoint: '/v1/chat/completions',
  inputFile: 'file-1',
  window: '24h',
  metadata: null,
  maxCoefficient: 1000,
  maxCostNano: null,
  repeatLost: false,
  keepOutputMs: 1000,
  idempotency: null,
}
const PROBLEM = { code: 'request.key-revoked', message: 'gone', param: null, line: null }
const STOPPED: BatchEvent = {
  is: 'stopped',
  problem: PROBLEM,
  ending: { as: 'failed', code: 'request.key-revoked', message: 'gone' },
}
const WRITTEN: BatchEvent = { is: 'written', outputFile: 'file-2', errorFile: null, result: NO_PROGRESS }
const EVENTS: readonly BatchEvent[] = [
  { is: 'validated' },
  { is: 'invalid', problems: [PROBLEM] },
  { is: 'cancelled' },
  { is: 'expired' },
  STOPPED,
  { is: 'answered' },
  WRITTEN,
]
const fresh = (): Batch => newBatch('batch_1', ORDER, 1_000, 86_400_000)
const after = (...events: readonly BatchEvent[]): Batch =>
  events.reduce((batch, event, i) => advance(batch, event, 2_000 + i), fresh())

describe('a batch', () => {
  test.each([
    ['completed', 'validated answered written'],
    ['failed', 'invalid'],
    ['cancelled', 'validated cancelled written'],
    ['cancelled', 'cancelled written'],
    ['expired', 'validated expired written'],
    ['expired', 'expired written'],
    ['failed', 'validated stopped written'],
    ['cancelled', 'validated cancelled expired stopped answered written'],
    ['completed', 'validated answered cancelled expired written'],
    ['expired', 'validated expired cancelled written'],
  ])('ends as %s after %s', (status, names) => {
    const events = names.split(' ').map((name) => EVENTS.find((event) => event.is === name) as BatchEvent)
    expect(after(...events).status).toBe(status)
  })

  test('keeps why it was stopped, and only when that is what ended it', () => {
    expect(after({ is: 'validated' }, STOPPED, WRITTEN).problems).toEqual([PROBLEM])
    expect(after({ is: 'validated' }, { is: 'cancelled' }, STOPPED, WRITTEN).problems).toEqual([])
  })
})

const history = fc.array(fc.constantFrom(...EVENTS), { maxLength: 12 })

test('whatever happens in whatever order: what is over stays, stamps never fall, and every status is one of OpenAI’s', () => {
  fc.assert(
    fc.property(history, (events) => {
      let batch = fresh()
      for (const [i, event] of events.entries()) {
        const next = advance(batch, event, 2_000 + i)
        if (isOver(batch)) expect(next).toBe(batch)
        expect(BATCH_STATUSES).toContain(next.status)
        const stamps = [next.createdMs, next.inProgressMs, next.cancellingMs ?? next.finalizingMs, next.endedMs]
        const set = stamps.filter((at) => at !== null)
        expect(set).toEqual(set.toSorted((a, b) => a - b))
        expect(next.endedMs !== null).toBe(isOver(next))
        expect(next.cancellingMs !== null && next.finalizingMs !== null).toBe(false)
        // An order is what it was.
        expect(next).toMatchObject(ORDER)
        batch = next
      }
    }),
  )
})

test('from every status there is a way to the end, and files once written are never taken back', () => {
  fc.assert(
    fc.property(history, (events) => {
      const batch = after(...events)
      const ended = advance(advance(batch, { is: 'expired' }, 9_000), WRITTEN, 9_001)
      expect(isOver(ended)).toBe(true)
      expect(advance(ended, { ...WRITTEN, outputFile: 'file-9' } as BatchEvent, 9_002).outputFile).toBe(
        ended.outputFile,
      )
    }),
  )
})
