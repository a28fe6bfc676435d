import { expect, test } from 'vitest'
import {
  type Checkpoints,
  confirm,
  decodeCheckpoints,
  encodeCheckpoints,
  isCheckpointDue,
  issue,
  NO_CHECKPOINTS,
} from './checkpoints.ts'

const session = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const sent = (count: number, from: Checkpoints = NO_CHECKPOINTS, by = session(1)): Checkpoints =>
  Array.from({ length: count }).reduce<Checkpoints>((known) => issue(known, by)[0], from)

test('numbers only grow, over restarts too', () => {
  const kept = decodeCheckpoints(encodeCheckpoints(sent(3)))
  expect(kept).toEqual(sent(3))
  expect(issue(kept, session(2))[1]).toEqual({ seqno: 4, session: session(2) })
})

test('a checkpoint that is seen settles those before it', () => {
  const left = confirm(sent(3), { seqno: 2, session: session(1) })
  expect(left).toEqual({ seqno: 3, pending: [{ seqno: 3, session: session(1) }] })
})

test.each([
  ['of a number that was never sent', { seqno: 4, session: session(1) }],
  ['of another run', { seqno: 2, session: session(9) }],
  ['that was seen before', { seqno: 0, session: session(1) }],
])('a checkpoint %s proves that the ledger is not the newest', (_, seen) => {
  expect(confirm(sent(3), seen)).toBeNull()
})

test('a wallet that loses every checkpoint is noticed', () => {
  expect(() => sent(257)).toThrowError(expect.objectContaining({ code: 'chain.checkpoints' }))
})

const terms = { everyMs: 45_000, atNano: 1_000n, afterMs: 600_000 }
const need = { unsignedNano: 10n, sinceMs: 0, lastSentMs: 0, nowMs: 100_000, isUrgent: false }
test.each([
  ['little work that is new waits', {}, false],
  ['much work does not', { unsignedNano: 1_000n }, true],
  ['old work does not', { nowMs: 600_000 }, true],
  ['somebody who leaves does not', { isUrgent: true }, true],
  ['nothing is ever due where nothing was used', { sinceMs: null, isUrgent: true, nowMs: 10 ** 9 }, false],
  ['nothing is sent more often than allowed', { unsignedNano: 1_000n, lastSentMs: 60_000 }, false],
])('when: %s', (_, over, due) => {
  expect(isCheckpointDue({ ...need, ...over }, terms)).toBe(due)
})
