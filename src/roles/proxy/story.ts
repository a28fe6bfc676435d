/** What a client of ours is told of its request besides the answer: how long it waited, and who had it. Pure. */
import type { OwnerKey } from '../../ledger/index.ts'
import { type Allocate, encode, type X1Attempt, x1RequestStory } from '../../tl/index.ts'
import { type Attempt, type FailedAttempt, waitedBy } from './attempt.ts'

interface Told {
  readonly clientRequestId: Uint8Array
  readonly startedMs: number
  readonly attempt: Attempt | null
  readonly earlier: readonly FailedAttempt[]
}

/** Bits of an attempt's flags word. */
const HAS_ANSWERED = 1
const HAS_ENDED = 2

/**
 * For a connection on which both ends chose `cocoon-x1`.
 * @param waitedMs in the queue, besides the waits of its attempts
 * @param shownOwner a worker's owner as peers write it
 */
export function encodeStory(
  request: Told,
  waitedMs: number,
  shownOwner: (owner: OwnerKey) => string,
  allocate?: Allocate,
): Uint8Array {
  const { clientRequestId: requestId, startedMs, attempt, earlier } = request
  const since = (ms: number): number => Math.max(0, Math.round(ms - startedMs))
  const told = (a: Attempt | FailedAttempt): X1Attempt => ({
    flags: (a.firstAnswerMs === null ? 0 : HAS_ANSWERED) | ('failed' in a ? HAS_ENDED : 0),
    worker: shownOwner(a.worker.owner),
    sentMs: since(a.startedMs),
    ...(a.firstAnswerMs === null ? {} : { firstAnswerMs: since(a.startedMs + a.firstAnswerMs) }),
    ...('failed' in a ? { endedMs: since(a.endedMs), ended: a.failed } : {}),
  })
  const attempts = [...earlier.map(told), ...(attempt === null ? [] : [told(attempt)])]
  return encode(x1RequestStory, { requestId, queuedMs: Math.round(waitedBy(request) + waitedMs), attempts }, allocate)
}
