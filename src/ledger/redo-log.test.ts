import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { type CocoonError, manualClock, seededRandom } from '../util/index.ts'
import { ledgerError } from './errors.ts'
import { type OpenedStore, openStore } from './open-store.ts'
import { createRedoFile, createRedoLog, type RedoLog } from './redo-log.ts'
import { encodeRedo, readRedo, type RedoRecord } from './redo-record.ts'
import { type Group, REQUEST_ID_BYTES } from './store.ts'

const CONTRACT = '0:ab'
const OPENING = 1n

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})
const freshFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-redo-'))
  folders.push(folder)
  return folder
}

const open = (path: string): OpenedStore => openStore({ path, contract: CONTRACT, keepEntries: 1000 }, () => undefined)

/** One settlement of so many tokens; the first one opens the accounts. */
const groupOf = (tokens: bigint, isFirst = false): Group => ({
  created: isFirst
    ? [
        { id: 1n, role: 'client', owner: '0:c', funds: { balanceNano: 1n, stakeNano: 1n, scTokensUsed: 0n } },
        { id: 2n, role: 'worker', owner: '0:w', funds: null },
      ]
    : [],
  facts: [[`note ${tokens}`, 'here'], ...(tokens === 3n ? [['note 2', null] as const] : [])],
  marks: tokens % 4n === 0n ? BigInt64Array.from([1n, tokens / 2n]) : new BigInt64Array(),
  entries: BigInt64Array.from([0n, 1n, 2n, tokens, 0n, 0n, 0n, tokens]),
  requestIds: new Uint8Array(REQUEST_ID_BYTES).fill(Number(tokens)),
  growth: BigInt64Array.from([1n, tokens, 2n, tokens]),
})

/** Settlements of 1, 2, 3 … tokens, numbered as the writes behind the opening. */
const recordsUpTo = (count: number): RedoRecord[] =>
  Array.from({ length: count }, (_, i) => ({ number: OPENING + BigInt(i + 1), group: groupOf(BigInt(i + 1), i === 0) }))

const sumUpTo = (n: bigint): bigint => (n * (n + 1n)) / 2n

/** An empty ledger that was opened once, beside which lies a redo log with these bytes. */
function ledgerWith(log: Uint8Array): string {
  const path = join(freshFolder(), 'ledger.sqlite')
  open(path).store.close()
  writeFileSync(`${path}.redo`, log)
  return path
}

const totalIn = ({ accounts }: OpenedStore): bigint => accounts.find(({ role }) => role === 'client')?.total ?? 0n

describe('records', () => {
  test('say what was written, whatever is in the group', () => {
    const records = recordsUpTo(8)
    const bytes = Buffer.concat(records.map((record) => encodeRedo(CONTRACT, record)))
    const { records: found, ...rest } = readRedo(CONTRACT, bytes, OPENING)
    expect(found.map(({ number, group }) => ({ number, group }))).toEqual(records)
    expect(rest).toEqual({ isAhead: false, isDamaged: false })
  })

  test('of another contract are nothing', () => {
    const bytes = encodeRedo('0:cd', recordsUpTo(1)[0] as RedoRecord)
    expect(readRedo(CONTRACT, bytes, OPENING)).toEqual({ records: [], isAhead: false, isDamaged: false })
  })

  test('that the database has already are not given again', () => {
    const bytes = Buffer.concat(recordsUpTo(5).map((record) => encodeRedo(CONTRACT, record)))
    expect(readRedo(CONTRACT, bytes, OPENING + 3n).records.map(({ number }) => number)).toEqual([5n, 6n])
    expect(readRedo(CONTRACT, bytes, OPENING + 5n).records).toEqual([])
  })

  test('of before the log was begun again are no continuation', () => {
    const old = Buffer.concat(recordsUpTo(5).map((record) => encodeRedo(CONTRACT, record)))
    const fresh = encodeRedo(CONTRACT, { number: OPENING + 6n, group: groupOf(6n) })
    old.set(fresh, 0)
    expect(readRedo(CONTRACT, old, OPENING + 5n).records.map(({ number }) => number)).toEqual([7n])
  })

  test('with any byte changed end the log, or are known to be missing from its middle', () => {
    const parts = recordsUpTo(4).map((record) => encodeRedo(CONTRACT, record))
    const bytes = Buffer.concat(parts)
    const lastBegins = bytes.length - (parts.at(-1)?.length ?? 0)
    const random = seededRandom(1)
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes)
      damaged[at] = (damaged[at] as number) ^ (1 + Math.floor(random.fraction() * 255))
      const { records, isDamaged } = readRedo(CONTRACT, damaged, OPENING)
      expect(records.length).toBeLessThan(4)
      expect(isDamaged, `byte ${at}`).toBe(at < lastBegins)
    }
  })
})

