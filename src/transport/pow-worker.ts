/** The thread of pow-solver.ts: searches the nonces of one share until one fits or the job is called off. */
import { parentPort } from 'node:worker_threads'
import { powZeroBits } from './pow.ts'
import { searchNonces } from './pow-search.ts'

export interface PowJob {
  readonly job: number
  readonly salt: Uint8Array
  readonly difficulty: number
  /** This thread takes the nonces whose upper half is `share`, `share + shares`, … */
  readonly share: number
  readonly shares: number
  /** One shared word: not 0 means stop. */
  readonly stop: Int32Array
}

/** Absent `nonce`: stopped. */
export interface PowResult {
  readonly job: number
  readonly nonce?: bigint
}

/** How many hashes between looks at the stop word: some milliseconds. */
const STEP = 8192

parentPort?.on('message', (job: PowJob) => {
  const nonce = search(job)
  const result: PowResult = nonce === null ? { job: job.job } : { job: job.job, nonce }
  parentPort?.postMessage(result)
})

function search({ salt, difficulty, share, shares, stop }: PowJob): bigint | null {
  for (let high = share; ; high += shares) {
    let from = 0
    while (from < 2 ** 32) {
      if (Atomics.load(stop, 0) !== 0) return null
      const found = searchNonces({ salt, high, from, count: STEP, difficulty })
      if (found === -1) {
        from += STEP
        continue
      }
      const nonce = (BigInt(high) << 32n) | BigInt(found)
      if (powZeroBits(salt, nonce) >= difficulty) return nonce
      from = found + 1
    }
  }
}
