/**
 * A thread that holds a store, from both ends: a job is a promise, and the thread's end is an error. The thread's own file is called
 * `store-thread` and stands beside the one that starts it.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { CocoonError, type ErrorCode, toCocoonError } from '../util/index.ts'

/** One for the opening, then one for each job in its order. Errors change threads as their parts. */
type Reply<Answer> =
  | { readonly answer: Answer }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } }

type Closing = { readonly do: 'close' }

export interface StoreThread<Opened, Job, Answer> {
  /** What opening found. Rejects with the refusal. */
  readonly opened: Promise<Opened>
  /** Jobs are done in their order. Rejects with the job's failure, and for good when the thread has ended. */
  do(job: Job): Promise<Answer>
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

/** Starts opening at once. */
export function startStoreThread<Opened, Job, Answer>(start: StoreThreadStart): StoreThread<Opened, Job, Answer> {
  const { beside, name, workerData } = start
  // With the extension of that file: `.ts` in a checkout, `.js` in a build.
  const extension = beside.endsWith('.ts') ? 'ts' : 'js'
  // Node calls its SQLite experimental; the warning would tell operators nothing that they can act on.
  const execArgv = ['--disable-warning=ExperimentalWarning']
  const worker = new Worker(new URL(`./store-thread.${extension}`, beside), { name, workerData, execArgv })
  /** In the order of their jobs, as the thread answers them. */
  const waiting: { resolve(answer: unknown): void; reject(why: CocoonError): void }[] = []
  let ended: CocoonError | null = null
  const end = (why: unknown): void => {
    ended ??= start.ended(why)
    for (const { reject } of waiting.splice(0)) reject(ended)
  }
  worker.on('message', (reply: Reply<unknown>) => {
    const asker = waiting.shift()
    if (waiting.length === 0) worker.unref()
    if ('answer' in reply) asker?.resolve(reply.answer)
    else asker?.reject(new CocoonError(reply.failure.code, { message: reply.failure.message }))
  })
  worker.on('error', end)
  worker.on('exit', (status) => end(`exit status ${status}`))

  const answer = <T>(): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (ended !== null) return reject(ended)
      // Only what is being written keeps the process alive.
      if (waiting.push({ resolve: resolve as (answer: unknown) => void, reject }) === 1) worker.ref()
    })
  const send = (job: Job | Closing): Promise<Answer> => {
    const done = answer<Answer>()
    worker.postMessage(job)
    return done
  }
  return {
    opened: answer<Opened>(),
    do: send,
    async close() {
      if (ended !== null) return
      await send({ do: 'close' })
      await worker.terminate()
    },
  }
}

/**
 * The thread's end of it; does nothing outside of such a thread.
 * @param open gives what jobs are done with, and the answer to the opening
 * @param close the last that is done with it
 */
export function serveStoreThread<Data, Store, Opened, Job, Answer>(
  open: (data: Data) => readonly [store: Store, opened: Opened],
  serve: (store: Store, job: Job) => Answer,
  close: (store: Store) => void,
): void {
  if (parentPort === null) return
  const port = parentPort
  const replyTo = <T>(work: () => T): Reply<T> => {
    try {
      return { answer: work() }
    } catch (error) {
      const { code, message } = toCocoonError(error)
      return { failure: { code, message } }
    }
  }
  const opening = replyTo(() => {
    const [store, opened] = open(workerData as Data)
    // Without a listener nothing keeps the thread: after a refusal it ends.
    port.on('message', (job: Job | Closing) => {
      const isClosing = (job as Closing).do === 'close'
      port.postMessage(replyTo(() => (isClosing ? close(store) : serve(store, job as Job))))
      if (isClosing) port.close()
    })
    return opened
  })
  port.postMessage(opening)
}
