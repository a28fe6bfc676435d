/** Names of models and the hash of their archives, against what veritysetup 2.6.1 and dm-verity's own format say. */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { toHex } from '../util/index.ts'
import { measureArchive } from './archive.ts'
import { planFolderArchive } from './folder-archive.ts'
import { formatModelIdentity, modelRegistryHash, parseModelIdentity } from './identity.ts'
import { BLOCK_BYTES, createVerityTree, encodeVeritySuperblock } from './verity.ts'

/** Block i is 128 times the SHA-256 of i in four bytes, little-endian. */
function block(i: number): Uint8Array {
  const number = Buffer.alloc(4)
  number.writeUInt32LE(i)
  return new Uint8Array(Buffer.alloc(BLOCK_BYTES, createHash('sha256').update(number).digest()))
}

/** Blocks, root hash, SHA-256 of the tree's file: `veritysetup format` with the agreed salt and UUID. */
const KNOWN = [
  [
    1,
    '2de82478bc71e13c1c1c234c5773ff6b9bafdcc10406065707ce32d85d3ef7eb',
    '3e35a0050395ce5656db243999a2310e28076d4cd853cfbeedd430bd42f7caaf',
  ],
  [
    2,
    '0085d34e49c4a0e3c7612babb9b80b81d90d58748602d09c382ace92d425e489',
    '546cbda009b85dd87b45d1c62860db120f55e3762bc24170c05e1a6e909434f7',
  ],
  [
    128,
    'c3ed2d88dbcf7d5cc2d8c502a46f95a146e4d800ab4394cd50216c8972cde114',
    'cd07f1dff45ec6a0166ddbd43db45ec5b42003fc4b2bea71345e5c6159998a14',
  ],
  [
    129,
    '02c7e5be5efc8f4b084d2334e1adf2d3350406f5a3db1b030873ba96be16ca32',
    'ad25a1edd465e587d53f01a51dbb406049734ed89324ab6cd2ff26052750b41d',
  ],
  [
    300,
    'f2791b3f605afab4c2fe325de879efea3519f68e8ac388626fc81a432f03e11b',
    'f1060206218267a21cb488c544e140ee8e4604e1446867bd2096d19f34b063e7',
  ],
  [
    16385,
    '84dc3f601a7839b51cb815c409a9614e75a8a677de0fec9375f38e72cbee6ffa',
    '2aaaec87f8d701baf657cf5781e78be84f47272077a5a4ba3be8edae14366d3e',
  ],
] as const

test.each(KNOWN)('%d blocks have the root hash and the tree of veritysetup', (blocks, rootHash, treeHash) => {
  const written = new Map<number, Uint8Array>([[0, encodeVeritySuperblock(blocks)]])
  const tree = createVerityTree(blocks, (position, bytes) => written.set(position, Uint8Array.from(bytes)))
  for (let i = 0; i < blocks; i++) tree.add(block(i))
  expect(toHex(tree.finish())).toBe(rootHash)
  const hash = createHash('sha256')
  for (let position = 0; position < written.size; position++) hash.update(written.get(position) as Uint8Array)
  expect(hash.digest('hex')).toBe(treeHash)
})

describe('an archive on disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-archive-'))
  const archive = (name: string, ...parts: readonly Uint8Array[]): string => {
    const path = join(folder, name)
    writeFileSync(path, Buffer.concat(parts))
    return path
  }

  test('is measured in one pass, and its tree is written', async () => {
    const path = archive('300', ...Array.from({ length: 300 }, (_, i) => block(i)))
    const treePath = join(folder, 'tree')
    const seen: number[] = []
    const measured = await measureArchive(path, { padding: 'has', treePath, onProgress: (read) => seen.push(read) })
    expect(measured).toEqual({ rootHash: KNOWN[4][1], dataBlocks: 300, archiveBytes: 300 * BLOCK_BYTES })
    expect(createHash('sha256').update(readFileSync(treePath)).digest('hex')).toBe(KNOWN[4][2])
    expect(seen.at(-1)).toBe(300 * BLOCK_BYTES)
  })

  test.each([
    ['part of a block', 100, BLOCK_BYTES - 100],
    ['whole blocks', BLOCK_BYTES, BLOCK_BYTES],
  ])('without its padding, %s, is the same as with it', async (name, bytes, padding) => {
    const data = block(7).subarray(0, bytes)
    const [bare, padded] = [archive(`${name} bare`, data), archive(`${name} padded`, data, new Uint8Array(padding))]
    const { rootHash, dataBlocks } = await measureArchive(bare, { padding: 'lacks' })
    expect(await measureArchive(padded, { padding: 'has' })).toMatchObject({ rootHash, dataBlocks })
  })

  test.each([
    ['parts of a block', archive('odd', new Uint8Array(100)), 'model.archive'],
    ['nothing', archive('empty'), 'model.archive'],
    ['no file', join(folder, 'none'), 'model.not-found'],
  ])('%s is refused', async (_, path, code) => {
    await expect(measureArchive(path, { padding: 'has' })).rejects.toMatchObject({ code })
  })

  test('a stopped measurement gives no hash', async () => {
    const path = archive('stopped', block(0))
    const measured = measureArchive(path, { padding: 'has', signal: AbortSignal.abort() })
    await expect(measured).rejects.toMatchObject({ code: 'model.stopped' })
  })
})

