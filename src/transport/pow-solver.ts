/** Finds nonces on worker threads, so that the event loop never waits for proof of work. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { CocoonError, toCocoonError } from '../util/index.ts'
import { transportError } from './errors.ts'
import { MAX_POW_DIFFICULTY, type PowChallenge } from './pow.ts'
import type { PowJob, PowResult } from './pow-worker.ts'

export interface PowSolver {
  /**
   * A nonce for the challenge. Challenges are worked on one after the other. Rejects with the signal's reason
   * (`protocol.aborted` unless it is one of our errors), and `protocol.pow-difficulty` when no hash can meet it.
   */
  solve(challenge: PowChallenge, signal?: AbortSignal): Promise<bigint>
  /** Ends the threads; what is being solved is rejected with `protocol.aborted`. */
  close(): void
}

/** More threads than this are not worth their start: difficulty 20 takes well under a second on one. */
const MAX_THREADS = 2

interface Pending {
  settle(result: bigint | CocoonError): void
}

/**
 * Threads start with the first challenge and are kept, since starting one costs about 40 ms. They never keep the process
 * alive. One core is left to the event loop.
 */
export function createPowSolver(
  options: { readonly threads?: number; readonly startThread?: () => Worker } = {},
): PowSolver {
  const threads = options.threads ?? Math.max(1, Math.min(MAX_THREADS, availableParallelism() - 1))
  const startThread = options.startThread ?? startPowThread
  const pending = new Map<number, Pending>()
  let workers: Worker[] = []
  let nextJob = 0

  const failAll = (why: CocoonError): void => {
    for (const job of pending.values()) job.settle(why)
    for (const worker of workers) void worker.terminate()
    workers = []
  }
  const start = (): Worker => {
    const worker = startThread()
    worker.on('message', ({ job, nonce }: PowResult) => {
      if (nonce !== undefined) pending.get(job)?.settle(nonce)
    })
    worker.on('error', (error) => {
      if (workers.includes(worker)) failAll(toCocoonError(error))
    })
    // After the listeners: adding one for messages makes the thread count again.
    worker.unref()
    return worker
  }

  return {
    solve({ difficulty, salt }, signal) {
      if (difficulty > MAX_POW_DIFFICULTY)
        return Promise.reject(transportError('protocol.pow-difficulty', { difficulty, max: MAX_POW_DIFFICULTY }))
      if (difficulty <= 0) return Promise.resolve(0n)
      if (signal?.aborted) return Promise.reject(aborted(signal))
      while (workers.length < threads) workers.push(start())
      return new Promise((resolve, reject) => {
        const job = nextJob++
        const stop = new Int32Array(new SharedArrayBuffer(4))
        const onAbort = (): void => settle(aborted(signal))
        const settle = (result: bigint | CocoonError): void => {
          pending.delete(job)
          Atomics.store(stop, 0, 1)
          signal?.removeEventListener('abort', onAbort)
          if (result instanceof CocoonError) reject(result)
          else resolve(result)
        }
        pending.set(job, { settle })
        signal?.addEventListener('abort', onAbort, { once: true })
        workers.forEach((worker, share) => {
          const message: PowJob = { job, salt, difficulty, share, shares: workers.length, stop }
          worker.postMessage(message)
        })
      })
    },
    close: () => failAll(transportError('protocol.aborted')),
  }
}

/** Beside this file, with its extension: `.ts` in a checkout, `.js` in a build. */
function startPowThread(): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new Worker(new URL(`./pow-worker.${extension}`, import.meta.url), { name: 'pow' })
}

function aborted(signal: AbortSignal | undefined): CocoonError {
  const reason: unknown = signal?.reason
  return reason instanceof CocoonError ? reason : transportError('protocol.aborted', {}, reason)
}
