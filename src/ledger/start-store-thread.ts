/** This end of the ledger's thread (store-thread.ts): a job is a promise, and the thread's end is an error. */
import { Worker } from 'node:worker_threads'
import { CocoonError } from '../util/index.ts'
import { ledgerError } from './errors.ts'
import type { StoreAnswer, StoreJob, StoreThreadData } from './store-thread.ts'

export interface StoreThread {
  /** What the thread says next. Rejects with its failure, and for good when the thread has ended. */
  answer(): Promise<StoreAnswer>
  do(job: StoreJob, transfer?: readonly ArrayBuffer[]): Promise<void>
  close(): Promise<void>
}

/** Starts opening at once. Jobs go one at a time: the caller waits for each. */
export function startStoreThread(workerData: StoreThreadData): StoreThread {
  // Beside this file, with its extension: `.ts` in a checkout, `.js` in a build.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  // Node calls its SQLite experimental; the warning would tell operators nothing that they can act on.
  const execArgv = ['--disable-warning=ExperimentalWarning']
  const worker = new Worker(new URL(`./store-thread.${extension}`, import.meta.url), {
    name: 'ledger',
    workerData,
    execArgv,
  })
  let waiting: { resolve(answer: StoreAnswer): void; reject(why: CocoonError): void } | null = null
  let ended: CocoonError | null = null
  const take = (): typeof waiting => {
    const one = waiting
    waiting = null
    worker.unref()
    return one
  }
  const end = (why: unknown): void => {
    ended ??= ledgerError(
      'capacity.ledger-failed',
      `The ledger’s thread ended (${String(why)}): restart the proxy.`,
      why,
    )
    take()?.reject(ended)
  }
  worker.on('message', (answer: StoreAnswer) => {
    const { failure } = answer
    if (failure === undefined) take()?.resolve(answer)
    else take()?.reject(new CocoonError(failure.code, { message: failure.message }))
  })
  worker.on('error', end)
  worker.on('exit', (status) => end(`exit status ${status}`))

  const answer = (): Promise<StoreAnswer> =>
    new Promise((resolve, reject) => {
      if (ended !== null) return reject(ended)
      waiting = { resolve, reject }
      // Only what is being written keeps the process alive.
      worker.ref()
    })
  const send = async (job: StoreJob, transfer: readonly ArrayBuffer[] = []): Promise<void> => {
    const done = answer()
    worker.postMessage(job, transfer)
    await done
  }
  return {
    answer,
    do: send,
    async close() {
      if (ended !== null) return
      await send({ do: 'close' })
      await worker.terminate()
    },
  }
}
