import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { createRecordingLog } from '../../test/support/recording-log.ts'
import { noMetrics, silentLog, systemClock } from '../util/index.ts'
import {
  type ClientFunds,
  createSqliteLedger,
  type DurableLedger,
  type Hold,
  type Ledger,
  NO_TOKENS,
  type SqliteLedgerOptions,
} from './index.ts'
import { createFaults, FAULT } from './faults.ts'
import { ledgerSuite } from './ledger.suite.ts'

const CONTRACT = `0:${'ab'.repeat(32)}`
const RICH: ClientFunds = { balanceNano: 10n ** 15n, stakeNano: 10n ** 15n, scTokensUsed: 0n }

const opened: DurableLedger[] = []
const folders: string[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((ledger) => ledger.close()))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function freshPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-ledger-'))
  folders.push(folder)
  return join(folder, 'proxy', 'ledger.sqlite')
}

async function open(path: string, options: Partial<SqliteLedgerOptions> = {}, log = silentLog): Promise<DurableLedger> {
  const deps = { clock: systemClock, log, metrics: noMetrics }
  const ledger = await createSqliteLedger(deps, { path, contract: CONTRACT, pricePerToken: 1n, ...options })
  opened.push(ledger)
  return ledger
}

/** Settles so many tokens of 0:c for 0:w. */
async function charge(ledger: Ledger, tokens: bigint, requestId?: Uint8Array): Promise<void> {
  ledger.openClient('0:c', RICH)
  ledger.openWorker('0:w')
  const hold = ledger.reserve('0:c', tokens) as Hold
  await ledger.settle(hold, '0:w', { ...NO_TOKENS, completion: tokens, total: tokens }, requestId)
}

/** A closed ledger with these settlements. */
async function written(path: string, ...amounts: bigint[]): Promise<void> {
  const ledger = await open(path)
  for (const tokens of amounts) await charge(ledger, tokens)
  await ledger.close()
}

/** Another program's hands on the file. */
function tamper(path: string, sql: string): void {
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
}

function rows(path: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(path)
  const all = db.prepare(sql).all()
  db.close()
  return all
}

test('facts and commitments outlive the process together with the totals they belong to', async () => {
  const path = freshPath()
  const ledger = await open(path)
  await charge(ledger, 40n)
  await ledger.remember({ cursor: '77' })
  await ledger.commit({ clients: new Map([['0:c', 25n]]), workers: new Map() })
  await ledger.close()
  const again = await open(path)
  expect(again.fact('cursor')).toBe('77')
  expect(again.client('0:c')?.totals).toEqual({ max: 40n, db: 40n, chain: 25n })
  expect(again.worker('0:w')?.totals.chain).toBe(0n)
})

test('a ledger of the format without facts is opened, and keeps facts from then on', async () => {
  const path = freshPath()
  await written(path, 5n)
  tamper(path, 'DROP TABLE fact; PRAGMA user_version = 1')
  const ledger = await open(path)
  expect(ledger.client('0:c')?.totals.max).toBe(5n)
  await ledger.remember({ cursor: '1' })
  await ledger.close()
  expect((await open(path)).fact('cursor')).toBe('1')
})

describe('the ledger on SQLite', () => ledgerSuite((options) => open(freshPath(), options), { runs: 15 }))

