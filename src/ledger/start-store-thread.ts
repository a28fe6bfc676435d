/** This end of a thread that holds a store: a job is a promise, and the thread's end is an error. */
import { Worker } from 'node:worker_threads'
import { CocoonError, type ErrorCode } from '../util/index.ts'

/** Errors change threads as their parts. */
export interface StoreFailure {
  readonly code: ErrorCode
  readonly message: string
}

export interface StoreThread<Job, Answer> {
  /** What opening found. Rejects with the refusal. */
  readonly opened: Promise<Answer>
  /** Jobs are done in their order. Rejects with the job's failure, and for good when the thread has ended. */
  do(job: Job, transfer?: readonly ArrayBuffer[]): Promise<Answer>
  close(): Promise<void>
}

export interface StoreThreadStart {
  /** `import.meta.url` of a file beside the thread's, whose name is `store-thread`. */
  readonly beside: string
  /** As the system's tools show the thread. */
  readonly name: string
  readonly workerData: unknown
  /** The error of every job once the thread has ended. */
  ended(why: unknown): CocoonError
}

/** Starts opening at once. The thread answers once for the opening, then once for each job in its order. */
export function startStoreThread<Job, Answer extends { readonly failure?: StoreFailure }>(
  start: StoreThreadStart,
): StoreThread<Job | { readonly do: 'close' }, Answer> {
  const { beside, name, workerData } = start
  // With the extension of that file: `.ts` in a checkout, `.js` in a build.
  const extension = beside.endsWith('.ts') ? 'ts' : 'js'
  // Node calls its SQLite experimental; the warning would tell operators nothing that they can act on.
  const execArgv = ['--disable-warning=ExperimentalWarning']
  const worker = new Worker(new URL(`./store-thread.${extension}`, beside), { name, workerData, execArgv })
  /** In the order of their jobs, as the thread answers them. */
  const waiting: { resolve(answer: Answer): void; reject(why: CocoonError): void }[] = []
  let ended: CocoonError | null = null
  const end = (why: unknown): void => {
    ended ??= start.ended(why)
    for (const { reject } of waiting.splice(0)) reject(ended)
  }
  worker.on('message', (answer: Answer) => {
    const { failure } = answer
    const asker = waiting.shift()
    if (waiting.length === 0) worker.unref()
    if (failure === undefined) asker?.resolve(answer)
    else asker?.reject(new CocoonError(failure.code, { message: failure.message }))
  })
  worker.on('error', end)
  worker.on('exit', (status) => end(`exit status ${status}`))

  const answer = (): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (ended !== null) return reject(ended)
      // Only what is being written keeps the process alive.
      if (waiting.push({ resolve, reject }) === 1) worker.ref()
    })
  const send = (job: Job | { readonly do: 'close' }, transfer: readonly ArrayBuffer[] = []): Promise<Answer> => {
    const done = answer()
    worker.postMessage(job, transfer)
    return done
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
