/** A request that the proxy has taken, waiting or with a worker, and whose it is. */
import type { Hold, OwnerKey } from '../../ledger/index.ts'
import type { Connection } from '../../transport/index.ts'
import type { Timer } from '../../util/index.ts'
import type { Ask } from './admission.ts'
import type { AnswerTo } from './answers.ts'
import type { Attempt, FailedAttempt } from './attempt.ts'
import type { Job } from './dispatcher.ts'
import type { Progress } from './request.ts'

/** A ready peer, as requests need it. */
export interface Party {
  readonly connection: Connection
  readonly owner: OwnerKey
  readonly version: number
}

export interface ClientAsk extends Ask {
  readonly requestId: Uint8Array
  readonly debug: boolean
  /** What it is charged is kept, for its client to ask for. */
  readonly keepCharge?: boolean
  /** How long it may wait for a worker to come back; absent where the client has not said. */
  readonly lostWorkerMs?: number
}

export interface Running extends Job {
  readonly client: Party
  readonly clientRequestId: Uint8Array
  readonly clientKey: string
  /** How the client is answered. */
  readonly to: AnswerTo
  readonly hold: Hold
  readonly ask: ClientAsk
  /** For the next worker; freed when one has begun to answer. */
  query: Uint8Array
  readonly startedMs: number
  readonly timer: Timer
  /** Null while it waits for a worker. */
  attempt: Attempt | null
  /** Ended without an answer. */
  earlier: readonly FailedAttempt[]
  progress: Progress
  /** False once the caller has gone or cancelled: nothing of the answer is sent to it any more. */
  heard: boolean
  /** It cancelled and is still connected: in the end it is told what was charged. */
  asksForCharge: boolean
  /** The client was told who had it. */
  isTold: boolean
}
