import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { manualClock, seededRandom, silentLog } from '../util/index.ts'
import { genesis } from './chain.ts'
import { decodeLine, encodeLine } from './lines.ts'
import { openStore } from './store.ts'

const RECORD = { is: 'time', aheadMs: 1 } as const

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'devnet-store-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const open = (folder: string, syncToDisk = false) =>
  openStore(folder, { syncToDisk }, { log: silentLog, random: seededRandom(1) })

test('a line is read back, and one with any byte changed is not', () => {
  const line = encodeLine({ is: 'external', boc: 'te6cc' })
  expect(decodeLine(line.trimEnd())).toEqual({ is: 'external', boc: 'te6cc' })
  for (let i = 0; i < line.length - 1; i++) {
    const changed = `${line.slice(0, i)}${line[i] === 'x' ? 'y' : 'x'}${line.slice(i + 1, -1)}`
    expect(decodeLine(changed)).toBe(undefined)
  }
})

test.each([false, true])(
  'what was appended since the last snapshot is recovered in order (synced: %s)',
  async (synced) => {
    const folder = newFolder()
    const store = open(folder, synced)
    expect(await store.recover()).toBe(null)
    const state = genesis(manualClock())
    await store.begin(state)
    for (let i = 0; i < 5; i++) store.append({ ...RECORD, aheadMs: i })
    await store.close()
    const again = open(folder)
    const found = await again.recover()
    expect(found?.since.map((r) => (r.is === 'time' ? r.aheadMs : null))).toEqual([0, 1, 2, 3, 4])
    expect(found?.state.blocks[0]?.hash).toBe(state.blocks[0]?.hash)
    await again.close()
  },
)

test('a snapshot cut short by death is passed over for the one before, with every journal since', async () => {
  const folder = newFolder()
  const store = open(folder)
  await store.begin(genesis(manualClock()))
  store.append({ ...RECORD, aheadMs: 1 })
  // What a process leaves that died while it wrote the second snapshot.
  const { state } = { state: genesis(manualClock()) }
  const before = readFileSync(join(folder, 'snapshot.0'))
  const old = readFileSync(join(folder, 'journal.0'))
  await store.begin(state)
  store.append({ ...RECORD, aheadMs: 2 })
  await store.close()
  expect(readdirSync(folder).toSorted()).toEqual(['id', 'journal.1', 'snapshot.1'])
  rmSync(join(folder, 'snapshot.1'))
  writeFileSync(join(folder, 'snapshot.0'), before)
  writeFileSync(join(folder, 'journal.0'), old)
  writeFileSync(join(folder, 'snapshot.1.tmp'), before.subarray(0, 10))

  const again = open(folder)
  const found = await again.recover()
  expect(found?.since.map((r) => (r.is === 'time' ? r.aheadMs : null))).toEqual([1, 2])
  await again.close()
  expect(readdirSync(folder)).not.toContain('snapshot.1.tmp')
})

test('nothing is appended before the first snapshot and after the end', async () => {
  const store = open(newFolder())
  const refused = expect.objectContaining({ code: 'chain.devnet-store' })
  expect(() => store.append(RECORD)).toThrow(refused)
  await store.begin(genesis(manualClock()))
  store.append(RECORD)
  expect(store.journalBytes()).toBe(encodeLine(RECORD).length)
  await store.close()
  expect(() => store.append(RECORD)).toThrow(refused)
})

test('a folder whose owner lives is refused, one whose owner is gone is taken over', async () => {
  const folder = newFolder()
  const store = open(folder)
  expect(() => open(folder)).toThrow(expect.objectContaining({ code: 'config.devnet-locked' }))
  await store.close()
  for (const gone of ['999999999 1', `${process.pid} 1`, 'nonsense', '']) {
    writeFileSync(join(folder, 'lock'), gone)
    await open(folder).close()
  }
})

test('a chain keeps its id for as long as its folder is there, and the next one in the folder has another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'devnet-id-'))
  const openAs = (seed: number) =>
    openStore(folder, { syncToDisk: false }, { log: silentLog, random: seededRandom(seed) })
  const first = openAs(1)
  await first.close()
  const again = openAs(2)
  expect(again.id).toBe(first.id)
  await again.close()
  rmSync(folder, { recursive: true })
  const next = openAs(2)
  expect(next.id).not.toBe(first.id)
  await next.close()
  rmSync(folder, { recursive: true })
})
