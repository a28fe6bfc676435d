/** A model's archive on disk, measured: one pass with progress, and the tree written on the way where it is wanted. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { toHex } from '../util/index.ts'
import { modelError } from './errors.ts'
import { BLOCK_BYTES, createVerityTree, encodeVeritySuperblock } from './verity.ts'

export interface MeasureOptions {
  /**
   * `has`: the file ends with its padding. `lacks`: it is as `tar` wrote it, and the padding is counted in: zeros up to the next
   * whole block, a whole block of them where the size was whole already.
   */
  readonly padding: 'has' | 'lacks'
  /** Where to write the tree that dm-verity needs beside the archive. */
  readonly treePath?: string
  readonly onProgress?: (readBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

export interface MeasuredArchive {
  /** Hex. */
  readonly rootHash: string
  readonly dataBlocks: number
  /** Of the file; padding that was counted in is not. */
  readonly fileBytes: number
}

/** Large enough for a disk, small enough to stop and to show progress. */
const READ_BYTES = 4 * 1024 * 1024

/** Throws `model.not-found`, `model.archive`, `model.stopped`. */
export async function measureArchive(path: string, options: MeasureOptions): Promise<MeasuredArchive> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw modelError('model.not-found', `The archive ${path} cannot be read.`, 'Check the path.', { path }, cause)
  })
  try {
    const { size } = await file.stat()
    if (size === 0) throw modelError('model.archive', `${path} is empty.`, 'Give the archive of a model.', { path })
    if (options.padding === 'has' && size % BLOCK_BYTES !== 0)
      throw modelError(
        'model.archive',
        `${path} has ${size} bytes, which are no whole blocks of ${BLOCK_BYTES}.`,
        'For a tar that was not padded yet, add --unpadded.',
        { path, bytes: size },
      )
    const dataBlocks = Math.floor(size / BLOCK_BYTES) + (options.padding === 'lacks' ? 1 : 0)
    const rootHash = await withTree(options.treePath, dataBlocks, (put) =>
      foldFile(file, size, dataBlocks, put, options),
    )
    return { rootHash: toHex(rootHash), dataBlocks, fileBytes: size }
  } finally {
    await file.close()
  }
}

type PutBlock = (position: number, block: Uint8Array) => void

/** Hash blocks are few (one in 128) and come out of order: they are written at once, each in its place. */
async function withTree<T>(
  path: string | undefined,
  dataBlocks: number,
  work: (put: PutBlock | undefined) => Promise<T>,
): Promise<T> {
  if (path === undefined) return work(undefined)
  const tree = openSync(path, 'w')
  try {
    const put: PutBlock = (position, block) => void writeSync(tree, block, 0, BLOCK_BYTES, position * BLOCK_BYTES)
    put(0, encodeVeritySuperblock(dataBlocks))
    return await work(put)
  } finally {
    closeSync(tree)
  }
}

async function foldFile(
  file: FileHandle,
  size: number,
  dataBlocks: number,
  onHashBlock: PutBlock | undefined,
  { onProgress, signal }: MeasureOptions,
): Promise<Uint8Array> {
  const tree = createVerityTree(dataBlocks, onHashBlock)
  const buffer = new Uint8Array(READ_BYTES)
  let at = 0
  while (at < size) {
    if (signal?.aborted === true) throw modelError('model.stopped', 'Stopped.', 'Run the command again.')
    const wanted = Math.min(READ_BYTES, size - at)
    const read = await readWhole(file, buffer.subarray(0, wanted), at)
    if (read < wanted) throw modelError('model.archive', 'The archive became shorter.', 'Let nobody write to it.')
    for (let from = 0; from < wanted; from += BLOCK_BYTES) tree.add(wholeBlock(buffer, from, wanted))
    at += wanted
    onProgress?.(at, size)
  }
  // Padding that is a block of its own.
  if (dataBlocks * BLOCK_BYTES - size >= BLOCK_BYTES) tree.add(new Uint8Array(BLOCK_BYTES))
  return tree.finish()
}

/** The last block may end early; zeros follow. */
function wholeBlock(buffer: Uint8Array, from: number, to: number): Uint8Array {
  if (to - from >= BLOCK_BYTES) return buffer.subarray(from, from + BLOCK_BYTES)
  const block = new Uint8Array(BLOCK_BYTES)
  block.set(buffer.subarray(from, to))
  return block
}

async function readWhole(file: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let read = 0
  while (read < into.length) {
    const { bytesRead } = await file.read(into, read, into.length - read, position + read)
    if (bytesRead === 0) break
    read += bytesRead
  }
  return read
}