describe('opening the ledger after a crash', () => {
  test('takes over whatever of the log was written, cut at any byte', () => {
    const parts = recordsUpTo(6).map((record) => encodeRedo(CONTRACT, record))
    const bytes = Buffer.concat(parts)
    const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((n, part) => n + part.length, 0))
    const cuts = ends.flatMap((end) => [end - 100, end - 1, end, end + 1, end + 47]).filter((n) => n <= bytes.length)
    for (const cut of [0, ...cuts])
      for (const behind of [0, 0xff]) {
        const log = Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(500, behind)])
        const path = ledgerWith(log)
        const opened = open(path)
        // Records end with zeros that fill them up: one that misses only those is whole.
        const whole = BigInt(ends.filter((end) => log.subarray(0, end).equals(bytes.subarray(0, end))).length)
        expect(totalIn(opened)).toBe(sumUpTo(whole))
        expect(opened.newest).toBe(OPENING + whole + 1n)
        opened.store.close()
        const again = open(path)
        expect(totalIn(again)).toBe(sumUpTo(whole))
        again.store.close()
      }
  })

  test('adds nothing twice, however much of it the database had taken over', () => {
    const path = join(freshFolder(), 'ledger.sqlite')
    const records = recordsUpTo(6)
    const { store } = open(path)
    const copies = ['0']
    cpSync(path, `${path}-0`)
    if (statSync(`${path}-wal`).size > 0) cpSync(`${path}-wal`, `${path}-wal-0`)
    for (const { number, group } of records) {
      store.append([group], number)
      cpSync(path, `${path}-${number}`)
      cpSync(`${path}-wal`, `${path}-wal-${number}`)
      copies.push(String(number))
    }
    store.close()
    const log = Buffer.concat(records.map((record) => encodeRedo(CONTRACT, record)))
    for (const copy of copies) {
      const at = join(freshFolder(), 'ledger.sqlite')
      cpSync(`${path}-${copy}`, at)
      cpSync(`${path}-wal-${copy}`, `${at}-wal`)
      cpSync(`${path}.witness`, `${at}.witness`)
      writeFileSync(`${at}.redo`, log)
      const opened = open(at)
      expect(totalIn(opened), `the database at write ${copy}`).toBe(sumUpTo(6n))
      expect(opened.entries).toBe(6n)
      expect(Object.fromEntries(opened.facts)).toMatchObject({ 'note 6': 'here' })
      expect(Object.fromEntries(opened.facts)).not.toHaveProperty('note 2')
      opened.store.close()
    }
  })

  test.each([
    ['a log that goes on where the database is not', () => encodeRedo(CONTRACT, { number: 9n, group: groupOf(1n) })],
    [
      'a log whose middle is damaged',
      () => {
        const bytes = Buffer.concat(recordsUpTo(3).map((record) => encodeRedo(CONTRACT, record)))
        return bytes.fill(0x5a, 60, 70)
      },
    ],
  ])('refuses %s, until the operator accepts the loss; then it cannot come back', (_, log) => {
    const path = ledgerWith(log())
    const refusal = expect.objectContaining({
      code: 'config.ledger-rolled-back',
      message: expect.stringMatching(/redo log .*accept-rollback/s),
    })
    expect(() => open(path)).toThrowError(refusal)
    writeFileSync(`${path}.accept-rollback`, '')
    const opened = open(path)
    expect(totalIn(opened)).toBe(0n)
    expect(opened.notes).toEqual([expect.stringContaining('accepted although')])
    opened.store.close()
    expect(readFileSync(`${path}.redo`).every((byte) => byte === 0)).toBe(true)
  })

  test('says that the ledger cannot be written where the disk has no room for it, and takes it over when there is room', () => {
    const log = Buffer.concat(recordsUpTo(3).map((record) => encodeRedo(CONTRACT, record)))
    const path = ledgerWith(log)
    const options = { path, contract: CONTRACT, keepEntries: 1000 }
    const full = (name: string, db: DatabaseSync): void => {
      if (name === 'after the marks') db.exec(`INSERT INTO ballast VALUES (1, zeroblob(1000000))`)
      if (name === 'before') db.exec('PRAGMA max_page_count = 40')
    }
    expect(() => openStore(options, full)).toThrowError(expect.objectContaining({ code: 'config.ledger-unwritable' }))
    const opened = open(path)
    expect(totalIn(opened)).toBe(sumUpTo(3n))
    opened.store.close()
  })

  test('refuses a ledger with settlements and without its log', () => {
    const path = ledgerWith(encodeRedo(CONTRACT, recordsUpTo(1)[0] as RedoRecord))
    open(path).store.close()
    rmSync(`${path}.redo`)
    const code = 'config.ledger-rolled-back'
    expect(() => open(path)).toThrowError(
      expect.objectContaining({ code, message: expect.stringContaining('is gone') }),
    )
  })
})

