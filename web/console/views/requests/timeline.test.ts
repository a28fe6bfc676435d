import { expect, test } from 'vitest'
import type { Receipt, Try } from '../../node/shapes.ts'
import { momentsOf, stretchesOf, timesOf } from './timeline.ts'

const TRY: Try = { proxy: 'p:1', worker: 'W', sent_ms: 5, first_byte_ms: 20, ended_ms: 45, ended: 'ok' }
const RECEIPT = {
  key: 'owner',
  result: 'ok',
  code: null,
  cost_nano: '16',
  queued_ms: 3,
  sent_ms: 5,
  first_byte_ms: 20,
  duration_ms: 45,
  tries: [TRY],
} as unknown as Receipt

const told = (changes: Partial<Receipt>): readonly string[] =>
  momentsOf({ ...RECEIPT, ...changes }).map(({ atMs, text }) => `${atMs}: ${text}`)

test('an answer has come, been sent, begun and ended', () => {
  expect(told({})).toEqual([
    '0: It came, from the owner of the node.',
    '5: It had waited 3 ms for a worker.',
    '5: It was sent to worker W through the proxy p:1.',
    '20: The first of the answer went to the caller.',
    '45: Done. 16 nanoTON were charged.',
  ])
})

test('each attempt is told with why it ended, in the order of time', () => {
  const lost: Try = { ...TRY, worker: null, first_byte_ms: null, ended_ms: 11, ended: 'protocol.worker-lost' }
  expect(told({ key: 'a1', queued_ms: 0, tries: [lost, { ...TRY, sent_ms: 12 }] })).toEqual([
    '0: It came, from key a1.',
    '5: It was sent to the proxy p:1 (attempt 1 of 2).',
    '11: Attempt 1 ended: protocol.worker-lost.',
    '12: It was sent to worker W through the proxy p:1 (attempt 2 of 2).',
    '20: The first of the answer went to the caller.',
    '45: Done. 16 nanoTON were charged.',
  ])
})

test('one that this node refused went to nobody', () => {
  const refused = {
    result: 'refused',
    code: 'request.bad-field',
    key: '-',
    tries: [],
    first_byte_ms: null,
    cost_nano: '0',
  }
  expect(told(refused)).toEqual(['0: It came, from nobody known.', '45: This node refused it: request.bad-field.'])
})

test('one that proxies refused says where it was', () => {
  const dear = { ...TRY, worker: null, first_byte_ms: null, ended: 'capacity.price' }
  const refused = { result: 'refused', code: 'capacity.price', tries: [dear], first_byte_ms: null, queued_ms: null }
  expect(told(refused).slice(1)).toEqual(['5: It was sent to the proxy p:1.', '45: It was refused: capacity.price.'])
})

test.each([
  ['failed', 'engine.failed', 'It failed: engine.failed. Nothing was charged.'],
  ['cancelled', null, 'The caller left. Nothing was charged.'],
])('one that %s says so, and what it cost', (result, code, words) => {
  expect(told({ result, code, cost_nano: '0' }).at(-1)).toBe(`45: ${words}`)
})

test('stretches of time follow each other and make up the whole', () => {
  expect(stretchesOf(RECEIPT)).toEqual({ queuedMs: 3, waitingMs: 17, answeringMs: 25 })
  expect(stretchesOf({ ...RECEIPT, first_byte_ms: null, queued_ms: null })).toEqual({
    queuedMs: 0,
    waitingMs: 45,
    answeringMs: 0,
  })
  // Clocks of two machines: the proxy's wait may look longer than the request.
  expect(stretchesOf({ ...RECEIPT, queued_ms: 90 })).toEqual({ queuedMs: 20, waitingMs: 0, answeringMs: 25 })
})

test('times are said in words', () => {
  expect(timesOf(RECEIPT)).toBe('queued 3 ms, first byte after 20 ms, ended after 45 ms')
  expect(timesOf({ ...RECEIPT, queued_ms: 0, first_byte_ms: null })).toBe('no answer, ended after 45 ms')
})
