/** The thread of sqlite-ledger.ts: opens the store, then does one job after the other and says how each ended. */
import { parentPort, workerData } from 'node:worker_threads'
import { CocoonError, toCocoonError } from '../util/index.ts'
import { injectFaults } from './faults.ts'
import { type OpenedStore, openStore, type StoreOptions } from './open-store.ts'
import type { StoreFailure } from './start-store-thread.ts'
import type { Group, Store } from './store.ts'

export interface StoreThreadData {
  readonly options: StoreOptions
  readonly faults: Int32Array | undefined
}

export type StoreJob =
  | { readonly do: 'append'; readonly group: Group }
  | { readonly do: 'probe' }
  | { readonly do: 'close' }

/** One for the opening, then one for each job. */
export interface StoreAnswer {
  readonly failure?: StoreFailure
  readonly opened?: Omit<OpenedStore, 'store'>
}

if (parentPort !== null) {
  const port = parentPort
  const { options, faults } = workerData as StoreThreadData
  const step = injectFaults(faults)
  const attempt = (work: () => Omit<StoreAnswer, 'failure'>): StoreAnswer => {
    try {
      return work()
    } catch (error) {
      const { code, message } = toCocoonError(error)
      return { failure: { code, message } }
    }
  }
  let store: Store | undefined
  const opening = attempt(() => {
    const { store: opened, ...rest } = openStore(options, step)
    store = opened
    return { opened: rest }
  })
  port.postMessage(opening)
  // Without a listener nothing keeps the thread: after a refusal it ends.
  if (opening.failure === undefined) port.on('message', serve)
  function serve(job: StoreJob): void {
    const answer = attempt(() => {
      if (store === undefined) throw new CocoonError('bug.ledger-not-open')
      if (job.do === 'append') store.append(job.group)
      else if (job.do === 'probe') store.probe()
      else store.close()
      return {}
    })
    port.postMessage(answer)
    if (job.do === 'close') port.close()
  }
}
