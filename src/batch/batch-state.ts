/**
 * The life of a batch as a pure function: what may happen in which status, and what is stamped when. An event that comes too late
 * (a cancelling of a batch that has ended) changes nothing.
 */
import { unreachable } from '../util/index.ts'
import { type Batch, type BatchEnding, type BatchOrder, type BatchProblem, isOver, type Progress } from './records.ts'

export type BatchEvent =
  /** The input was read to its end and is right. */
  | { readonly is: 'validated' }
  /** The input is wrong: no line will run. */
  | { readonly is: 'invalid'; readonly problems: readonly BatchProblem[] }
  | { readonly is: 'cancelled' }
  | { readonly is: 'expired' }
  /** Nobody may or can run its lines any more. */
  | { readonly is: 'stopped'; readonly problem: BatchProblem; readonly ending: BatchEnding }
  /** No line waits for an answer: what is left is to write the files. */
  | { readonly is: 'answered' }
  | {
      readonly is: 'written'
      readonly outputFile: string | null
      readonly errorFile: string | null
      readonly result: Progress
    }

export function newBatch(id: string, order: BatchOrder, nowMs: number, windowMs: number): Batch {
  return {
    ...order,
    id,
    createdMs: nowMs,
    expiresMs: nowMs + windowMs,
    status: 'validating',
    ending: null,
    inProgressMs: null,
    finalizingMs: null,
    cancellingMs: null,
    endedMs: null,
    problems: [],
    outputFile: null,
    errorFile: null,
    result: null,
  }
}

const CANCELLED: BatchEnding = {
  as: 'cancelled',
  code: 'batch_cancelled',
  message: 'The batch was cancelled before this line was answered.',
}
const EXPIRED: BatchEnding = {
  as: 'expired',
  code: 'batch_expired',
  message: 'The completion window ended before this line was answered.',
}

/** @returns the same object when the event changes nothing */
export function advance(batch: Batch, event: BatchEvent, nowMs: number): Batch {
  if (isOver(batch)) return batch
  const { status } = batch
  switch (event.is) {
    case 'validated':
      return status === 'validating' ? { ...batch, status: 'in_progress', inProgressMs: nowMs } : batch
    case 'invalid':
      return status === 'validating' ? { ...batch, status: 'failed', endedMs: nowMs, problems: event.problems } : batch
    case 'cancelled':
      if (status === 'finalizing' || status === 'cancelling') return batch
      return { ...batch, status: 'cancelling', cancellingMs: nowMs, ending: CANCELLED }
    case 'expired':
      return finalize(batch, EXPIRED, nowMs)
    case 'stopped': {
      const ending = finalize(batch, event.ending, nowMs)
      return ending === batch ? batch : { ...ending, problems: [...batch.problems, event.problem] }
    }
    case 'answered':
      return status === 'in_progress' ? finalize(batch, null, nowMs) : batch
    case 'written': {
      const { outputFile, errorFile, result } = event
      if (status !== 'finalizing' && status !== 'cancelling') return batch
      return { ...batch, status: batch.ending?.as ?? 'completed', endedMs: nowMs, outputFile, errorFile, result }
    }
    default:
      return unreachable(event)
  }
}

/** The first reason to end counts; lines that are under way are waited for before the files are written. */
function finalize(batch: Batch, ending: BatchEnding | null, nowMs: number): Batch {
  if (batch.status === 'finalizing' || batch.status === 'cancelling') return batch
  return { ...batch, status: 'finalizing', finalizingMs: nowMs, ending }
}
