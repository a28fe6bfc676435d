/**
 * The files themselves: one on the disk for each record, readable by the owner of the node only. A file has its name when it
 * is whole and synced; what has none of a record's names is a remainder of a process that died, and is deleted.
 */
import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { syncFolder } from '../disk/index.ts'
import { CocoonError } from '../util/index.ts'
import { batchError } from './errors.ts'
import { diskFull } from './store.ts'

export interface Upload {
  /** Throws `capacity.batch-full`. */
  write(bytes: Uint8Array): Promise<void>
  readonly bytes: number
  /** Whole and on the disk when it resolves. */
  finish(): Promise<void>
  /** Forgets what was written. After `finish` this does nothing. */
  discard(): Promise<void>
}

export interface Vault {
  pathOf(id: string): string
  has(id: string): boolean
  begin(id: string): Promise<Upload>
  /** Throws `request.file-gone`. */
  read(id: string): Promise<StoredBytes>
  stream(id: string): Readable
  remove(id: string): Promise<void>
}

export interface StoredBytes {
  /** Fewer where the file ends before. */
  at(position: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

/** Ids that come from callers must never leave the folder. */
const ID = /^file-[0-9a-f]{32}$/

/** Deletes what no record knows. Throws `config.batch-unwritable`. */
export function openVault(folder: string, known: ReadonlySet<string>): Vault {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(folder)) if (!known.has(name)) rmSync(join(folder, name), { force: true })
  } catch (error) {
    throw batchError(
      'config.batch-unwritable',
      `the folder of files ${folder} cannot be used (${(error as Error).message}): make it writable`,
      {},
      error,
    )
  }
  const pathOf = (id: string): string => {
    if (!ID.test(id)) throw new CocoonError('bug.file-id', { id })
    return join(folder, id)
  }
  return {
    pathOf,
    has: (id) => existsSync(pathOf(id)),
    async begin(id) {
      const path = pathOf(id)
      return createUpload(await attempt(() => open(`${path}.part`, 'wx', 0o600)), path, folder)
    },
    async read(id) {
      const file = await open(pathOf(id), 'r').catch((error: unknown) => {
        throw batchError('request.file-gone', `The file ${id} is no longer on this node’s disk.`, {}, error)
      })
      return {
        async at(position, length) {
          const bytes = Buffer.allocUnsafe(length)
          let filled = 0
          while (filled < length) {
            const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled)
            if (bytesRead === 0) break
            filled += bytesRead
          }
          return bytes.subarray(0, filled)
        },
        close: () => file.close(),
      }
    },
    stream: (id) => createReadStream(pathOf(id)),
    remove: (id) => rm(pathOf(id), { force: true }),
  }
}

function createUpload(file: FileHandle, path: string, folder: string): Upload {
  let bytes = 0
  let isOpen = true
  const close = async (): Promise<void> => {
    if (isOpen) await file.close()
    isOpen = false
  }
  return {
    get bytes() {
      return bytes
    },
    async write(chunk) {
      await attempt(() => file.writeFile(chunk))
      bytes += chunk.length
    },
    async finish() {
      await attempt(() => file.sync())
      await close()
      await rename(`${path}.part`, path)
      await syncFolder(folder)
    },
    async discard() {
      await close()
      await rm(`${path}.part`, { force: true })
    },
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOSPC' || code === 'EDQUOT') throw diskFull(error)
    throw batchError(
      'capacity.batch-failed',
      `A file could not be written (${(error as Error).message}): check the rights of the client’s folder, and the disk.`,
      {},
      error,
    )
  }
}
