/**
 * The journal as a file of JSON lines, appended and synced. A line counts when its end is there: a crash while writing leaves a
 * last line without one, which was never acted on. Reading it in again leaves out what is superseded.
 */
import { open, rename, type FileHandle, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../../disk/index.ts'
import { CocoonError } from '../../util/index.ts'
import { decodeRecord, encodeRecord, type SendJournal, type SendRecord } from './journal.ts'

/** So many finished records are kept, so that an id used twice is noticed. */
const KEEP_FINISHED = 10_000
/** No room, or no more of it for this user. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])
/** Superseded lines that are put up with before the file is written anew. */
const MAX_LINES_OVER = 20_000
/** A wallet that has sent this much has its journal written anew many times over. */
const MAX_FILE_BYTES = 512 * 1024 * 1024

/** Creates the file. Throws `chain.journal` when it cannot be read or is damaged anywhere but at its end, `chain.journal-full`. */
export async function openFileJournal(path: string): Promise<SendJournal> {
  let records = await guarded(path, 'read', () => readRecords(path))
  let file = await guarded(path, 'write', () => writeAnew(path, [...records.values()]))
  let lines = records.size
  /** Writes happen one after the other: a journal has an order. */
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const mine = last.then(run)
    last = mine.catch(() => {})
    return mine
  }

  /** After a failed write nobody knows how much of a line is there. */
  let isTorn = false

  async function append(line: string): Promise<void> {
    if (isTorn || ++lines > records.size + MAX_LINES_OVER) {
      const old = file
      records = bounded(records)
      file = await writeAnew(path, [...records.values()])
      await old.close()
      lines = records.size
      isTorn = false
      return
    }
    isTorn = true
    await file.appendFile(`${line}\n`)
    await file.datasync()
    isTorn = false
  }

  /** Changes the record and writes the line, or neither. */
  async function change(id: string, to: SendRecord | undefined, line: string): Promise<void> {
    const before = records.get(id)
    const put = (record: SendRecord | undefined): void => {
      if (record === undefined) records.delete(id)
      else records.set(id, record)
    }
    put(to)
    try {
      await append(line)
    } catch (error) {
      put(before)
      throw error
    }
  }

  return {
    load: () => Promise.resolve([...records.values()]),
    put: (record) => inTurn(() => guarded(path, 'write', () => change(record.id, record, encodeRecord(record)))),
    drop: (id) => inTurn(() => guarded(path, 'write', () => change(id, undefined, JSON.stringify({ dropped: id })))),
    close: () => inTurn(() => file.close()),
  }
}

async function readRecords(path: string): Promise<Map<string, SendRecord>> {
  const records = new Map<string, SendRecord>()
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  if (text.length > MAX_FILE_BYTES) throw new RangeError(`larger than ${MAX_FILE_BYTES} bytes`)
  const lines = text.split('\n')
  // What follows the last line end is empty, or was cut off.
  for (const [i, line] of lines.slice(0, -1).entries())
    try {
      const value = JSON.parse(line) as unknown
      const dropped = (value as { readonly dropped?: unknown }).dropped
      if (typeof dropped === 'string') records.delete(dropped)
      else {
        const record = decodeRecord(value)
        records.set(record.id, record)
      }
    } catch (cause) {
      throw new RangeError(`line ${i + 1} is damaged`, { cause })
    }
  return bounded(records)
}

/** All that are open, and the newest finished ones. */
function bounded(records: ReadonlyMap<string, SendRecord>): Map<string, SendRecord> {
  let surplus = [...records.values()].filter((r) => r.outcome !== null).length - KEEP_FINISHED
  return new Map([...records].filter(([, { outcome }]) => outcome === null || surplus-- <= 0))
}

/** Beside the old file, then in its place: at every moment one of the two is whole. */
async function writeAnew(path: string, records: readonly SendRecord[]): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true })
  const beside = `${path}.new`
  const file = await open(beside, 'w', 0o600)
  await file.writeFile(records.map((r) => `${encodeRecord(r)}\n`).join(''))
  await file.sync()
  await rename(beside, path)
  await syncFolder(dirname(path))
  return file
}

async function guarded<T>(path: string, what: 'read' | 'write', run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    const isFull = FULL.has((cause as NodeJS.ErrnoException).code ?? '')
    if (isFull)
      throw new CocoonError(
        'chain.journal-full',
        {
          path,
          message: `the disk of the journal of sent messages ${path} is full: nothing is paid until there is room, and nothing is lost`,
        },
        { cause },
      )
    const message = `cannot ${what} the journal of sent messages ${path}: ${(cause as Error).message}`
    throw new CocoonError('chain.journal', { path, message }, { cause })
  }
}
