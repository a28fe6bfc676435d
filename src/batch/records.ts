/** What a batch is made of: files, the batch itself, its lines. Prompts and answers lie in files and lines, never here. */
import type { ErrorCode } from '../util/index.ts'

/** Files come from callers, or were written for a batch. */
export type FilePurpose = 'batch' | 'batch_output'

/** Whose something is: `''` is the node's owner, anything else the id of a project. */
export type ProjectId = string

export interface StoredFile {
  readonly id: string
  readonly project: ProjectId
  readonly purpose: FilePurpose
  readonly name: string
  readonly bytes: number
  readonly createdMs: number
  readonly expiresMs: number
}

/** OpenAI's words. */
export const BATCH_STATUSES = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const
export type BatchStatus = (typeof BATCH_STATUSES)[number]

/** What is wrong with an input file, or why a batch was given up. */
export interface BatchProblem {
  readonly code: string
  readonly message: string
  readonly param: string | null
  /** Of the input file, from 1. */
  readonly line: number | null
}

/** As engines count, not as charged. */
export interface TokenUsage {
  readonly input: number
  readonly cached: number
  readonly output: number
  readonly reasoning: number
}

/** How far a batch is, and what it cost. Money in nanoTON. */
export interface Progress {
  readonly total: number
  readonly completed: number
  readonly failed: number
  readonly costNano: bigint
  /** What may have been charged besides, where nobody told. */
  readonly unsettledNano: bigint
  readonly usage: TokenUsage
}

export const NO_PROGRESS: Progress = {
  total: 0,
  completed: 0,
  failed: 0,
  costNano: 0n,
  unsettledNano: 0n,
  usage: { input: 0, cached: 0, output: 0, reasoning: 0 },
}

/** What was asked for. */
export interface BatchOrder {
  readonly project: ProjectId
  /** Who pays: the id of an API key, or `OWNER`. */
  readonly caller: string
  readonly endpoint: string
  readonly inputFile: string
  /** As asked: `24h`. */
  readonly window: string
  readonly metadata: Readonly<Record<string, string>> | null
  /** Per mille of the network's price; no line pays more. */
  readonly maxCoefficient: number
  /** For all lines together. */
  readonly maxCostNano: bigint | null
  /** Whether a line whose answer was lost in a crash is asked again, although it is or may be paid for. */
  readonly repeatLost: boolean
  /** How long its output is kept. */
  readonly keepOutputMs: number
  /** Hash of the caller's Idempotency-Key and of what was asked with it. */
  readonly idempotency: { readonly key: string; readonly body: string } | null
}

export interface Batch extends BatchOrder {
  readonly id: string
  readonly createdMs: number
  /** Lines that have no answer by then get none. */
  readonly expiresMs: number
  readonly status: BatchStatus
  /** Why it does not end as `completed`; set when that is decided. */
  readonly ending: BatchEnding | null
  readonly inProgressMs: number | null
  readonly finalizingMs: number | null
  readonly cancellingMs: number | null
  /** Completed, failed, expired or cancelled, as the status says. */
  readonly endedMs: number | null
  readonly problems: readonly BatchProblem[]
  readonly outputFile: string | null
  readonly errorFile: string | null
  /** While lines are kept, they are counted; after that this is what was counted. */
  readonly result: Progress | null
}

/** `failed`: its key may no longer ask, or its input is gone. */
export interface BatchEnding {
  readonly as: 'expired' | 'cancelled' | 'failed'
  /** What lines without an answer are told. */
  readonly code: ErrorCode | 'batch_expired' | 'batch_cancelled'
  readonly message: string
}

/** A line of an input file that has no answer yet. */
export interface PendingLine {
  readonly seq: number
  readonly customId: string
  /** Where it lies in the input file. */
  readonly at: number
  readonly bytes: number
  /** Attempts that failed for another reason than want of room. */
  readonly faults: number
}

export interface NewLine extends Omit<PendingLine, 'faults'> {
  readonly model: string
}

/** An attempt that was on its way when the process ended: nobody heard what became of it. */
export interface LostAttempt {
  readonly batch: string
  readonly seq: number
  readonly customId: string
  readonly faults: number
  /** Of its receipt; 16 bytes, hex: the name by which proxies know it. */
  readonly request: string
  readonly sentMs: number
  /** Addresses of the proxies that may have it; null where nobody wrote them down, or none can be asked. */
  readonly sentTo: readonly string[] | null
  readonly model: string
  readonly maxCostNano: bigint
}

/** What one attempt cost, in nanoTON. */
export interface AttemptCost {
  readonly costNano: bigint
  readonly unsettledNano: bigint
}

export const isOver = ({ status }: Batch): boolean =>
  status === 'completed' || status === 'failed' || status === 'expired' || status === 'cancelled'
