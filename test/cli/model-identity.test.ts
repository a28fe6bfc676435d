/** `cocoon model measure` and `check` as users run them. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cocoon, cocoonHome } from '../support/processes.ts'

let cocoon: Cocoon
let folder: string
beforeAll(async () => {
  cocoon = await cocoonHome()
  folder = join(cocoon.home, 'model')
  mkdirSync(folder)
  writeFileSync(join(folder, 'model.safetensors'), 'weights'.repeat(10_000))
})
afterAll(() => cocoon.close())

test('a folder is measured and written; its archive is the one that the name stands for, and no other', async () => {
  const [archive, tree] = [join(cocoon.home, 'model.tar'), join(cocoon.home, 'model.tree')]
  const measured = await cocoon.run([
    ...['model', 'measure', folder, '--name', 'owner/name@abc', '--archive', archive, '--tree', tree, '--json'],
  ])
  expect(measured).toMatchObject({ status: 0, stderr: '' })
  const { hash, name } = JSON.parse(measured.stdout) as { hash: string; name: string }
  expect(name).toBe(`owner/name@abc:${hash}`)
  expect(existsSync(tree)).toBe(true)

  const same = await cocoon.run(['model', 'check', archive, name])
  expect(same).toMatchObject({ status: 0, stdout: `the same  ${hash}\n` })
  writeFileSync(join(folder, 'model.safetensors'), 'weightz'.repeat(10_000))
  const other = await cocoon.run(['model', 'check', folder, name])
  expect(other.status).toBe(1)
  expect(other.stdout).toContain(`expected  ${hash}`)
})

test.each([
  ['a name without a commit', ['measure', 'FOLDER', '--name', 'owner/name'], 2, '--name must be model@commit'],
  ['no such file', ['measure', 'nowhere.tar'], 1, 'nowhere.tar cannot be read'],
  ['a name that is none', ['check', 'FOLDER', 'owner/name'], 1, 'is no name of a model'],
])('%s is refused with the reason', async (_, args, status, words) => {
  const ended = await cocoon.run(['model', ...args.map((arg) => (arg === 'FOLDER' ? folder : arg))])
  expect(ended.status).toBe(status)
  expect(ended.stderr).toContain(words)
})
