/**
 * The state folder: `snapshot.N` is a whole state, `journal.N` what happened since. A new pair begins when a journal is long
 * enough; a snapshot is written beside, flushed, then renamed, and only then does the pair before it go. So at every
 * instant there is one complete snapshot and every journal since, and a process may be killed between any two instructions.
 *
 * The journal is written in one call before anything is acknowledged: what was acknowledged is in the kernel's hands and
 * outlives the process. With `syncToDisk` it is on the disk.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { syncFolderNow } from '../disk/index.ts'
import { type Log, type Random, toHex } from '../util/index.ts'
import { devnetError } from './errors.ts'
import { decodeLine, encodeLine } from './lines.ts'
import { stateFromLines, stateToLines } from './saved-state.ts'
import type { ChainState, JournalRecord } from './state.ts'

/** Bytes of a snapshot that are written at once; the event loop turns in between. */
const CHUNK_BYTES = 256 * 1024

export interface Store {
  /** Tells this chain from any other that lay or will lie in the folder. */
  readonly id: string
  /** The last saved state and what happened since; null for a new folder. Throws `chain.devnet-state`. */
  recover(): Promise<{ readonly state: ChainState; readonly since: readonly JournalRecord[] } | null>
  /** Throws `chain.devnet-store`, and then nothing was written. */
  append(record: JournalRecord): void
  /** Bytes in the journal that is being written. */
  journalBytes(): number
  isSaving(): boolean
  /** Begins the next journal at once, and saves `state` in the background: it must be the state at this very instant. */
  begin(state: ChainState): Promise<void>
  close(): Promise<void>
}

export function openStore(
  folder: string,
  options: { readonly syncToDisk: boolean },
  deps: { readonly log: Log; readonly random: Random },
): Store {
  mkdirSync(folder, { recursive: true })
  const lock = join(folder, 'lock')
  takeLock(lock, folder)
  const id = readOrMakeId(join(folder, 'id'), deps.random)
  const numbers = (kind: 'snapshot' | 'journal'): number[] =>
    readdirSync(folder)
      .filter((name) => new RegExp(`^${kind}\\.\\d+$`).test(name))
      .map((name) => Number(name.slice(kind.length + 1)))
      .toSorted((a, b) => a - b)
  const path = (kind: 'snapshot' | 'journal', n: number): string => join(folder, `${kind}.${n}`)

  let journal: number | null = null
  let bytes = 0
  let current = Math.max(-1, ...numbers('journal'), ...numbers('snapshot'))
  let saving: Promise<void> | null = null

  async function save(state: ChainState, n: number): Promise<void> {
    const temporary = `${path('snapshot', n)}.tmp`
    const file = await open(temporary, 'w')
    try {
      let chunk = ''
      for (const line of stateToLines(state)) {
        chunk += encodeLine(line)
        if (chunk.length < CHUNK_BYTES) continue
        await file.write(chunk)
        chunk = ''
      }
      await file.write(chunk)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path('snapshot', n))
    syncFolderNow(folder)
    for (const kind of ['snapshot', 'journal'] as const)
      for (const old of numbers(kind)) if (old < n) rmSync(path(kind, old), { force: true })
  }

  return {
    id,
    async recover() {
      for (const name of readdirSync(folder)) if (name.endsWith('.tmp')) rmSync(join(folder, name))
      const last = numbers('snapshot').at(-1)
      if (last === undefined) return null
      const state = await stateFromLines(readLines(path('snapshot', last)))
      const since = numbers('journal')
        .filter((n) => n >= last)
        .flatMap((n) => readJournal(path('journal', n)))
      return { state, since }
    },
    append(record) {
      if (journal === null) throw devnetError('chain.devnet-store', { reason: 'closed' })
      const line = Buffer.from(encodeLine(record))
      try {
        if (writeSync(journal, line) !== line.length) throw new RangeError('the disk is full')
        if (options.syncToDisk) fdatasyncSync(journal)
        bytes += line.length
      } catch (cause) {
        // Half a line in the middle would make everything behind it unreadable.
        ftruncateSync(journal, bytes)
        throw devnetError('chain.devnet-store', { folder }, cause)
      }
    },
    journalBytes: () => bytes,
    isSaving: () => saving !== null,
    async begin(state) {
      const n = ++current
      const next = openSync(path('journal', n), 'ax')
      if (journal !== null) closeSync(journal)
      journal = next
      bytes = 0
      if (options.syncToDisk) syncFolderNow(folder)
      const before = saving
      const mine = (async () => {
        await before
        await save(state, n)
      })()
      const settled = mine
        .catch((error: unknown) =>
          deps.log.error('the state was not saved; its journals are kept', { error: String(error) }),
        )
        .finally(() => {
          if (saving === settled) saving = null
        })
      saving = settled
      await mine
    },
    async close() {
      await saving
      if (journal !== null) closeSync(journal)
      journal = null
      rmSync(lock, { force: true })
    },
  }
}

async function* readLines(path: string): AsyncGenerator<unknown> {
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const value = decodeLine(line)
    if (value === undefined) throw devnetError('chain.devnet-state', { file: path })
    yield value
  }
}

/** Whole records. The last one may have been cut off by the process's death; it was never acknowledged. */
function readJournal(path: string): JournalRecord[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  const records: JournalRecord[] = []
  for (const [i, line] of lines.entries()) {
    const value = decodeLine(line)
    if (value !== undefined) records.push(value as JournalRecord)
    else if (lines.slice(i + 1).some((l) => l !== ''))
      throw devnetError('chain.devnet-state', { file: path, line: i + 1 })
  }
  return records
}

/**
 * A file with the owner's process id and start. One whose process is gone is taken over: that is the usual case after
 * `kill -9`. In a container the next process has the same id, so the start tells whether it is this one.
 */
function readOrMakeId(path: string, random: Random): string {
  try {
    const known = readFileSync(path, 'utf8').trim()
    if (/^[0-9a-f]{16}$/.test(known)) return known
  } catch {
    // A new folder, or one from before chains had ids.
  }
  const id = newChainId(random)
  writeFileSync(path, `${id}\n`)
  return id
}

/** What tells the chain with this id from all others, as the hash of a first state does. */
export const zeroStateOf = (id: string): string => createHash('sha256').update(`cocoon devnet ${id}`).digest('hex')

export const newChainId = (random: Random): string => toHex(random.bytes(8))

function takeLock(lock: string, folder: string): void {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(lock, `${process.pid} ${performance.timeOrigin}\n`, { flag: 'wx' })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw devnetError('chain.devnet-store', { folder }, error)
    }
    const [owner, startedAt] = readFileSync(lock, 'utf8').split(' ').map(Number)
    const isStale = owner === process.pid && startedAt !== performance.timeOrigin
    if (owner !== undefined && !isStale && isAlive(owner))
      throw devnetError('config.devnet-locked', { folder, pid: owner, lock })
    rmSync(lock, { force: true })
  }
  throw devnetError('config.devnet-locked', { folder, lock })
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
