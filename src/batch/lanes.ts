/** The lines of a batch for one model: those that wait, how fast they go out, and what holds them up. */
import { firstPace, type Pace } from './pace.ts'
import type { Batch, PendingLine, Progress } from './records.ts'
import type { StoredBytes } from './vault.ts'

/** Why no line goes out. Part of the API: callers read it. */
export type WaitReason =
  | 'interactive' // requests that somebody waits for have no room themselves
  | 'no-proxy' // the node reaches nobody
  | 'no-workers' // nobody offers the model
  | 'price' // every worker is above the cap
  | 'busy' // workers within the cap have enough to do, or a refusal is waited out
  | 'budget' // running requests hold what is left of a budget
  | 'deposit' // the client's deposit at the proxy is too low
  | 'faults' // peers or engines fail, and are given a moment
  | 'disk' // answers cannot be kept

/** A batch in memory; replaced parts, one object for its whole life. */
export interface Entry {
  batch: Batch
  /** Of what is on the disk. */
  progress: Progress
}

export interface Lane {
  readonly run: BatchRun
  readonly model: string
  pace: Pace
  /** The next ones, and those that came back. */
  queue: PendingLine[]
  /** The last line that was read from the store. */
  cursor: number
  isAtEnd: boolean
  isFilling: boolean
  running: number
  /** Since when nobody has offered the model. */
  unknownSinceMs: number | null
  /** Why it is paused. */
  pausedFor: WaitReason
  waiting: WaitReason | null
}

/** A batch whose lines are being answered. */
export interface BatchRun {
  readonly entry: Entry
  readonly input: StoredBytes
  readonly lanes: Lane[]
  /** What lines under way can cost at most. */
  reservedNano: bigint
  running: number
  /** No line goes out any more; called when none is under way. */
  stopped: (() => void) | null
}

export function newRun(entry: Entry, input: StoredBytes, models: readonly string[]): BatchRun {
  const run: BatchRun = { entry, input, lanes: [], reservedNano: 0n, running: 0, stopped: null }
  for (const model of models)
    run.lanes.push({
      run,
      model,
      pace: firstPace,
      queue: [],
      cursor: 0,
      isAtEnd: false,
      isFilling: false,
      running: 0,
      unknownSinceMs: null,
      pausedFor: 'busy',
      waiting: null,
    })
  return run
}

export const isDrained = ({ lanes, running }: BatchRun): boolean =>
  running === 0 && lanes.every((lane) => lane.isAtEnd && lane.queue.length === 0)

/** Whether the line still fits under the batch's own limit: now, once others have ended, or never. */
export function fitsMaxCost({ entry, reservedNano }: BatchRun, maxCostNano: bigint): 'now' | 'later' | 'never' {
  const { batch, progress } = entry
  if (batch.maxCostNano === null) return 'now'
  const left = batch.maxCostNano - progress.costNano - progress.unsettledNano
  if (maxCostNano > left) return 'never'
  return maxCostNano > left - reservedNano ? 'later' : 'now'
}