describe('a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-model-'))
  const put = (name: string, content: string, mode = 0o644): void => {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), content)
    chmodSync(join(folder, name), mode)
  }
  put('config.json', 'hello', 0o600)
  put('run.sh', '#!/bin/sh\n', 0o750)
  put('model.safetensors', 'x'.repeat(5000))
  put('empty', '')
  put('a/x', '1')
  put('a.b/y', '2')
  put('a-c', '3')
  put('sub/deep/z', '4')
  put('n'.repeat(120), '5')
  put(`d1/${'m'.repeat(98)}`, '6')
  mkdirSync(join(folder, 'emptydir'))
  put('.cache/huggingface/download', 'left out')

  const TAR = '0936336ea0431796ddd1fc2be99ad2255a5c9085df82d4fdb72a6fa8eda6a85f'

  test('becomes the archive that GNU tar 1.34 writes with the agreed options, byte by byte', async () => {
    const { bytes, chunks } = planFolderArchive(folder)
    const hash = createHash('sha256')
    let count = 0
    for await (const chunk of chunks()) {
      hash.update(chunk)
      count += chunk.length
    }
    expect(count).toBe(bytes)
    expect(bytes).toBe(30_720)
    expect(hash.digest('hex')).toBe(TAR)
  })

  test('has the hash of that archive, which is written with its padding', async () => {
    const archivePath = join(mkdtempSync(join(tmpdir(), 'cocoon-archive-')), 'model.tar')
    const measured = await measureArchive(folder, { padding: 'has', archivePath })
    expect(measured).toMatchObject({ archiveBytes: 30_720, dataBlocks: 8 })
    const written = readFileSync(archivePath)
    expect(written).toHaveLength(8 * BLOCK_BYTES)
    expect(createHash('sha256').update(written.subarray(0, 30_720)).digest('hex')).toBe(TAR)
    expect((await measureArchive(archivePath, { padding: 'has' })).rootHash).toBe(measured.rootHash)
  })

  test('with a file of 8 GiB says its size as GNU tar does', async () => {
    const large = mkdtempSync(join(tmpdir(), 'cocoon-model-'))
    writeFileSync(join(large, 'f'), '')
    truncateSync(join(large, 'f'), 2 ** 33)
    const chunks = planFolderArchive(large).chunks()
    await chunks.next()
    const { value } = await chunks.next()
    await chunks.return(undefined)
    const text = Buffer.from(value as Uint8Array).toString('latin1')
    expect(text).toHaveLength(3 * 512)
    expect(text.slice(0, 14)).toBe('./PaxHeaders/f')
    expect(text.slice(148, 157)).toBe('010401\0 x')
    expect(text.slice(512, 531)).toBe('19 size=8589934592\n')
    expect(text.slice(1024 + 124, 1024 + 136)).toBe('00000000000\0')
    expect(text.slice(1024 + 148, 1024 + 157)).toBe('007500\0 0')
  })

  test.each([
    ['a symbolic link', (at: string): void => symlinkSync('x', join(at, 'link'))],
    ['a name that is not ASCII', (at: string): void => writeFileSync(join(at, 'ü'), '')],
    ['a hard link', (at: string): void => linkSync(join(at, 'file'), join(at, 'same'))],
  ])('with %s is refused', (_, spoil) => {
    const at = mkdtempSync(join(tmpdir(), 'cocoon-model-'))
    writeFileSync(join(at, 'file'), 'x')
    expect(() => planFolderArchive(at)).not.toThrow()
    spoil(at)
    expect(() => planFolderArchive(at)).toThrow(expect.objectContaining({ code: 'model.archive' }))
  })
})

describe('the name of a model', () => {
  const HASH = KNOWN[0][1]

  test('has three parts, and comes out as it went in', () => {
    const name = `Qwen/Qwen3-8B@b968826d9c46dd6066d109eabc6255188de91218:${HASH}`
    const identity = parseModelIdentity(name)
    expect(identity).toEqual({ model: 'Qwen/Qwen3-8B', commit: 'b968826d9c46dd6066d109eabc6255188de91218', hash: HASH })
    expect(formatModelIdentity(identity)).toBe(name)
    expect(modelRegistryHash(identity)).toBe(createHash('sha256').update(name).digest('hex'))
  })

  test.each([
    ['', 'empty'],
    [`m@c:${HASH.toUpperCase()}`, 'upper-case digits'],
    [`m:${HASH}`, 'no commit'],
    ['m@c', 'no hash'],
    [`m n@c:${HASH}`, 'a space'],
    [`m@c:${HASH} `, 'something behind'],
    [`${'m'.repeat(600)}@c:${HASH}`, 'too long'],
  ])('"%s" is refused: %s', (text) => {
    expect(() => parseModelIdentity(text)).toThrow(expect.objectContaining({ code: 'model.identity' }))
  })
})
