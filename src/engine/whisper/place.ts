/** One place: a thread with a model of its own, seen from outside. */
import { Worker } from 'node:worker_threads'
import { CocoonError } from '../../util/index.ts'
import type { ThreadReady, ThreadReply, ThreadStart, WindowAnswer, WindowJob } from './speech-thread.ts'

export interface Place {
  readonly languages: readonly string[]
  /**
   * When the signal aborts, the thread is told, and the answer is what it had by then: a place is free when its promise has settled.
   * Rejects with `engine.generation-failed`, for good once the thread has ended.
   */
  write(job: Omit<WindowJob, 'cancelled'>, signal: AbortSignal): Promise<WindowAnswer>
  readonly hasEnded: boolean
  close(): Promise<void>
}

/** Resolves when the model is loaded. Rejects with `engine.model-unusable`. */
export async function startPlace(start: ThreadStart): Promise<Place> {
  // With the extension of this file: `.ts` in a checkout, `.js` in a build.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./speech-thread.${extension}`, import.meta.url), {
    name: 'speech',
    workerData: start,
  })
  let asker: { resolve(answer: ThreadReady | WindowAnswer): void; reject(why: Error): void } | null = null
  let ended: CocoonError | null = null
  const end = (cause: unknown): void => {
    ended ??= new CocoonError(
      'engine.generation-failed',
      { message: 'The thread with the model has ended.' },
      { cause },
    )
    asker?.reject(ended)
    asker = null
  }
  worker.on('message', (reply: ThreadReply) => {
    const { resolve, reject } = asker ?? {}
    asker = null
    if ('answer' in reply) resolve?.(reply.answer)
    else reject?.(new CocoonError(reply.failure.code, { message: reply.failure.message }))
  })
  worker.on('error', end)
  worker.on('exit', end)
  const answer = (): Promise<ThreadReady | WindowAnswer> =>
    new Promise((resolve, reject) => {
      if (ended === null) asker = { resolve, reject }
      else reject(ended)
    })
  const stop = async (): Promise<void> => {
    await worker.terminate()
  }

  const { languages } = (await answer().catch(async (error: unknown) => {
    await stop()
    throw error
  })) as ThreadReady
  return {
    languages,
    async write(job, signal) {
      const cancelled = new Int32Array(new SharedArrayBuffer(4))
      const cancel = (): void => {
        Atomics.store(cancelled, 0, 1)
      }
      if (signal.aborted) cancel()
      signal.addEventListener('abort', cancel, { once: true })
      try {
        const written = answer()
        worker.postMessage({ ...job, cancelled } satisfies WindowJob)
        return (await written) as WindowAnswer
      } finally {
        signal.removeEventListener('abort', cancel)
      }
    },
    get hasEnded() {
      return ended !== null
    },
    close: stop,
  }
}
