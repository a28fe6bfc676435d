import { expect, test } from 'vitest'
import { CocoonError, type ErrorCode } from '../util/index.ts'
import { refusedByPeer, wireError } from './errors.ts'

test.each<[ErrorCode, number]>([
  ['protocol.out-of-turn', 621],
  ['tl.truncated', 621],
  ['request.model', 621],
  ['capacity.no-worker', 651],
  ['capacity.timeout', 652],
  ['capacity.deadline', 652],
  ['payment.balance', 602],
  ['engine.failed', 601],
  ['attestation.report-data', 601],
  ['bug.unexpected', 0],
])('%s is told as %d', (code, status) => {
  expect(wireError(new CocoonError(code)).code).toBe(status)
})

test('a bug shows nothing of its inside', () => {
  expect(wireError(new Error('secret path')).message).toBe('internal error')
  expect(wireError(new CocoonError('bug.invariant', { message: 'secret' })).message).toBe('internal error')
})

test('a sentence of any length stays short on the wire', () => {
  expect(wireError(new CocoonError('request.x', { message: 'y'.repeat(100_000) })).message.length).toBe(1024)
})

test('a refusal keeps the peer’s code and sentence', () => {
  const error = refusedByPeer(602, 'too poor')
  expect([error.code, error.info.remoteCode, error.message]).toEqual(['protocol.refused', 602, 'too poor'])
})
