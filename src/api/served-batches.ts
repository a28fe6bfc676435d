/** Files and batches as a client serves them: the lines run on a metered inference, checked and answered like live requests. */
import { type Batches, type BatchOptions, openBatches } from '../batch/index.ts'
import type { Gateway } from '../gateway/index.ts'
import type { ChargeRecall, Inference } from '../roles/client/index.ts'
import { createBatchDesk } from './batch-desk.ts'
import type { BatchDefaults } from './batches.ts'
import type { HttpDeps } from './http-server.ts'
import type { ClientApiOptions } from './options.ts'

export interface ServedBatchesDeps extends HttpDeps {
  readonly gateway: Gateway
  /** That of the gateway: each attempt of a line is let through, and leaves a receipt, like any request. */
  readonly metered: Inference
  readonly isInteractiveWaiting: () => boolean
  /** The client node; null where it cannot be asked. */
  readonly recall: ChargeRecall | null
}

export interface ServedBatches {
  readonly of: Batches
  /** Of batches that say nothing else. */
  readonly defaults: BatchDefaults
}

export interface ServedBatchesOptions {
  readonly batch: BatchOptions
  readonly http: Pick<
    ClientApiOptions,
    'defaultMaxTokens' | 'defaultMaxCoefficient' | 'maxBodyBytes' | 'maxBufferedBytes' | 'maxUndeliveredBytes'
  >
  /** Where files and records are kept. */
  readonly folder: string
}

/** Throws `config.batch-…`. */
export async function openServedBatches(
  { gateway, metered: inference, isInteractiveWaiting, recall, ...deps }: ServedBatchesDeps,
  { batch, http, folder }: ServedBatchesOptions,
): Promise<ServedBatches> {
  const { defaultMaxTokens: maxTokens, defaultMaxCoefficient: maxCoefficient, maxBodyBytes } = http
  const defaults = { maxTokens, maxCoefficient, timeoutMs: batch.lineTimeoutMs }
  const desk = createBatchDesk({ ...deps, inference }, { maxBodyBytes, limits: http, defaults })
  const of = await openBatches(
    { ...deps, desk, gateway, inference, recall, isInteractiveWaiting },
    { ...batch, folder },
  )
  return { of, defaults: { maxCoefficient, keepOutputMs: batch.keepFilesMs } }
}
