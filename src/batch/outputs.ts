/**
 * Writing an ended batch into its files: answers into one, failures and lines without an answer into the other, each line in
 * the order of the input. A file has its name when it is whole and on the disk. Runs on the store's thread.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { syncFolderNow } from '../disk/index.ts'
import { outputLine } from './output-line.ts'
import { selectLines } from './select.ts'
import { diskFull } from './store.ts'

export interface OutputOrder {
  readonly batch: string
  /** Full paths in one folder: for lines that were answered, and for the others. */
  readonly answersPath: string
  readonly failuresPath: string
  /** What lines without an answer are told. */
  readonly unanswered: { readonly code: string; readonly message: string }
}

/** Sizes; null where there was nothing to write, and no file. */
export interface Outputs {
  readonly answersBytes: number | null
  readonly failuresBytes: number | null
}

/** Writes collect up to this. */
const CHUNK_BYTES = 1 << 20
const LINE_FEED = Buffer.from('\n')

/** Throws `capacity.batch-full` when the disk is full; then nothing is left behind. */
export function writeOutputs(db: DatabaseSync, order: OutputOrder): Outputs {
  const answers = createWholeFile(order.answersPath)
  const failures = createWholeFile(order.failuresPath)
  try {
    for (const { seq, customId, isGood, answer } of selectLines(db, order.batch)) {
      const line = answer ?? outputLine(order.batch, seq, customId, { error: order.unanswered })
      ;(isGood ? answers : failures).add(line)
    }
    const sizes = { answersBytes: answers.finish(), failuresBytes: failures.finish() }
    // The lines are dropped next: by then the new names must last.
    syncFolderNow(dirname(order.answersPath))
    return sizes
  } catch (error) {
    answers.discard()
    failures.discard()
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? diskFull(error) : error
  }
}

interface WholeFile {
  add(line: Uint8Array): void
  /** Its size; null when nothing was added. */
  finish(): number | null
  discard(): void
}

function createWholeFile(path: string): WholeFile {
  const beside = `${path}.part`
  let file: number | null = null
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  let bytes = 0
  const flush = (): void => {
    file ??= openSync(beside, 'w', 0o600)
    const chunk = Buffer.concat(pending)
    for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at)
    bytes += chunk.length
    pending = []
    pendingBytes = 0
  }
  return {
    add(line) {
      pending.push(line, LINE_FEED)
      pendingBytes += line.length + 1
      if (pendingBytes >= CHUNK_BYTES) flush()
    },
    finish() {
      if (pending.length > 0) flush()
      if (file === null) return null
      fsyncSync(file)
      closeSync(file)
      file = null
      renameSync(beside, path)
      return bytes
    },
    discard() {
      if (file !== null) closeSync(file)
      file = null
      rmSync(beside, { force: true })
    },
  }
}
