/** This end of the ledger's thread (store-thread.ts): a job is a promise, and the thread's end is an error. */
import { Worker } from 'node:worker_threads'
import { CocoonError } from '../util/index.ts'
import { ledgerError } from './errors.ts'
import type { StoreAnswer, StoreJob, StoreThreadData } from './store-thread.ts'

export interface StoreThread {
  /** What opening found. Rejects with the refusal. */
  readonly opened: Promise<StoreAnswer>
  /** Jobs are done in their order. Rejects with the job's failure, and for good when the thread has ended. */
  do(job: StoreJob, transfer?: readonly ArrayBuffer[]): Promise<void>
  close(): Promise<void>
}

/** Starts opening at once. */
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
  /** In the order of their jobs, as the thread answers them. */
  const waiting: { resolve(answer: StoreAnswer): void; reject(why: CocoonError): void }[] = []
  let ended: CocoonError | null = null
  const end = (why: unknown): void => {
    ended ??= ledgerError(
      'capacity.ledger-failed',
      `The ledger’s thread ended (${String(why)}): restart the proxy.`,
      why,
    )
    for (const { reject } of waiting.splice(0)) reject(ended)
  }
  worker.on('message', (answer: StoreAnswer) => {
    const { failure } = answer
    const asker = waiting.shift()
    if (waiting.length === 0) worker.unref()
    if (failure === undefined) asker?.resolve(answer)
    else asker?.reject(new CocoonError(failure.code, { message: failure.message }))
  })
  worker.on('error', end)
  worker.on('exit', (status) => end(`exit status ${status}`))

  const answer = (): Promise<StoreAnswer> =>
    new Promise((resolve, reject) => {
      if (ended !== null) return reject(ended)
      // Only what is being written keeps the process alive.
      if (waiting.push({ resolve, reject }) === 1) worker.ref()
    })
  const send = async (job: StoreJob, transfer: readonly ArrayBuffer[] = []): Promise<void> => {
    const done = answer()
    worker.postMessage(job, transfer)
    await done
  }
  return {
    opened: answer(),
    do: send,
    async close() {
      if (ended !== null) return
      await send({ do: 'close' })
      await worker.terminate()
    },
  }
}
