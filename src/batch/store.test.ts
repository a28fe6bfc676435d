import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type OpenedStore, openStore } from './open-store.ts'
import { outputLine } from './output-line.ts'
import { writeOutputs } from './outputs.ts'
import { NO_COST } from './progress.ts'
import type { Change } from './store.ts'

let folder: string
let opened: OpenedStore[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-batch-store-'))
  opened = []
})
afterEach(() => {
  for (const { store } of opened) store.close()
  rmSync(folder, { recursive: true, force: true })
})

const path = (): string => join(folder, 'client', 'batches.sqlite')
function open(at = path()): OpenedStore {
  const one = openStore(at)
  opened.push(one)
  return one
}
function close(): void {
  opened.pop()?.store.close()
}

const line = (seq: number) => ({
  seq,
  customId: `c${seq}`,
  model: seq % 2 === 0 ? 'even' : 'odd',
  at: seq * 10,
  bytes: 9,
})
const lines = (count: number): Change => ({
  put: 'lines',
  batch: 'b',
  lines: Array.from({ length: count }, (_, i) => line(i + 1)),
})
const sent = (seq: number): Change => ({
  put: 'sent',
  batch: 'b',
  seq,
  request: `r${seq}`,
  maxCostNano: 5n,
  sentMs: 7,
  sentTo: ['p:1'],
})
const answer = (seq: number, text = 'yes', isGood = true): Change => ({
  put: 'answer',
  batch: 'b',
  seq,
  isGood,
  cost: { costNano: 3n, unsettledNano: 1n },
  usage: { input: 1, cached: 0, output: 2, reasoning: 0 },
  output: Buffer.from(text),
})

describe('lines', () => {
  test('wait in their order and by their model, and those that have left or ended do not', () => {
    const { store } = open()
    store.apply([lines(6), sent(1), answer(3)])
    expect(store.pending('b', 'odd', 0, 9).map((one) => one.seq)).toEqual([5])
    expect(store.pending('b', 'even', 2, 9)).toMatchObject([
      { seq: 4, customId: 'c4', at: 40, bytes: 9, faults: 0 },
      { seq: 6 },
    ])
    expect(store.models('b')).toEqual(['even', 'odd'])
  })

  test('under way are known after a restart, with what they may have cost; costs of attempts add up', () => {
    const { store } = open()
    store.apply([lines(3), sent(1), sent(2)])
    store.apply([
      { put: 'waiting', batch: 'b', seq: 2, faults: 2, cost: { costNano: 2n, unsettledNano: 0n } },
      sent(2),
      answer(2),
    ])
    close()
    const { kept } = open()
    const attempt = { request: 'r1', model: 'odd', maxCostNano: 5n, sentMs: 7, sentTo: ['p:1'] }
    expect(kept.lost).toEqual([{ batch: 'b', seq: 1, customId: 'c1', faults: 0, ...attempt }])
    expect(kept.progress.get('b')).toMatchObject({ total: 3, completed: 1, failed: 0, costNano: 5n, unsettledNano: 1n })
  })

  test('of a file from before proxies were written down go on, and nobody is asked what they were charged', () => {
    const { store, db } = open()
    store.apply([lines(2), sent(1)])
    db.exec('ALTER TABLE line DROP COLUMN sent_ms; ALTER TABLE line DROP COLUMN sent_to; PRAGMA user_version = 1')
    close()
    const { kept, store: newer } = open()
    expect(kept.lost).toMatchObject([{ seq: 1, request: 'r1', maxCostNano: 5n, sentTo: null }])
    newer.apply([{ put: 'waiting', batch: 'b', seq: 1, faults: 0, cost: { costNano: 0n, unsettledNano: 5n } }, sent(1)])
    close()
    expect(open().kept.lost).toMatchObject([{ seq: 1, sentMs: 7, sentTo: ['p:1'] }])
  })

  test('that are answered keep their first answer', () => {
    const { store, db } = open()
    store.apply([lines(1), sent(1), answer(1, 'first')])
    store.apply([answer(1, 'second', false), { put: 'waiting', batch: 'b', seq: 1, faults: 0, cost: NO_COST }])
    expect(db.prepare('SELECT state, answer FROM line').get()).toMatchObject({
      state: 'completed',
      answer: new Uint8Array(Buffer.from('first')),
    })
  })

  test('cannot be entered twice: nothing of the group is', () => {
    const { store } = open()
    store.apply([lines(2)])
    expect(() => store.apply([{ put: 'lines', batch: 'b', lines: [line(3), line(2)] }])).toThrow(
      /batches could not be written/,
    )
  })
})

