import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createDurableFile, openDurableFile } from './durable-file.ts'

/** A disk that takes as long as it is told to, and says who waited for it. */
function slowDisk() {
  let nowMs = 0
  const disk = { takesMs: 0.2, waits: [] as ('loop' | 'pool')[] }
  const file = createDurableFile({
    nowMs: () => nowMs,
    writeNow() {
      disk.waits.push('loop')
      nowMs += disk.takesMs
    },
    async writeElsewhere() {
      disk.waits.push('pool')
      nowMs += disk.takesMs
    },
    close: () => undefined,
  })
  const write = async (times: number): Promise<('loop' | 'pool')[]> => {
    disk.waits = []
    for (let i = 0; i < times; i++) await file.write(new Uint8Array(1), 0)
    return disk.waits
  }
  return { disk, write }
}

test('a disk that has shown to be quick is waited for where one is', async () => {
  const { write } = slowDisk()
  await write(20)
  expect(new Set(await write(100))).toEqual(new Set(['loop']))
})

test('the event loop never waits for a slow disk, and waits for one that became slow only once or twice', async () => {
  const { disk, write } = slowDisk()
  disk.takesMs = 3
  expect(new Set(await write(100))).toEqual(new Set(['pool']))
  disk.takesMs = 0.2
  await write(100)
  disk.takesMs = 20
  expect((await write(100)).filter((where) => where === 'loop')).toHaveLength(1)
  disk.takesMs = 0.2
  await write(100)
  expect(new Set(await write(10))).toEqual(new Set(['loop']))
})

test('bytes land where they belong, one way or the other, and nothing else changes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-durable-'))
  const path = join(folder, 'file')
  writeFileSync(path, Buffer.alloc(1000))
  const file = openDurableFile(path)
  const expected = Buffer.alloc(1000)
  for (let i = 0; i < 100; i++) {
    await file.write(Uint8Array.of(i, i, i), i * 7)
    expected.fill(i, i * 7, i * 7 + 3)
  }
  file.close()
  expect(readFileSync(path).equals(expected)).toBe(true)
  await expect(file.write(Uint8Array.of(1), 0)).rejects.toMatchObject({ code: 'EBADF' })
  rmSync(folder, { recursive: true })
})
