/** The thread of batches.ts: opens the store, then does one job after the other and says how each ended. */
import { parentPort, workerData } from 'node:worker_threads'
import type { StoreFailure } from '../ledger/index.ts'
import { CocoonError, toCocoonError } from '../util/index.ts'
import { type OpenedStore, openStore } from './open-store.ts'
import { type OutputOrder, type Outputs, writeOutputs } from './outputs.ts'
import type { PendingLine } from './records.ts'
import type { Kept } from './select.ts'
import type { Change } from './store.ts'

export interface StoreOptions {
  readonly path: string
}

export type StoreJob =
  | { readonly do: 'apply'; readonly changes: readonly Change[] }
  | {
      readonly do: 'pending'
      readonly batch: string
      readonly model: string
      readonly afterSeq: number
      readonly limit: number
    }
  | { readonly do: 'models'; readonly batch: string }
  | { readonly do: 'outputs'; readonly order: OutputOrder }
  | { readonly do: 'close' }

/** One for the opening, then one for each job. */
export interface StoreAnswer {
  readonly failure?: StoreFailure
  readonly kept?: Kept
  readonly pending?: readonly PendingLine[]
  readonly models?: readonly string[]
  readonly outputs?: Outputs
}

if (parentPort !== null) {
  const port = parentPort
  const attempt = (work: () => StoreAnswer): StoreAnswer => {
    try {
      return work()
    } catch (error) {
      const { code, message } = toCocoonError(error)
      return { failure: { code, message } }
    }
  }
  let opened: OpenedStore | undefined
  const opening = attempt(() => {
    opened = openStore((workerData as StoreOptions).path)
    return { kept: opened.kept }
  })
  port.postMessage(opening)
  // Without a listener nothing keeps the thread: after a refusal it ends.
  if (opening.failure === undefined) port.on('message', serve)
  function serve(job: StoreJob): void {
    const answer = attempt(() => {
      if (opened === undefined) throw new CocoonError('bug.batches-not-open')
      const { store, db } = opened
      switch (job.do) {
        case 'apply':
          store.apply(job.changes)
          return {}
        case 'pending':
          return { pending: store.pending(job.batch, job.model, job.afterSeq, job.limit) }
        case 'models':
          return { models: store.models(job.batch) }
        case 'outputs':
          return { outputs: writeOutputs(db, job.order) }
        case 'close':
          store.close()
          return {}
      }
    })
    port.postMessage(answer)
    if (job.do === 'close') port.close()
  }
}