describe('after a restart', () => {
  test('totals are there again, and holds are not', async () => {
    const path = freshPath()
    const first = await open(path)
    await charge(first, 40n)
    await first.commit()
    await charge(first, 2n)
    first.reserve('0:c', 100n)
    await first.close()

    const second = await open(path)
    const totals = { max: 42n, db: 42n, chain: 40n }
    expect(second.client('0:c')).toMatchObject({ totals, reserved: 0n, running: 0, funds: RICH })
    expect(second.worker('0:w')).toEqual({ owner: '0:w', totals })
    await second.commit()
    expect(second.worker('0:w')?.totals.chain).toBe(42n)
    await charge(second, 8n)
    expect(second.worker('0:w')?.totals.max).toBe(50n)
  })

  test('each settlement is one entry of the journal, under the id of its request', async () => {
    const path = freshPath()
    const ledger = await open(path)
    const id = new Uint8Array(32).fill(9)
    await charge(ledger, 5n, id)
    await charge(ledger, 6n)
    await ledger.close()
    const entries = rows(path, 'SELECT seq, request, completion, total FROM journal')
    expect(entries).toMatchObject([
      { seq: 1, request: id, completion: 5, total: 5 },
      { seq: 2, request: null, completion: 6, total: 6 },
    ])
  })

  test('an account that never used anything leaves no trace', async () => {
    const path = freshPath()
    const ledger = await open(path)
    ledger.openClient('0:c', RICH)
    await ledger.commit()
    await ledger.close()
    expect(rows(path, 'SELECT * FROM account')).toEqual([])
  })

  test('the journal keeps the newest entries, and totals keep all', async () => {
    const path = freshPath()
    const ledger = await open(path, { keepEntries: 500 })
    for (let i = 0; i < 6; i++) await Promise.all(Array.from({ length: 700 }, () => charge(ledger, 3n)))
    await ledger.close()
    const [kept] = rows(path, 'SELECT count(*) AS n, min(seq) AS first, max(seq) AS last FROM journal')
    expect(kept).toMatchObject({ last: 4200 })
    expect(kept?.['n']).toBeLessThan(500 + 1000 + 700)
    expect(kept?.['n']).toBeGreaterThanOrEqual(500)
    const again = await open(path)
    expect(again.client('0:c')?.totals.max).toBe(12_600n)
    expect(again.worker('0:w')?.totals.max).toBe(12_600n)
  })
})

describe('closing', () => {
  test('writes what waits, and refuses what comes later without keeping its hold', async () => {
    const path = freshPath()
    const ledger = await open(path)
    const waiting = [charge(ledger, 1n), charge(ledger, 2n)]
    const closed = ledger.close()
    await expect(charge(ledger, 4n)).rejects.toMatchObject({ code: 'capacity.ledger-closed' })
    await Promise.all([...waiting, closed])
    expect(ledger.client('0:c')).toMatchObject({ totals: { max: 3n }, reserved: 0n })
    expect((await open(path)).client('0:c')?.totals.max).toBe(3n)
  })

  test('leaves the database with everything in it, its redo log and its witness, and nothing else', async () => {
    const path = freshPath()
    await written(path, 1n)
    expect(readdirSync(join(path, '..'))).toEqual(['ledger.sqlite', 'ledger.sqlite.redo', 'ledger.sqlite.witness'])
    expect(rows(path, 'SELECT total FROM account')).toEqual([{ total: 1 }, { total: 1 }])
  })
})

