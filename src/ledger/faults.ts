/** Faults that tests inject into the ledger's two threads, through a few numbers that both see. */
import type { DatabaseSync } from 'node:sqlite'

/** Index of each number. */
export const FAULT = {
  /** The process kills itself at the step with this number, counted from 1; 0: never. */
  dieAtStep: 0,
  /** Steps so far. */
  steps: 1,
  /** Largest number of pages that the database may have, as if the disk were full then; 0: as many as it likes. */
  maxPages: 2,
} as const

export const createFaults = (): Int32Array => new Int32Array(new SharedArrayBuffer(12))

const NO_LIMIT = 0xfffffffe

export function injectFaults(faults: Int32Array | undefined): (step: string, db?: DatabaseSync) => void {
  if (faults === undefined) return () => undefined
  return (name, db) => {
    const count = Atomics.add(faults, FAULT.steps, 1) + 1
    if (count === Atomics.load(faults, FAULT.dieAtStep)) process.kill(process.pid, 'SIGKILL')
    if (name === 'before') db?.exec(`PRAGMA max_page_count = ${Atomics.load(faults, FAULT.maxPages) || NO_LIMIT}`)
  }
}
