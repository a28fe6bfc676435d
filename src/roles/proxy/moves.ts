/**
 * When a request that got nothing yet is given to another worker. Pure. What the caller may have seen is never moved: then
 * two answers would be mixed, or paid for twice. Nor is what is the request's own fault: it would fail everywhere.
 */
import { WIRE_STATUS } from '../../transport/index.ts'
import type { Outcome, Progress, WorkerAnswer } from './request.ts'

export type MoveReason =
  | 'worker-lost'
  | 'worker-full'
  | 'worker-failed'
  | 'worker-cancelled'
  | 'answer-refused'
  /** The engine answered with a status that says it is ill. The answer can be passed on if nobody else is free. */
  | 'engine-status'

/** Two workers besides the first: a request that three cannot serve is likely the reason itself. */
export const MAX_ATTEMPTS = 3

/** Too many requests, an internal error, a gateway without an engine behind it. */
const ILL_STATUS = new Set([429, 500, 502, 503, 504])

export function reasonToMove(progress: Progress, answer: WorkerAnswer, outcome: Outcome): MoveReason | null {
  if (progress.phase !== 'waiting') return null
  if (outcome.do === 'fail') {
    if (outcome.blame !== undefined) return 'answer-refused'
    if (/too many active queries/.test(outcome.message)) return 'worker-full'
    if (outcome.code === WIRE_STATUS.failure || outcome.code === WIRE_STATUS.notReady) return 'worker-failed'
    return outcome.code === WIRE_STATUS.cancelled ? 'worker-cancelled' : null
  }
  return answer.is !== 'error' && ILL_STATUS.has(statusOf(answer.is === 'whole' ? answer.head : answer.bytes))
    ? 'engine-status'
    : null
}

/** Says it of the worker: it works on, but should get less for a while. A full one is only full. */
export const isWorkersFault = (reason: MoveReason): boolean => reason !== 'worker-full'

/** Bytes before the string of the version: the constructor's id. */
const ID_BYTES = 4

/** The status of a boxed `http.response`, without reading the rest; 0 where it is cut off. */
export function statusOf(head: Uint8Array): number {
  const length = head[ID_BYTES] ?? 0
  const at = ID_BYTES + ((1 + length + 3) & ~3)
  // 254 and more are the long forms of a string, which no version needs.
  if (length >= 254 || at + 4 > head.length) return 0
  return new DataView(head.buffer, head.byteOffset + at, 4).getInt32(0, true)
}