describe('what is refused at the start', () => {
  test.each([
    [
      'the ledger of another contract',
      'config.ledger-other-contract',
      (p: string) => tamper(p, `UPDATE book SET contract = '0:cd'`),
    ],
    ['a file of a newer version', 'config.ledger-newer', (p: string) => tamper(p, 'PRAGMA user_version = 99')],
    ['a database of another program', 'config.ledger-corrupt', (p: string) => tamper(p, 'PRAGMA application_id = 1')],
    [
      'a total that is not the sum of its entries',
      'config.ledger-corrupt',
      (p: string) => tamper(p, `UPDATE account SET total = total + 1 WHERE role = 'worker'`),
    ],
    [
      'an entry counted at another amount',
      'config.ledger-corrupt',
      (p: string) => tamper(p, 'UPDATE journal SET total = total + 1 WHERE seq = 2'),
    ],
    [
      'a journal without one of its entries',
      'config.ledger-corrupt',
      (p: string) => tamper(p, 'DELETE FROM journal WHERE seq = 2'),
    ],
    [
      'a journal without its newest entry',
      'config.ledger-corrupt',
      (p: string) => tamper(p, 'DELETE FROM journal WHERE seq = 3'),
    ],
    ['a file that is no database', 'config.ledger-corrupt', (p: string) => writeFileSync(p, 'x'.repeat(5000))],
    ['a file cut short', 'config.ledger-corrupt', (p: string) => truncateSync(p, 4096 * 3)],
    ['a file with a damaged page', 'config.ledger-corrupt', (p: string) => scribble(p, 4096)],
  ])('%s', async (_, code, damage) => {
    const path = freshPath()
    await written(path, 1n, 2n, 3n)
    damage(path)
    await expect(open(path)).rejects.toMatchObject({ code, message: expect.stringContaining(path) })
  })

  function scribble(path: string, at: number): void {
    const bytes = readFileSync(path)
    bytes.fill(0x5a, at, at + 64)
    writeFileSync(path, bytes)
  }

  test('a ledger that somebody else holds; the refusal names the process', async () => {
    const path = freshPath()
    const ledger = await open(path)
    const message = expect.stringContaining(`pid ${process.pid}`)
    await expect(open(path)).rejects.toMatchObject({ code: 'config.ledger-in-use', message })
    await charge(ledger, 1n)
    await ledger.close()
    expect((await open(path)).client('0:c')?.totals.max).toBe(1n)
  })

  test('a folder that cannot be written', async () => {
    const path = freshPath()
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, '')
    await expect(open(join(path, 'ledger.sqlite'))).rejects.toMatchObject({ code: 'config.ledger-unwritable' })
  })
})

describe('a ledger that was rolled back', () => {
  /** A path whose database is an older copy; the newest total is 6. */
  async function rolledBack(): Promise<string> {
    const path = freshPath()
    await written(path, 1n, 2n)
    cpSync(path, `${path}.backup`)
    await written(path, 3n)
    cpSync(`${path}.backup`, path)
    return path
  }

  test.each([
    ['an older copy of the file', async () => rolledBack()],
    ['no file where there was one', async () => fileGone('')],
    ['a file without its witness', async () => fileGone('.witness')],
  ])('%s is refused with what to do', async (_, prepare) => {
    const path = await prepare()
    const message = expect.stringContaining(`${path}.accept-rollback`)
    await expect(open(path)).rejects.toMatchObject({ code: 'config.ledger-rolled-back', message })
  })

  async function fileGone(suffix: string): Promise<string> {
    const path = freshPath()
    await written(path, 1n)
    rmSync(`${path}${suffix}`)
    return path
  }

  test('is taken after the operator said so, once', async () => {
    const path = await rolledBack()
    cpSync(path, `${path}.backup`)
    writeFileSync(`${path}.accept-rollback`, '')
    const log = createRecordingLog()
    const ledger = await open(path, {}, log)
    expect(ledger.client('0:c')?.totals.max).toBe(3n)
    expect(log.lines.join('\n')).toMatch(/warn accepted although it has seen/)
    expect(existsSync(`${path}.accept-rollback`)).toBe(false)
    await charge(ledger, 1n)
    await ledger.close()
    cpSync(`${path}.backup`, path)
    await expect(open(path)).rejects.toMatchObject({ code: 'config.ledger-rolled-back' })
  })

  test('permission that lies around is spent at the next start, and permits nothing later', async () => {
    const path = freshPath()
    await written(path, 1n)
    writeFileSync(`${path}.accept-rollback`, '')
    await written(path, 1n)
    expect(existsSync(`${path}.accept-rollback`)).toBe(false)
  })

  test('a crash between a write and its witness is no rollback', async () => {
    const path = freshPath()
    await written(path, 1n)
    const before = readFileSync(`${path}.witness`)
    await written(path, 2n)
    writeFileSync(`${path}.witness`, before)
    expect((await open(path)).client('0:c')?.totals.max).toBe(3n)
  })
})

