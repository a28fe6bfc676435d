import { expect, test } from 'vitest'
import { encode, httpResponse } from '../../tl/index.ts'
import { reasonToMove, statusOf } from './moves.ts'
import { NOT_STARTED, receiveAnswer, type WorkerAnswer } from './request.ts'

const head = (statusCode: number): Uint8Array =>
  encode(httpResponse, { httpVersion: 'HTTP/1.1', statusCode, reason: 'x', headers: [], payload: new Uint8Array() })
const bounds = {
  reserved: 100n,
  coefficient: 1000,
  multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
  maxTokens: 10,
  queryBytes: 100,
}
const final = {
  tokens: { prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n, total: 0n },
  debug: '',
  start: 0,
  end: 0,
}
const error = (code: number, message = 'x'): WorkerAnswer => ({ is: 'error', code, message, final })
const first = (status: number): WorkerAnswer => ({ is: 'head', bytes: head(status), final: null })
const reason = (answer: WorkerAnswer, progress = NOT_STARTED): unknown =>
  reasonToMove(progress, answer, receiveAnswer(progress, answer, bounds))

test('the status is read where it stands, and a cut answer has none', () => {
  for (const status of [200, 404, 503]) expect(statusOf(head(status))).toBe(status)
  expect(statusOf(head(200).subarray(0, 10))).toBe(0)
  expect(statusOf(new Uint8Array())).toBe(0)
})

test.each([
  ['an engine that failed', error(601), 'worker-failed'],
  ['a worker that is not ready', error(651), 'worker-failed'],
  ['a worker that has enough', error(602, 'too many active queries'), 'worker-full'],
  [
    'an answer with an impossible bill',
    { is: 'head', bytes: head(200), final: { ...final, tokens: { ...final.tokens, total: 5n } } },
    'answer-refused',
  ],
  ['a part before the first answer', { is: 'part', bytes: head(200), final: null }, 'answer-refused'],
  ['an engine behind a dead gateway', first(502), 'engine-status'],
] as const)('%s moves the request', (_, answer, expected) => {
  expect(reason(answer)).toBe(expected)
})

test.each([
  ['a request that is itself at fault', error(621)],
  ['a time that is over', error(652)],
  ['a rule of the worker', error(602, 'something else')],
  ['a good answer', first(200)],
  ['an answer that blames the caller', first(400)],
])('%s does not', (_, answer) => {
  expect(reason(answer)).toBeNull()
})

test('nothing moves a request whose caller has got something', () => {
  expect(reason(error(601), { phase: 'answering', answerBytes: 5 })).toBeNull()
})
