/** The thread of store-access.ts: what is done in it with the store. */
import { serveStoreThread } from '../disk/index.ts'
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

export interface StoreAnswer {
  readonly pending?: readonly PendingLine[]
  readonly models?: readonly string[]
  readonly outputs?: Outputs
}

serveStoreThread<StoreOptions, OpenedStore, Kept, StoreJob, StoreAnswer>(
  ({ path }) => {
    const opened = openStore(path)
    return [opened, opened.kept]
  },
  ({ store, db }, job) => {
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
    }
  },
  ({ store }) => store.close(),
)
