/**
 * A file that is written in place, each write on the medium before it counts. A disk that answers at once is waited for where one
 * is: the way through another thread and back would take longer than the disk, above all on a busy machine. A slower one is left
 * to the pool of threads, so that the event loop never waits for it.
 */
import { closeSync, constants, fdatasync, fdatasyncSync, openSync, write, writeSync } from 'node:fs'

export interface DurableFile {
  /** Resolves when the bytes are on the medium; they must not change until then. One write at a time. Rejects with the system's error. */
  write(bytes: Uint8Array, at: number): Promise<void>
  close(): void
}

/** What a durable file is made of. */
export interface SyncedWrites {
  nowMs(): number
  /** Written and synced when it returns. */
  writeNow(bytes: Uint8Array, at: number): void
  /** Written and synced when it resolves. */
  writeElsewhere(bytes: Uint8Array, at: number): Promise<void>
  close(): void
}

/** So long a write may take, on average, to be waited for: less than a message takes between two busy threads. */
const QUICK_MS = 1
/** Share of the newest write in the average. One that took a hundred times as long sends the next ten elsewhere. */
const NEWEST = 1 / 8

/** Opens the file, which must be as long as it will ever be: then a write changes nothing but its bytes. */
export const openDurableFile = (path: string): DurableFile => createDurableFile(openSyncedWrites(path))

export function createDurableFile(file: SyncedWrites): DurableFile {
  // Unknown disks are slow until they have shown otherwise.
  let averageMs = 2 * QUICK_MS
  return {
    async write(bytes, at) {
      const startMs = file.nowMs()
      if (averageMs < QUICK_MS) file.writeNow(bytes, at)
      else await file.writeElsewhere(bytes, at)
      averageMs += (file.nowMs() - startMs - averageMs) * NEWEST
    },
    close: () => file.close(),
  }
}

/** Linux syncs in the write itself. Elsewhere that would not reach the medium, or does not exist. */
const SYNC_IN_WRITE = process.platform === 'linux'

function openSyncedWrites(path: string): SyncedWrites {
  const file = openSync(path, SYNC_IN_WRITE ? constants.O_RDWR | constants.O_DSYNC : 'r+')
  const nowMs = (): number => performance.now()
  const close = (): void => closeSync(file)
  return {
    nowMs,
    writeNow(bytes, at) {
      writeAll(bytes, at)
      if (!SYNC_IN_WRITE) fdatasyncSync(file)
    },
    writeElsewhere: (bytes, at) =>
      new Promise((resolve, reject) => {
        const end = (error: Error | null): void => (error === null ? resolve() : reject(error))
        write(file, bytes, 0, bytes.length, at, (error, written) => {
          if (error !== null) return reject(error)
          try {
            // A disk that is full takes a part, and says why only when it is asked for the rest.
            if (written < bytes.length) writeAll(bytes.subarray(written), at + written)
          } catch (rest) {
            return reject(rest as Error)
          }
          if (SYNC_IN_WRITE) resolve()
          else fdatasync(file, end)
        })
      }),
    close,
  }

  function writeAll(bytes: Uint8Array, at: number): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done)
  }
}
