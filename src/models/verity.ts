/**
 * The dm-verity tree over an archive: every block of 4096 bytes is hashed with a salt, 128 hashes make a block of the next
 * level, until one is left, whose hash is the root. One pass, a block per level in memory. Source: spec/model-identity.md; the
 * format is that of the Linux kernel's dm-verity, version 1.
 */
import { hash } from 'node:crypto'
import { fromHex } from '../util/index.ts'

export const BLOCK_BYTES = 4096
const HASH_BYTES = 32
const HASHES_PER_BLOCK = BLOCK_BYTES / HASH_BYTES
/** Agreed on, so that the same archive has the same hash everywhere. */
const SALT = fromHex('00010203040506070809101a1b1c1d1e1f')
const UUID = fromHex('645ac31f761042e184349d733699eac0')

export interface VerityTree {
  /** The next block of the archive, in order. */
  add(block: Uint8Array): void
  /** The root hash, 32 bytes, when all blocks were added. */
  finish(): Uint8Array
}

interface Level {
  readonly block: Uint8Array
  filled: number
  /** Number of the next block of this level in the tree's file; the superblock is number 0. */
  next: number
}

/** @param onHashBlock for who writes the tree: number of the block in the tree's file, and its bytes (read them at once) */
export function createVerityTree(
  dataBlocks: number,
  onHashBlock: (position: number, block: Uint8Array) => void = () => {},
): VerityTree {
  const levels: Level[] = startsOf(dataBlocks).map((next) => ({ block: new Uint8Array(BLOCK_BYTES), filled: 0, next }))
  const salted = new Uint8Array(SALT.length + BLOCK_BYTES)
  salted.set(SALT)
  let root = new Uint8Array(HASH_BYTES)
  const digest = (block: Uint8Array): Uint8Array => {
    salted.set(block, SALT.length)
    return hash('sha256', salted, 'buffer')
  }
  const push = (index: number, value: Uint8Array): void => {
    const level = levels[index]
    if (level === undefined) {
      root = Uint8Array.from(value)
      return
    }
    level.block.set(value, level.filled * HASH_BYTES)
    level.filled += 1
    if (level.filled === HASHES_PER_BLOCK) flush(index, level)
  }
  const flush = (index: number, level: Level): void => {
    if (level.filled === 0) return
    onHashBlock(level.next, level.block)
    const value = digest(level.block)
    level.next += 1
    level.filled = 0
    level.block.fill(0)
    push(index + 1, value)
  }
  return {
    add: (block) => push(0, digest(block)),
    finish() {
      for (const [index, level] of levels.entries()) flush(index, level)
      return root
    },
  }
}

/** Number of the first block of each level, lowest level first. The file has the top level in front. */
function startsOf(dataBlocks: number): number[] {
  const sizes: number[] = []
  for (let blocks = dataBlocks; blocks > 1; ) {
    blocks = Math.ceil(blocks / HASHES_PER_BLOCK)
    sizes.push(blocks)
  }
  let at = 1
  const starts: number[] = []
  for (const size of sizes.toReversed()) {
    starts.unshift(at)
    at += size
  }
  return starts
}

/** The first block of the tree's file. It is not hashed: who checks an archive must know what it says. */
export function encodeVeritySuperblock(dataBlocks: number): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES)
  const view = new DataView(block.buffer)
  block.set(new TextEncoder().encode('verity'))
  view.setUint32(8, 1, true) // version
  view.setUint32(12, 1, true) // hash type
  block.set(UUID, 16)
  block.set(new TextEncoder().encode('sha256'), 32)
  view.setUint32(64, BLOCK_BYTES, true)
  view.setUint32(68, BLOCK_BYTES, true)
  view.setBigUint64(72, BigInt(dataBlocks), true)
  view.setUint16(80, SALT.length, true)
  block.set(SALT, 88)
  return block
}
