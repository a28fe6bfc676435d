/** Files as callers know them: uploaded whole or not at all, seen by their own project, deleted when their time is over. */
import type { Readable } from 'node:stream'
import type { Clock, Random } from '../util/index.ts'
import { toHex } from '../util/index.ts'
import { batchError } from './errors.ts'
import type { BatchOptions } from './options.ts'
import type { ProjectId, StoredFile } from './records.ts'
import type { StoreAccess } from './store-access.ts'
import type { Vault } from './vault.ts'

/** Who looks: a project, or null for the owner of the node, who sees everything. */
export type Viewer = ProjectId | null

export interface FileUpload {
  /** Throws `request.file-too-large`, `request.files-full`, `capacity.batch-…`. */
  write(bytes: Uint8Array): Promise<void>
  /** The file is on the disk and known. @param keepMs how long it is kept; without it, as long as the options say */
  finish(name: string, keepMs?: number): Promise<StoredFile>
  discard(): Promise<void>
}

export interface Files {
  /** Throws `request.files-full`, `capacity.batch-…`. */
  begin(owner: ProjectId): Promise<FileUpload>
  /** The newest first. */
  list(viewer: Viewer): readonly StoredFile[]
  /** Throws `request.no-file`. */
  get(viewer: Viewer, id: string): StoredFile
  stream(viewer: Viewer, id: string): { readonly file: StoredFile; readonly bytes: Readable }
  /** Throws `request.no-file`, `request.file-in-use`. */
  remove(viewer: Viewer, id: string): Promise<void>
}

export interface FilesDeps {
  readonly clock: Clock
  readonly random: Random
  readonly store: StoreAccess
  readonly vault: Vault
  /** The batch that reads it. */
  readonly userOf: (file: string) => string | undefined
}

export interface FileShelf extends Files {
  readonly newId: () => string
  /** Takes a file over that is known to the store already. */
  add(file: StoredFile): void
  /** Deletes what nobody reads and whose time is over. */
  expire(): Promise<void>
}

export function createFiles(deps: FilesDeps, options: BatchOptions): FileShelf {
  const { clock, random, store, vault } = deps
  const byId = new Map(store.kept.files.filter(({ id }) => vault.has(id)).map((file) => [file.id, file]))
  /** Of files and of uploads that are under way. */
  let totalBytes = [...byId.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  let uploads = 0

  const newId = (): string => `file-${toHex(random.bytes(16))}`

  function expectRoom(moreBytes: number): void {
    if (totalBytes + moreBytes > options.maxTotalBytes)
      throw batchError(
        'request.files-full',
        `The files of this node have their ${options.maxTotalBytes} bytes: delete some (client.batch.maxTotalBytes).`,
      )
  }

  function get(viewer: Viewer, id: string): StoredFile {
    const file = byId.get(id)
    if (file === undefined || (viewer !== null && file.project !== viewer) || file.expiresMs <= clock.now())
      throw batchError('request.no-file', `There is no file '${id.slice(0, 80)}': see GET /v1/files.`, {
        field: 'file_id',
      })
    return file
  }

  async function remove({ id, bytes }: StoredFile): Promise<void> {
    // The record first: a file without one is deleted at the next start, a record without a file would be a promise.
    await store.apply([{ drop: 'file', id }])
    if (!byId.delete(id)) return
    totalBytes -= bytes
    await vault.remove(id)
  }

  return {
    newId,
    async begin(owner) {
      if (byId.size + uploads >= options.maxFiles)
        throw batchError(
          'request.files-full',
          `This node keeps ${options.maxFiles} files: delete some (client.batch.maxFiles).`,
        )
      expectRoom(0)
      const id = newId()
      const upload = await vault.begin(id)
      uploads++
      let isOpen = true
      const close = (): void => {
        if (!isOpen) return
        isOpen = false
        uploads--
        totalBytes -= upload.bytes
      }
      return {
        async write(bytes) {
          if (upload.bytes + bytes.length > options.maxFileBytes)
            throw batchError(
              'request.file-too-large',
              `A file may have ${options.maxFileBytes} bytes: split it (client.batch.maxFileBytes).`,
              { field: 'file' },
            )
          expectRoom(bytes.length)
          const before = upload.bytes
          try {
            await upload.write(bytes)
          } finally {
            totalBytes += upload.bytes - before
          }
        },
        async finish(name, keepMs = options.keepFilesMs) {
          const now = clock.now()
          const { bytes } = upload
          const file = {
            id,
            project: owner,
            purpose: 'batch',
            name,
            bytes,
            createdMs: now,
            expiresMs: now + keepMs,
          } as const
          await upload.finish()
          try {
            await store.apply([{ put: 'file', file }])
          } catch (error) {
            await vault.remove(id)
            throw error
          }
          close()
          byId.set(id, file)
          totalBytes += bytes
          return file
        },
        async discard() {
          close()
          await upload.discard()
        },
      }
    },
    list: (viewer) =>
      [...byId.values()]
        .filter(({ project, expiresMs }) => (viewer === null || project === viewer) && expiresMs > clock.now())
        .toSorted((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1)),
    get,
    stream(viewer, id) {
      const file = get(viewer, id)
      return { file, bytes: vault.stream(id) }
    },
    async remove(viewer, id) {
      const file = get(viewer, id)
      const user = deps.userOf(id)
      if (user !== undefined)
        throw batchError(
          'request.file-in-use',
          `The batch ${user} reads this file: cancel it first, or wait for its end.`,
          {
            field: 'file_id',
          },
        )
      await remove(file)
    },
    add(file) {
      byId.set(file.id, file)
      totalBytes += file.bytes
    },
    async expire() {
      for (const file of byId.values())
        if (file.expiresMs <= clock.now() && deps.userOf(file.id) === undefined) await remove(file)
    },
  }
}
