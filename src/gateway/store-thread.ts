/** The thread of gateway.ts: opens the store, then does one job after the other and says how each ended. */
import { parentPort, workerData } from 'node:worker_threads'
import type { StoreFailure } from '../ledger/index.ts'
import { CocoonError, toCocoonError } from '../util/index.ts'
import { openStore, type StoreOptions } from './open-store.ts'
import type { ReceiptFilter, ReceiptPage, UsageFilter, UsageRow } from './queries.ts'
import type { Kept } from './select.ts'
import type { Change, Store } from './store.ts'

export type StoreJob =
  | { readonly do: 'apply'; readonly changes: readonly Change[] }
  | { readonly do: 'receipts'; readonly filter: ReceiptFilter }
  | { readonly do: 'usage'; readonly filter: UsageFilter }
  | { readonly do: 'close' }

/** One for the opening, then one for each job. */
export interface StoreAnswer {
  readonly failure?: StoreFailure
  readonly kept?: Kept
  readonly receipts?: ReceiptPage
  readonly usage?: readonly UsageRow[]
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
  let store: Store | undefined
  const opening = attempt(() => {
    const opened = openStore(workerData as StoreOptions)
    store = opened.store
    return { kept: opened.kept }
  })
  port.postMessage(opening)
  // Without a listener nothing keeps the thread: after a refusal it ends.
  if (opening.failure === undefined) port.on('message', serve)
  function serve(job: StoreJob): void {
    const answer = attempt(() => {
      if (store === undefined) throw new CocoonError('bug.gateway-not-open')
      switch (job.do) {
        case 'apply':
          store.apply(job.changes)
          return {}
        case 'receipts':
          return { receipts: store.receipts(job.filter) }
        case 'usage':
          return { usage: store.usage(job.filter) }
        case 'close':
          store.close()
          return {}
      }
    })
    port.postMessage(answer)
    if (job.do === 'close') port.close()
  }
}