describe('a full disk', () => {
  test('refuses a group whole, and the same group passes when there is room', () => {
    const { store, db } = open()
    store.apply([lines(2), sent(1)])
    const pages = Number(Object.values(db.prepare('PRAGMA page_count').get() ?? {})[0])
    db.exec(`PRAGMA max_page_count = ${pages + 2}`)
    const large = answer(1, 'x'.repeat(200_000))
    expect(() => store.apply([large])).toThrow(expect.objectContaining({ code: 'capacity.batch-full' }))
    expect(db.prepare('SELECT state FROM line WHERE seq = 1').get()).toMatchObject({ state: 'sent' })
    db.exec('PRAGMA max_page_count = 100000')
    store.apply([large])
    expect(db.prepare('SELECT state FROM line WHERE seq = 1').get()).toMatchObject({ state: 'completed' })
  })

  test.runIf(existsSync('/dev/full'))('leaves nothing of an output behind', () => {
    const { store, db } = open()
    store.apply([lines(1), answer(1)])
    const to = join(folder, 'out')
    symlinkSync('/dev/full', `${to}.part`)
    const order = {
      batch: 'b',
      answersPath: to,
      failuresPath: join(folder, 'err'),
      unanswered: { code: 'c', message: 'm' },
    }
    expect(() => writeOutputs(db, order)).toThrow(expect.objectContaining({ code: 'capacity.batch-full' }))
    expect(readdirSync(folder)).toEqual(['client'])
    expect(writeOutputs(db, order)).toEqual({ answersBytes: 4, failuresBytes: null })
  })
})

test('outputs have every line once, in order, readable by the owner only; lines without an answer are told why', () => {
  const { store, db } = open()
  const good = (seq: number) =>
    Buffer.from(outputLine('b', seq, `c${seq}`, { response: { status: 200, request: 'r', body: Buffer.from('{}') } }))
  store.apply([
    lines(5),
    { ...answer(4), output: good(4) } as Change,
    { ...answer(2), output: good(2) } as Change,
    sent(3),
  ])
  const [answersPath, failuresPath] = [join(folder, 'out'), join(folder, 'err')]
  const sizes = writeOutputs(db, {
    batch: 'b',
    answersPath,
    failuresPath,
    unanswered: { code: 'batch_expired', message: 'late' },
  })
  const read = (file: string) =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { custom_id: string; error: { code: string } | null })
  expect(read(answersPath).map((one) => one.custom_id)).toEqual(['c2', 'c4'])
  expect(read(failuresPath).map((one) => [one.custom_id, one.error?.code])).toEqual([
    ['c1', 'batch_expired'],
    ['c3', 'batch_expired'],
    ['c5', 'batch_expired'],
  ])
  expect(sizes).toEqual({ answersBytes: statSync(answersPath).size, failuresBytes: statSync(failuresPath).size })
  if (process.platform !== 'win32') expect(statSync(answersPath).mode & 0o777).toBe(0o600)
})

describe('the file', () => {
  test('and its folder are the owner’s alone, and hold no answer once it was dropped', () => {
    const { store, db } = open()
    if (process.platform !== 'win32') {
      expect(statSync(path()).mode & 0o777).toBe(0o600)
      expect(statSync(join(folder, 'client')).mode & 0o777).toBe(0o700)
    }
    const secret = 'what-the-model-said-'.repeat(500)
    store.apply([lines(1), answer(1, secret)])
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    expect(readFileSync(path()).includes(secret.slice(0, 40))).toBe(true)
    store.apply([{ drop: 'lines', batch: 'b' }])
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    expect(readFileSync(path()).includes(secret.slice(0, 40))).toBe(false)
  })

  test('is held by one process at a time', () => {
    open()
    expect(() => openStore(path())).toThrow(expect.objectContaining({ code: 'config.batch-in-use' }))
  })

  test.each([
    ['garbage', () => writeFileSync(path(), 'x'.repeat(5000)), 'config.batch-corrupt'],
    [
      'another program’s',
      () => {
        const db = new DatabaseSync(path())
        db.exec('CREATE TABLE other (id INTEGER); PRAGMA application_id = 7')
        db.close()
      },
      'config.batch-corrupt',
    ],
    [
      'a newer version’s',
      () => {
        open()
        close()
        const db = new DatabaseSync(path())
        db.exec('PRAGMA user_version = 99')
        db.close()
      },
      'config.batch-newer',
    ],
    ['a folder', () => mkdirSync(path()), 'config.batch-unwritable'],
  ] as const)('that is %s is refused and left alone', (_, make, code) => {
    mkdirSync(join(folder, 'client'))
    make()
    expect(() => openStore(path())).toThrow(expect.objectContaining({ code }))
    expect(existsSync(path())).toBe(true)
  })

  test('in a place that is no folder is refused as unwritable', () => {
    writeFileSync(join(folder, 'client'), '')
    expect(() => openStore(path())).toThrow(expect.objectContaining({ code: 'config.batch-unwritable' }))
  })
})
