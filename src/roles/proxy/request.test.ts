import { expect, test } from 'vitest'
import { NO_TOKENS } from '../../ledger/index.ts'
import { NOT_STARTED, type Progress, receiveAnswer, type WorkerAnswer, type WorkerFinal } from './request.ts'

const bounds = {
  reserved: 1000n,
  coefficient: 1000,
  multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
  maxTokens: 500,
  queryBytes: 200,
}
const final = (total: bigint): WorkerFinal => ({
  tokens: { ...NO_TOKENS, completion: total, total },
  debug: '',
  start: 1,
  end: 2,
})
const head: WorkerAnswer = { is: 'head', bytes: new Uint8Array(8), final: null }
const part = (f: WorkerFinal | null = null): WorkerAnswer => ({ is: 'part', bytes: new Uint8Array(100), final: f })
const whole = (total: bigint): WorkerAnswer => ({
  is: 'whole',
  head: new Uint8Array(8),
  bytes: new Uint8Array(100),
  final: final(total),
})
const answering: Progress = { phase: 'answering', answerBytes: 8 }

test('a first answer, parts and a final part pass in order', () => {
  const one = receiveAnswer(NOT_STARTED, head, bounds)
  expect(one).toMatchObject({ do: 'forward', kind: 'head', progress: answering })
  expect(receiveAnswer(answering, part(), bounds)).toMatchObject({
    do: 'forward',
    kind: 'part',
    progress: { answerBytes: 108 },
  })
  expect(receiveAnswer(answering, part(final(60n)), bounds)).toMatchObject({
    do: 'finish',
    answer: { is: 'part', final: { tokens: { total: 60n } } },
    answerBytes: 108,
  })
})

test('a whole answer ends a request that waits, and its head counts as bytes of the answer', () => {
  expect(receiveAnswer(NOT_STARTED, whole(60n), bounds)).toMatchObject({
    do: 'finish',
    answer: { is: 'whole', final: { tokens: { total: 60n } } },
    answerBytes: 108,
  })
  expect(receiveAnswer(NOT_STARTED, whole(1001n), bounds)).toMatchObject({ do: 'fail', blame: 'above-reservation' })
})

test.each([
  ['a part before the first answer', NOT_STARTED, part()],
  ['a second first answer', answering, head],
  ['a whole answer after the first', answering, whole(60n)],
] as const)('%s fails the request and blames the worker', (_, progress, answer) => {
  expect(receiveAnswer(progress, answer, bounds)).toMatchObject({ do: 'fail', code: 621, blame: 'order' })
})

test('a usage above the reservation is refused: nothing to settle, and the worker is blamed', () => {
  expect(receiveAnswer(answering, part(final(1001n)), bounds)).toMatchObject({
    do: 'fail',
    code: 602,
    blame: 'above-reservation',
    final: { tokens: { total: 0n } },
  })
})

test('an error ends the request in any phase with the worker’s code', () => {
  const error: WorkerAnswer = { is: 'error', code: 652, message: 'worker: timeout', final: final(0n) }
  for (const progress of [NOT_STARTED, answering])
    expect(receiveAnswer(progress, error, bounds)).toMatchObject({ do: 'fail', code: 652 })
})
