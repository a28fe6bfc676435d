/** The thread of gateway.ts: what is done in it with the store. */
import { serveStoreThread } from '../disk/index.ts'
import { openStore, type StoreOptions } from './open-store.ts'
import type { ReasonFilter, ReasonRow, ReceiptFilter, ReceiptPage, UsageFilter, UsageRow } from './queries.ts'
import type { Kept } from './select.ts'
import type { Change, Store } from './store.ts'

export type StoreJob =
  | { readonly do: 'apply'; readonly changes: readonly Change[] }
  | { readonly do: 'receipts'; readonly filter: ReceiptFilter }
  | { readonly do: 'usage'; readonly filter: UsageFilter }
  | { readonly do: 'reasons'; readonly filter: ReasonFilter }

export interface StoreAnswer {
  readonly receipts?: ReceiptPage
  readonly usage?: readonly UsageRow[]
  readonly reasons?: readonly ReasonRow[]
}

serveStoreThread<StoreOptions, Store, Kept, StoreJob, StoreAnswer>(
  (options) => {
    const { store, kept } = openStore(options)
    return [store, kept]
  },
  (store, job) => {
    switch (job.do) {
      case 'apply':
        store.apply(job.changes)
        return {}
      case 'receipts':
        return { receipts: store.receipts(job.filter) }
      case 'usage':
        return { usage: store.usage(job.filter) }
      case 'reasons':
        return { reasons: store.reasons(job.filter) }
    }
  },
  (store) => store.close(),
)