describe('the running log', () => {
  /** A log whose database takes what it is given when told to, or fails. */
  function running() {
    const path = join(freshFolder(), 'ledger.sqlite')
    mkdirSync(join(path, '..'), { recursive: true })
    createRedoFile(path)
    const clock = manualClock()
    const database = { taken: [] as bigint[], newest: OPENING, calls: 0, refuses: null as CocoonError | null }
    const failures: CocoonError[] = []
    const log = createRedoLog(clock, {
      path,
      contract: CONTRACT,
      newest: OPENING,
      async store(groups, newest) {
        database.calls++
        if (database.refuses !== null) throw database.refuses
        database.taken.push(...groups.map(({ entries }) => entries[3] as bigint))
        database.newest = newest
      },
      failed: (why) => void failures.push(why),
      step: () => undefined,
    })
    return { path, clock, database, failures, log }
  }
  const appendUpTo = async (log: RedoLog, count: bigint, from = 1n): Promise<void> => {
    for (let i = from; i <= count; i++) await log.append(groupOf(i))
  }
  const full = ledgerError('capacity.ledger-full', 'full')

  test('has the database take groups together, in their order, a moment later', async () => {
    const { clock, database, log } = running()
    await appendUpTo(log, 5n)
    expect(database.calls).toBe(0)
    clock.advance(50)
    await log.flush()
    expect(database).toMatchObject({ calls: 1, taken: [1n, 2n, 3n, 4n, 5n], newest: OPENING + 5n })
    log.close()
  })

  test('keeps what the database refuses, tells why, and gives it again in order with what came later', async () => {
    const { path, clock, database, failures, log } = running()
    database.refuses = full
    await appendUpTo(log, 2n)
    clock.advance(50)
    await expect(log.flush()).rejects.toBe(full)
    await appendUpTo(log, 3n, 3n)
    expect(failures).toEqual([full])
    expect(readRedo(CONTRACT, readFileSync(`${path}.redo`), OPENING).records).toHaveLength(3)
    database.refuses = null
    await log.flush()
    expect(database).toMatchObject({ taken: [1n, 2n, 3n], newest: OPENING + 3n })
    log.close()
  })

  test('begins again at its start when it is full, and holds at any time what the database has not taken', async () => {
    const { path, clock, database, log } = running()
    /** Four hundred kilobytes. */
    const large = { ...groupOf(1n), facts: [['large', 'x'.repeat(400_000)] as const] }
    for (let i = 0; i < 30; i++) {
      await log.append(large)
      if (i % 7 === 0) clock.advance(50)
      const { newest } = database
      const { records, isAhead, isDamaged } = readRedo(CONTRACT, readFileSync(`${path}.redo`), newest)
      expect({ isAhead, isDamaged }).toEqual({ isAhead: false, isDamaged: false })
      expect(newest + BigInt(records.length)).toBe(OPENING + BigInt(i + 1))
    }
    await log.flush()
    expect(database.taken).toHaveLength(30)
    log.close()
  })

  test('refuses when it is full and the database takes nothing', async () => {
    const { database, log } = running()
    database.refuses = full
    const large = { ...groupOf(1n), facts: [['large', 'x'.repeat(1_500_000)] as const] }
    await log.append(large)
    await log.append(large)
    await expect(log.append(large)).rejects.toBe(full)
    database.refuses = null
    await log.append(large)
    await log.flush()
    expect(database.taken).toHaveLength(3)
    log.close()
  })

  test('gives a group that is larger than itself to the database at once', async () => {
    const { database, log } = running()
    await log.append(groupOf(1n))
    await log.append({ ...groupOf(2n), facts: [['large', 'x'.repeat(5_000_000)]] })
    expect(database).toMatchObject({ taken: [1n, 2n], newest: OPENING + 2n })
    await log.append(groupOf(3n))
    await log.flush()
    expect(database).toMatchObject({ taken: [1n, 2n, 3n], newest: OPENING + 3n })
    log.close()
  })

  test('takes nothing more after its file failed', async () => {
    const { log } = running()
    await log.append(groupOf(1n))
    log.close()
    await expect(log.append(groupOf(2n))).rejects.toMatchObject({ code: 'capacity.ledger-failed' })
    await expect(log.append(groupOf(3n))).rejects.toMatchObject({ code: 'capacity.ledger-failed' })
  })
})
