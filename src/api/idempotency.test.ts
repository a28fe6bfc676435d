import { expect, test } from 'vitest'
import { type Inference, type InferenceRequest, type InferenceSink, NO_STORY } from '../roles/client/index.ts'
import { CocoonError, manualClock, utf8 } from '../util/index.ts'
import { ANSWER_MEMORY, createAnswerMemory } from './idempotency.ts'

const REQUEST = { body: new Uint8Array() } as unknown as InferenceRequest
const HEAD = { status: 200, headers: [], maxCostNano: 0n, proxy: '', evidence: 'simulated' } as const
const INFO = { costNano: 7n } as Parameters<InferenceSink['end']>[0]
const BODY = utf8('{"model":"m"}')

function memory(limits = ANSWER_MEMORY) {
  const clock = manualClock()
  const runs: { sink: InferenceSink; cancelled: boolean }[] = []
  const inference: Inference = {
    run(_request, sink) {
      const entry = { sink, cancelled: false }
      runs.push(entry)
      return { cancel: () => (entry.cancelled = true), charge: () => Promise.resolve('unknown'), story: () => NO_STORY }
    },
    models: () => Promise.resolve({ models: [], silent: [] }),
    quote: () => ({ maxCostNano: 0n }) as ReturnType<Inference['quote']>,
  }
  const answers = createAnswerMemory(clock, inference, limits)
  return {
    clock,
    runs,
    ask(key = 'k', scope = 'alice', body = BODY) {
      const heard: string[] = []
      const { inference: one, isRepeated } = answers.inferenceFor(key, scope, body)
      const running = one.run(REQUEST, {
        head: ({ status }) => heard.push(`head ${status}`),
        part: (bytes) => heard.push(Buffer.from(bytes).toString()),
        end: ({ costNano }) => heard.push(`end ${costNano}`),
        fail: ({ code }) => heard.push(code),
      })
      return { heard, isRepeated, cancel: () => running.cancel() }
    },
    answer(at = 0) {
      const sink = (runs[at] as (typeof runs)[number]).sink
      sink.head(HEAD)
      sink.part(utf8('one'))
      sink.part(utf8('two'))
      sink.end(INFO)
    },
  }
}
const ANSWER = ['head 200', 'one', 'two', 'end 7']

test('a repeated request gets the first answer, and runs nothing', async () => {
  const m = memory()
  const first = m.ask()
  m.answer()
  const second = m.ask()
  await Promise.resolve()
  expect([first.heard, second.heard]).toEqual([ANSWER, ANSWER])
  expect([first.isRepeated, second.isRepeated]).toEqual([false, true])
  expect(m.runs.length).toBe(1)
})

test('one that comes in the middle gets what was missed, then the rest as it comes', async () => {
  const m = memory()
  m.ask()
  const { sink } = m.runs[0] as { sink: InferenceSink }
  sink.head(HEAD)
  const lent = utf8('one')
  sink.part(lent)
  lent.fill(0)
  const second = m.ask()
  await Promise.resolve()
  expect(second.heard).toEqual(['head 200', 'one'])
  sink.part(utf8('two'))
  sink.end(INFO)
  expect(second.heard).toEqual(ANSWER)
})

test('when the first caller leaves, the answer is finished for the next', async () => {
  const m = memory()
  const first = m.ask()
  first.cancel()
  expect(m.runs[0]?.cancelled).toBe(false)
  m.answer()
  expect(first.heard).toEqual([])
  const second = m.ask()
  await Promise.resolve()
  expect(second.heard).toEqual(ANSWER)
})

test('a failure is not kept: the next runs again', () => {
  const m = memory()
  const first = m.ask()
  m.runs[0]?.sink.fail(new CocoonError('capacity.busy'))
  expect(first.heard).toEqual(['capacity.busy'])
  expect(m.ask().isRepeated).toBe(false)
  expect(m.runs.length).toBe(2)
})

test('who comes in the moment in which the first fails hears of it', async () => {
  const m = memory()
  m.ask()
  const second = m.ask()
  m.runs[0]?.sink.fail(new CocoonError('capacity.busy'))
  await Promise.resolve()
  expect(second.heard).toEqual(['capacity.busy'])
})

test('another caller’s same key is another key', () => {
  const m = memory()
  m.ask('k', 'alice')
  expect(m.ask('k', 'bob').isRepeated).toBe(false)
  // Scope and key cannot be mixed up with each other.
  m.ask('c', 'a b')
  expect(m.ask('b-c', 'a').isRepeated).toBe(false)
})

test.each([
  ['a key that was used with another body', 'k', utf8('{"model":"n"}')],
  ['an empty key', '', BODY],
  ['a key with a line end', 'a\nb', BODY],
  ['a key that is too long', 'k'.repeat(256), BODY],
])('%s is refused', (_, key, body) => {
  const m = memory()
  m.ask()
  expect(() => m.ask(key, 'alice', body)).toThrow(expect.objectContaining({ code: 'request.idempotency-key' }))
})

test('answers are forgotten after their time, and the oldest when there are too many', () => {
  const m = memory({ ...ANSWER_MEMORY, maxAnswers: 2 })
  for (const [i, key] of ['a', 'b', 'c'].entries()) {
    m.ask(key)
    m.answer(i)
  }
  expect(m.ask('c').isRepeated).toBe(true)
  expect(m.ask('a').isRepeated).toBe(false)
  m.clock.advance(ANSWER_MEMORY.ttlMs + 1)
  expect(m.ask('c').isRepeated).toBe(false)
})

test('an answer that is too large to keep reaches its caller, and a repetition is refused instead of run and charged', () => {
  const m = memory({ ...ANSWER_MEMORY, maxBytes: 10_000 })
  const first = m.ask()
  const { sink } = m.runs[0] as { sink: InferenceSink }
  sink.head(HEAD)
  sink.part(new Uint8Array(5_000))
  sink.end(INFO)
  expect(first.heard.length).toBe(3)
  expect(() => m.ask()).toThrow(expect.objectContaining({ code: 'request.idempotency-key' }))
})
