/** The thread of sqlite-ledger.ts: what is done in it with the store. */
import { serveStoreThread } from '../disk/index.ts'
import { injectFaults } from './faults.ts'
import { type OpenedStore, openStore, type StoreOptions } from './open-store.ts'
import type { Group, Store } from './store.ts'

export interface StoreThreadData {
  readonly options: StoreOptions
  readonly faults: Int32Array | undefined
}

export type StoreJob =
  | { readonly do: 'append'; readonly groups: readonly Group[]; readonly newest: bigint }
  | { readonly do: 'probe' }

export type StoreFound = Omit<OpenedStore, 'store'>

serveStoreThread<StoreThreadData, Store, StoreFound, StoreJob, null>(
  ({ options, faults }) => {
    const { store, ...found } = openStore(options, injectFaults(faults))
    return [store, found]
  },
  (store, job) => {
    if (job.do === 'append') store.append(job.groups, job.newest)
    else store.probe()
    return null
  },
  (store) => store.close(),
)
