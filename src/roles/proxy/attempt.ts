/** One worker's try at a request: what it says of the worker, and what is told of it. Pure. */
import { WIRE_STATUS } from '../../transport/index.ts'
import type { Span } from '../../util/index.ts'
import type { Why } from './dispatcher.ts'
import type { MoveReason } from './moves.ts'
import type { Party } from './running.ts'
import type { AnswerKind, Verdict } from './worker-record.ts'

export interface Attempt {
  readonly id: Uint8Array
  readonly key: string
  readonly worker: Party
  readonly coefficient: number
  readonly why: Why
  readonly startedMs: number
  /** Null where the request is not traced. */
  readonly span: Span | null
  /** Until the first answer; null before it. */
  firstAnswerMs: number | null
  /** It answered, but as somebody who should get less. */
  ill: boolean
}

export interface FailedAttempt extends Attempt {
  readonly failed: MoveReason
  readonly endedMs: number
  /** For the caller, if nobody else can serve it. */
  readonly said: { readonly code: number; readonly message: string }
}

/** Whoever has or had the request. */
interface Attempts {
  readonly attempt: Attempt | null
  readonly earlier: readonly FailedAttempt[]
}

/** A request, as far as it says how much its answer proves. */
interface Asked {
  readonly kind: AnswerKind
  readonly heard: boolean
}

export const lastOf = (request: Attempts): Attempt | undefined => request.attempt ?? request.earlier.at(-1)

export const waitedBy = ({ attempt, earlier }: Attempts): number =>
  [...earlier, attempt].reduce((sum, a) => sum + (a?.why.waitedMs ?? 0), 0)

/** For the request's debug information: who had it, why, and how it went. */
export const attemptsOf = ({ attempt, earlier }: Attempts): readonly object[] =>
  [...earlier, ...(attempt === null ? [] : [attempt])].map((a) => ({
    connection: a.worker.connection.id,
    coefficient: a.coefficient,
    score: Number(a.why.score.toPrecision(4)),
    candidates: a.why.candidates,
    cached_prefix: a.why.warm,
    queued_ms: a.why.waitedMs,
    first_answer_ms: a.firstAnswerMs,
    ...('failed' in a ? { failed: a.failed } : {}),
  }))

export const NO_VERDICT: Verdict = { is: 'none' }

export function verdictOf({ kind, heard }: Asked, { ill, firstAnswerMs }: Attempt): Verdict {
  if (ill) return { is: 'failed', kind }
  return heard && firstAnswerMs !== null ? { is: 'ok', kind, firstAnswerMs } : NO_VERDICT
}

/** A caller with little time proves nothing; silence for this long is the worker's failure. */
const HUNG_AFTER_MS = 30_000

/** What a worker says of the request itself is not its failure. */
export function failureOf({ kind, heard }: Asked, attempt: Attempt, code: number, nowMs: number): Verdict {
  const waitedMs = nowMs - attempt.startedMs
  if (!heard || code === WIRE_STATUS.protocolViolation) return NO_VERDICT
  if (code === WIRE_STATUS.error && !attempt.ill) return NO_VERDICT
  if (code !== WIRE_STATUS.timeout) return { is: 'failed', kind }
  return attempt.firstAnswerMs === null && waitedMs >= HUNG_AFTER_MS ? { is: 'failed', kind, waitedMs } : NO_VERDICT
}

/** What the caller hears if nobody else can serve it. */
export type Said = { readonly code: number; readonly message: string; readonly blame?: string }
export const WORKER_LOST: Said = { code: WIRE_STATUS.cancelled, message: 'the worker’s connection was lost' }
export const ENGINE_ILL: Said = { code: WIRE_STATUS.failure, message: 'worker: http failed: the engine is ill' }
