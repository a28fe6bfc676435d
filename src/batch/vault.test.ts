import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { utf8 } from '../util/index.ts'
import { openVault } from './vault.ts'

const ID = `file-${'a'.repeat(32)}`
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-vault-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a file has its name when it is whole, and only its owner reads it', async () => {
  const vault = openVault(join(folder, 'files'), new Set())
  const upload = await vault.begin(ID)
  await upload.write(utf8('hello '))
  await upload.write(utf8('world'))
  expect(vault.has(ID)).toBe(false)
  await upload.finish()
  expect([vault.has(ID), upload.bytes]).toEqual([true, 11])
  const file = await vault.read(ID)
  expect((await file.at(6, 100)).toString()).toBe('world')
  await file.close()
  if (process.platform !== 'win32') {
    expect(statSync(vault.pathOf(ID)).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'files')).mode & 0o777).toBe(0o700)
  }
  await vault.remove(ID)
  expect(readdirSync(join(folder, 'files'))).toEqual([])
})

test('an upload that is given up leaves nothing', async () => {
  const vault = openVault(folder, new Set())
  const upload = await vault.begin(ID)
  await upload.write(utf8('hello'))
  await upload.discard()
  expect(readdirSync(folder)).toEqual([])
})

test('what no record knows is deleted at the start: remainders of a process that died', () => {
  const known = `file-${'b'.repeat(32)}`
  for (const name of [known, ID, `${known}.part`, 'anything']) writeFileSync(join(folder, name), 'x')
  openVault(folder, new Set([known]))
  expect(readdirSync(folder)).toEqual([known])
})

test.each(['../keys/admin.key', 'file-../../x', '', `${ID}/..`])('an id like %j reaches no file', (id) => {
  const vault = openVault(folder, new Set())
  expect(() => vault.pathOf(id)).toThrow(expect.objectContaining({ code: 'bug.file-id' }))
})

test('a file that was lost from the disk is said to be gone', async () => {
  const vault = openVault(folder, new Set())
  await expect(vault.read(ID)).rejects.toMatchObject({ code: 'request.file-gone' })
})

test('a place that is no folder is refused', () => {
  writeFileSync(join(folder, 'files'), '')
  expect(() => openVault(join(folder, 'files'), new Set())).toThrow(
    expect.objectContaining({ code: 'config.batch-unwritable' }),
  )
})
