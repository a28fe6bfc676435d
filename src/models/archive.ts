/**
 * A model's archive measured: one pass with progress over the file, or over the archive that a folder would become; tree and
 * archive are written on the way where they are wanted.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { toHex } from '../util/index.ts'
import { modelError } from './errors.ts'
import { planFolderArchive } from './folder-archive.ts'
import { BLOCK_BYTES, createVerityTree, encodeVeritySuperblock, type VerityTree } from './verity.ts'

export interface MeasureOptions {
  /**
   * Of a file. `has`: it ends with its padding. `lacks`: it is as `tar` wrote it, and the padding is counted in: zeros up to the
   * next whole block, a whole block of them where the size was whole already. A folder's archive always gets it.
   */
  readonly padding: 'has' | 'lacks'
  /** Where to write the tree that dm-verity needs beside the archive. */
  readonly treePath?: string
  /** Where to write a folder's archive, padding included. */
  readonly archivePath?: string
  readonly onProgress?: (readBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

export interface MeasuredArchive {
  /** Hex. */
  readonly rootHash: string
  readonly dataBlocks: number
  /** Before the padding that was counted in. */
  readonly archiveBytes: number
}

/** Large enough for a disk, small enough to stop and to show progress. */
const READ_BYTES = 4 * 1024 * 1024

/** Throws `model.not-found`, `model.archive`, `model.stopped`. */
export async function measureArchive(path: string, options: MeasureOptions): Promise<MeasuredArchive> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw modelError('model.not-found', `The archive ${path} cannot be read.`, 'Check the path.', { path }, cause)
  })
  try {
    const stats = await file.stat()
    if (stats.isDirectory()) {
      const { bytes, chunks } = planFolderArchive(path)
      return await measureChunks(chunks(), bytes, true, options)
    }
    if (stats.size === 0)
      throw modelError('model.archive', `${path} is empty.`, 'Give the archive of a model.', { path })
    if (options.padding === 'has' && stats.size % BLOCK_BYTES !== 0)
      throw modelError(
        'model.archive',
        `${path} has ${stats.size} bytes, which are no whole blocks of ${BLOCK_BYTES}.`,
        'For a tar that was not padded yet, add --unpadded.',
        { path, bytes: stats.size },
      )
    return await measureChunks(chunksOf(file, stats.size), stats.size, options.padding === 'lacks', options)
  } finally {
    await file.close()
  }
}

async function* chunksOf(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(READ_BYTES)
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(READ_BYTES, size - at), at)
    if (bytesRead === 0) throw modelError('model.archive', 'The archive became shorter.', 'Let nobody write to it.')
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function measureChunks(
  chunks: AsyncGenerator<Uint8Array>,
  archiveBytes: number,
  addsPadding: boolean,
  { treePath, archivePath, onProgress, signal }: MeasureOptions,
): Promise<MeasuredArchive> {
  const dataBlocks = Math.floor(archiveBytes / BLOCK_BYTES) + (addsPadding ? 1 : 0)
  const [treeFile, archiveFile] = [treePath, archivePath].map((path) =>
    path === undefined ? null : openSync(path, 'w'),
  )
  try {
    const tree =
      typeof treeFile !== 'number'
        ? createVerityTree(dataBlocks)
        : // Hash blocks are few (one in 128) and come out of order: each is written at once, in its place.
          createVerityTree(dataBlocks, (position, block) => {
            writeSync(treeFile, block, 0, BLOCK_BYTES, position * BLOCK_BYTES)
          })
    if (typeof treeFile === 'number') writeSync(treeFile, encodeVeritySuperblock(dataBlocks))
    const feeder = feederOf(tree)
    let done = 0
    const take = (chunk: Uint8Array): void => {
      feeder(chunk)
      if (typeof archiveFile === 'number') writeWhole(archiveFile, chunk)
    }
    for await (const chunk of chunks) {
      if (signal?.aborted === true) throw modelError('model.stopped', 'Stopped.', 'Run the command again.')
      take(chunk)
      done += chunk.length
      onProgress?.(done, archiveBytes)
    }
    take(new Uint8Array(dataBlocks * BLOCK_BYTES - archiveBytes))
    return { rootHash: toHex(tree.finish()), dataBlocks, archiveBytes }
  } finally {
    for (const file of [treeFile, archiveFile]) if (typeof file === 'number') closeSync(file)
  }
}

/** Chunks of any size to whole blocks. */
function feederOf(tree: VerityTree): (chunk: Uint8Array) => void {
  const begun = new Uint8Array(BLOCK_BYTES)
  let filled = 0
  return (chunk) => {
    let at = 0
    if (filled > 0) {
      at = Math.min(BLOCK_BYTES - filled, chunk.length)
      begun.set(chunk.subarray(0, at), filled)
      filled += at
      if (filled < BLOCK_BYTES) return
      tree.add(begun)
      filled = 0
    }
    for (; at + BLOCK_BYTES <= chunk.length; at += BLOCK_BYTES) tree.add(chunk.subarray(at, at + BLOCK_BYTES))
    begun.set(chunk.subarray(at))
    filled = chunk.length - at
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}