describe('a full disk', () => {
  test('is known before anything is lost, and over when there is room again', async () => {
    const path = freshPath()
    const faults = createFaults()
    const log = createRecordingLog()
    const ledger = await open(path, { faults }, log)
    await charge(ledger, 1n)
    await ledger.commit()
    faults[FAULT.maxPages] = Math.ceil(statSync(path).size / 4096)
    let total = 1n
    // The redo log has room for some ten groups of four thousand.
    for (let rejected = 0; rejected === 0; ) {
      const results = await Promise.allSettled(Array.from({ length: 4_096 }, () => charge(ledger, 2n)))
      const refusals = results.filter(({ status }) => status === 'rejected')
      rejected = refusals.length
      for (const refusal of refusals) expect(refusal).toMatchObject({ reason: { code: 'capacity.ledger-full' } })
      total += 2n * BigInt(results.length - rejected)
    }
    expect(total).toBeGreaterThan(4_096n)
    expect(ledger.client('0:c')).toMatchObject({ totals: { max: total, db: total }, reserved: 0n, running: 0 })
    expect(ledger.trouble()).toMatchObject({ code: 'capacity.ledger-full' })
    await expect(ledger.commit()).rejects.toMatchObject({ code: 'capacity.ledger-full' })

    faults[FAULT.maxPages] = 0
    await ledger.commit()
    expect(ledger.trouble()).toBeNull()
    expect(ledger.client('0:c')?.totals.chain).toBe(total)
    await charge(ledger, 4n)
    await ledger.close()
    expect((await open(path)).client('0:c')?.totals.max).toBe(total + 4n)
    expect(log.lines.filter((line) => line.startsWith('error'))).toHaveLength(1)
  })

  test('does not keep a proxy from stopping: what the database could not take is there at the next start', async () => {
    const path = freshPath()
    const faults = createFaults()
    const ledger = await open(path, { faults })
    await charge(ledger, 1n)
    await ledger.commit()
    faults[FAULT.maxPages] = 1
    await Promise.all(Array.from({ length: 2_000 }, () => charge(ledger, 2n)))
    await ledger.close()
    expect((await open(path)).client('0:c')?.totals.max).toBe(4_001n)
  })
})

describe('the totals file of an earlier version', () => {
  const snapshot = {
    format: 1,
    clients: [
      { owner: '0:c', balanceNano: '500', stakeNano: '400', scTokensUsed: '0', max: '90', db: '90', chain: '50' },
    ],
    workers: [{ owner: '0:w', max: '90', db: '80', chain: '70' }],
  }
  const withSnapshot = (content: unknown): { path: string; importFrom: string } => {
    const path = freshPath()
    const importFrom = join(path, '..', 'old.json')
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(importFrom, JSON.stringify(content))
    return { path, importFrom }
  }

  test('is taken over once', async () => {
    const { path, importFrom } = withSnapshot(snapshot)
    const ledger = await open(path, { importFrom })
    expect(ledger.client('0:c')).toMatchObject({ totals: { max: 90n, db: 90n, chain: 50n }, available: 310n })
    expect(ledger.worker('0:w')?.totals).toEqual({ max: 90n, db: 90n, chain: 70n })
    await ledger.commit()
    await charge(ledger, 10n)
    await ledger.close()
    expect(existsSync(importFrom)).toBe(false)
    const again = await open(path, { importFrom })
    expect(again.client('0:c')?.totals).toEqual({ max: 100n, db: 100n, chain: 90n })
  })

  test('that knows more than the database beside it stops the start', async () => {
    const { path, importFrom } = withSnapshot(snapshot)
    await written(path, 1n)
    await expect(open(path, { importFrom })).rejects.toMatchObject({ code: 'config.ledger-snapshot' })
  })

  test('that does not parse stops the start instead of being forgotten', async () => {
    const { path, importFrom } = withSnapshot({ format: 1, clients: [{ owner: '0:c', max: '-4' }] })
    await expect(open(path, { importFrom })).rejects.toMatchObject({ code: 'config.ledger-snapshot' })
    expect(existsSync(importFrom)).toBe(true)
  })
})
