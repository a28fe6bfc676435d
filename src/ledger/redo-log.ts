/**
 * The redo log: where a group of settlements is durable at once, in one small write, before the database takes it over in its own
 * time. A file of fixed length that is written from its start again whenever all of it is in the database. Opening the ledger
 * reads it (open-store.ts); what it must survive: docs/ledger.md.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { type DurableFile, openDurableFile } from '../disk/index.ts'
import { type Clock, type CocoonError, toCocoonError } from '../util/index.ts'
import { ledgerError, ledgerFull } from './errors.ts'
import { encodeRedo, readRedo, type RedoContent } from './redo-record.ts'
import type { Group } from './store.ts'

export interface RedoLog {
  /** Durable when it resolves. One at a time. Rejects with `capacity.ledger-full`, nothing written, or `capacity.ledger-failed`. */
  append(group: Group): Promise<void>
  /** Resolves when the database holds everything; rejects when it cannot take it. */
  flush(): Promise<void>
  /** The file only: what the database did not take stays in it for the next start. */
  close(): void
}

export interface RedoLogOptions {
  /** Of the database. */
  readonly path: string
  readonly contract: string
  /** Number of the database's newest write. */
  readonly newest: bigint
  /** Has the database take the groups, of which the last is the write with this number. */
  store(groups: readonly Group[], newest: bigint): Promise<void>
  /** The database did not take what waits. */
  failed(why: CocoonError): void
  /** For tests: called before and after each record is written. */
  readonly step: (name: string) => void
}

/** So long the database may be behind. Groups of that time share its transaction and its sync. */
const STORE_AFTER_MS = 50
/** Room for some twenty thousand settlements that came one by one. A start after a crash does at most these again. */
const REDO_BYTES = 4 * 1024 * 1024
/** So much is handed over at a time, before its time: in the file there is room for the next ones meanwhile. */
const STORE_SHARE = 1 / 4

/** Beside the database. */
export const redoOf = (path: string): string => `${path}.redo`

/** Makes it, or empties it. All of its length is on the disk then, so that no later write needs room. */
export function createRedoFile(path: string): void {
  const file = openSync(redoOf(path), 'w', 0o600)
  try {
    writeSync(file, new Uint8Array(REDO_BYTES))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Null without a file. */
export function readRedoFile(path: string, contract: string, newest: bigint): RedoContent | null {
  return existsSync(redoOf(path)) ? readRedo(contract, readFileSync(redoOf(path)), newest) : null
}

/** False for a file that was being made when the machine lost power. */
export const isWholeRedoFile = (path: string): boolean =>
  existsSync(redoOf(path)) && statSync(redoOf(path)).size === REDO_BYTES

export function createRedoLog(clock: Clock, options: RedoLogOptions): RedoLog {
  const { contract, store, step } = options
  const file: DurableFile = openDurableFile(redoOf(options.path))
  let newest = options.newest
  /** Where the next record begins. */
  let end = 0
  let waiting: Group[] = []
  let waitingBytes = 0
  let storing: Promise<void> | null = null
  let isDue = false
  let broken: CocoonError | null = null

  /** All that waits now. What cannot be stored waits on. */
  async function storeAll(): Promise<void> {
    const [groups, bytes, number] = [waiting, waitingBytes, newest]
    waiting = []
    waitingBytes = 0
    try {
      await store(groups, number)
    } catch (error) {
      waiting = [...groups, ...waiting]
      waitingBytes += bytes
      throw error
    }
  }

  async function flush(): Promise<void> {
    while (storing !== null || waiting.length > 0) {
      storing ??= storeAll().finally(() => (storing = null))
      await storing
    }
  }

  function storeSoon(): void {
    if (waitingBytes > REDO_BYTES * STORE_SHARE) return storeNow()
    if (isDue) return
    isDue = true
    clock.after(STORE_AFTER_MS, storeNow)
  }
  function storeNow(): void {
    isDue = false
    flush().catch((error: unknown) => options.failed(toCocoonError(error, 'capacity.ledger-failed')))
  }

  async function write(record: Uint8Array): Promise<void> {
    step('before the record')
    try {
      await file.write(record, end)
    } catch (error) {
      throw refusal(error)
    }
    step('after the record')
  }

  /** Without room nothing of it counts: the next record takes its place. After anything else only a restart can tell. */
  function refusal(error: unknown): CocoonError {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return ledgerFull(error)
    const what = error instanceof Error ? error.message : String(error)
    broken = ledgerError(
      'capacity.ledger-failed',
      `The ledger’s redo log ${redoOf(options.path)} could not be written (${what}): check the disk, then restart the proxy.`,
      error,
    )
    return broken
  }

  return {
    async append(group) {
      if (broken !== null) throw broken
      const record = encodeRedo(contract, { number: newest + 1n, group })
      if (end + record.length > REDO_BYTES) {
        await flush()
        end = 0
      }
      if (record.length > REDO_BYTES) {
        await store([group], newest + 1n)
        newest++
        return
      }
      await write(record)
      newest++
      end += record.length
      waiting.push(group)
      waitingBytes += record.length
      storeSoon()
    },
    flush,
    close: () => file.close(),
  }
}
