import { expect, test } from 'vitest'
import type { X1Attempt, X1RequestStory } from '../../tl/index.ts'
import { attemptsAt, type SeenOfProxy, workerIn } from './attempts.ts'

const [FIRST, SECOND] = ['A', 'B'].map((letter) => letter.repeat(48)) as [string, string]
const story = (attempts: readonly X1Attempt[]): X1RequestStory => ({
  _: 'x1.requestStory',
  requestId: new Uint8Array(32),
  queuedMs: 0,
  attempts,
})
const seen = (over: Partial<SeenOfProxy> = {}): SeenOfProxy => ({
  proxy: 'p:1',
  firstByteMs: 130,
  endedMs: 200,
  ended: 'ok',
  story: null,
  ...over,
})
const LOST: X1Attempt = { flags: 2, worker: FIRST, sentMs: 5, endedMs: 20, ended: 'worker-lost' }
const ANSWERED: X1Attempt = { flags: 1, worker: SECOND, sentMs: 21, firstAnswerMs: 120 }

test('of a proxy that tells nothing there is one attempt, of a worker that nobody knows', () => {
  expect(attemptsAt(seen(), 200)).toEqual([
    { proxy: 'p:1', worker: null, sentMs: 0, firstByteMs: 130, endedMs: 200, ended: 'ok' },
  ])
})

test('the last attempt ends as the request did, those before as the proxy says', () => {
  const told = story([LOST, ANSWERED])
  const attempts = attemptsAt(seen({ story: told }), 200)
  expect(attempts).toEqual([
    { proxy: 'p:1', worker: FIRST, sentMs: 5, firstByteMs: null, endedMs: 20, ended: 'worker-lost' },
    { proxy: 'p:1', worker: SECOND, sentMs: 21, firstByteMs: 130, endedMs: 200, ended: 'ok' },
  ])
  expect(workerIn(told)).toBe(SECOND)
})

test('while it runs the last attempt has no end', () => {
  const [one] = attemptsAt(seen({ endedMs: null, ended: null, story: story([ANSWERED]) }), 150)
  expect(one).toMatchObject({ endedMs: null, ended: null })
})

test('a proxy’s times cannot lie outside the request, nor its words be more than words', () => {
  const liar: X1Attempt = {
    flags: 3,
    worker: 'x\u0000<script>',
    sentMs: -5,
    firstAnswerMs: 1e9,
    endedMs: 1e9,
    ended: '<b>',
  }
  expect(attemptsAt(seen({ story: story([liar]) }), 200)).toEqual([
    { proxy: 'p:1', worker: null, sentMs: 0, firstByteMs: 200, endedMs: 200, ended: 'unknown' },
  ])
})
