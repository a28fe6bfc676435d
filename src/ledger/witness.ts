/**
 * The witness: a small file beside the database that says how many writes the database has seen. It is written after each of
 * them, so it never knows of more than the database holds, unless somebody put an older database in its place.
 *
 * It is overwritten in place and not synced: a killed process loses nothing by that, and a machine that loses power may only
 * find it older than it was, which accuses nobody. Keep it out of backups: a restored witness would testify for the restored
 * database. What peers remember of their totals stays the stronger proof.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

export interface Witness {
  /** Makes it say so many writes. */
  note(writes: bigint): void
  /** Also syncs. */
  close(): void
}

const DIGITS = 20
const HEADER = 'cocoon ledger witness 1'

/** How many writes it knows of; null where there is no file, or none that testifies for this contract. */
export function readWitness(path: string, contract: string): bigint | null {
  if (!existsSync(path)) return null
  const [header, owner, writes = ''] = readFileSync(path, 'latin1').split('\n')
  return header === HEADER && owner === contract && /^\d{20}$/.test(writes) ? BigInt(writes) : null
}

/** Creates or overwrites it. The file itself is on the disk when this returns. */
export function openWitness(path: string, contract: string, writes: bigint): Witness {
  // Not truncated: between a truncation and the first write it would testify nothing.
  const file = openSync(path, existsSync(path) ? 'r+' : 'w', 0o600)
  const note = (count: bigint): void => {
    writeSync(file, `${HEADER}\n${contract}\n${count.toString().padStart(DIGITS, '0')}\n`, 0, 'latin1')
  }
  note(writes)
  fsyncSync(file)
  return {
    note,
    close() {
      fsyncSync(file)
      closeSync(file)
    },
  }
}
