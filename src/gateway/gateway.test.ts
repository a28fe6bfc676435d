import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, manualClock, noMetrics, silentLog, systemRandom } from '../util/index.ts'
import type { Receipt } from './accounts.ts'
import { type Gateway, openGateway } from './gateway.ts'
import { gatewayOptions } from './options.ts'
import { DAY_MS, dayOf } from './windows.ts'

const START_MS = Date.UTC(2026, 7, 12, 10)
let folder: string
let path: string
let clock: Clock & { advance(ms: number): void }
let gateway: Gateway

const open = (options: object = {}): Promise<Gateway> =>
  openGateway(
    { clock, random: systemRandom, log: silentLog, metrics: noMetrics, fetch },
    { ...gatewayOptions.parse(options), path },
  )
const reopen = async (): Promise<void> => {
  await gateway.close()
  gateway = await open()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-gateway-'))
  path = join(folder, 'client', 'gateway.sqlite')
  clock = manualClock(START_MS)
  gateway = await open()
})
afterEach(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

const NEW_KEY = {
  project: 'default',
  name: 'app',
  scopes: ['inference'],
  models: [],
  limits: { maxConcurrent: 3 },
  expiresMs: null,
} as const

const receipt = (over: Partial<Receipt> = {}): Receipt => ({
  request: 'r1',
  atMs: clock.now(),
  project: 'default',
  key: 'k1',
  model: 'm',
  path: '/v1/chat/completions',
  result: 'ok',
  status: 200,
  code: null,
  prompt: 5n,
  cached: 1n,
  completion: 3n,
  reasoning: 2n,
  total: 11n,
  costNano: 22n,
  unsettledNano: 0n,
  maxCostNano: 100n,
  proxy: '127.0.0.1:1',
  worker: null,
  evidence: 'verified',
  attempts: [{ proxy: '127.0.0.1:1', worker: null, sentMs: 3, firstByteMs: 12, endedMs: 40, ended: 'ok' }],
  queuedMs: null,
  sentMs: 3,
  firstByteMs: 12,
  durationMs: 40,
  ...over,
})

describe('keys', () => {
  test('are known again after a restart, and nowhere on the disk in clear', async () => {
    const { key, made } = await gateway.createKey(NEW_KEY)
    expect(gateway.identify(key)).toEqual(made)
    await reopen()
    expect(gateway.identify(key)).toEqual(made)
    await gateway.close()
    const secret = key.slice(`ck_${made.id}_`.length)
    for (const file of [path]) expect(readFileSync(file).includes(secret)).toBe(false)
    gateway = await open()
  })

  test('that nobody made, with one character changed, or of another form are refused', async () => {
    const { key } = await gateway.createKey(NEW_KEY)
    const changed = `${key.slice(0, -1)}${key.endsWith('A') ? 'Q' : 'A'}`
    for (const wrong of [changed, 'ck_', '', 'x'.repeat(60), key.toUpperCase()])
      expect(() => gateway.identify(wrong)).toThrow(expect.objectContaining({ code: 'request.invalid-key' }))
  })

  test('that were revoked or have expired say so, also after a restart', async () => {
    const revoked = await gateway.createKey(NEW_KEY)
    const expiring = await gateway.createKey({ ...NEW_KEY, expiresMs: START_MS + 1000 })
    await gateway.revokeKey(revoked.made.id)
    clock.advance(1000)
    for (const again of [false, true]) {
      if (again) await reopen()
      expect(() => gateway.identify(revoked.key)).toThrow(expect.objectContaining({ code: 'request.key-revoked' }))
      expect(() => gateway.identify(expiring.key)).toThrow(expect.objectContaining({ code: 'request.key-expired' }))
      expect(gateway.hasKeys()).toBe(true)
    }
  })

  test('belong to a project that exists', async () => {
    await expect(gateway.createKey({ ...NEW_KEY, project: 'shop' })).rejects.toMatchObject({
      code: 'request.no-account',
    })
    await gateway.createProject('shop', 'The shop')
    await gateway.createKey({ ...NEW_KEY, project: 'shop' })
    await gateway.createProject('shop', 'Renamed')
    await reopen()
    expect(gateway.projects()).toMatchObject([{ id: 'shop', name: 'Renamed' }])
  })
})

describe('members', () => {
  const ANNA = { project: 'shop', name: 'Anna', role: 'owner' } as const

  test('are known again after a restart, nowhere on the disk in clear, and no longer once removed', async () => {
    await expect(gateway.createMember(ANNA)).rejects.toMatchObject({ code: 'request.no-account' })
    await gateway.createProject('shop', 'The shop')
    const { key, made } = await gateway.createMember(ANNA)
    await reopen()
    expect(gateway.identifyMember(key)).toEqual(made)
    await gateway.close()
    expect(readFileSync(path).includes(key.slice(`cm_${made.id}_`.length))).toBe(false)
    gateway = await open()
    await gateway.removeMember(made.id, { keepKeys: false })
    for (const again of [false, true]) {
      if (again) await reopen()
      expect(() => gateway.identifyMember(key)).toThrow(expect.objectContaining({ code: 'request.key-revoked' }))
    }
  })

  test('have credentials that are no API keys, and API keys are no credentials of members', async () => {
    const { key: member } = await gateway.createMember({ ...ANNA, project: 'default' })
    const { key } = await gateway.createKey(NEW_KEY)
    expect(() => gateway.identify(member)).toThrow(expect.objectContaining({ code: 'request.invalid-key' }))
    expect(() => gateway.identifyMember(key)).toThrow(expect.objectContaining({ code: 'request.invalid-key' }))
    // The right secret under the other name.
    expect(() => gateway.identifyMember(key.replace('ck_', 'cm_'))).toThrow(
      expect.objectContaining({ code: 'request.invalid-key' }),
    )
  })

  test('take the keys that they made with them, unless those are to stay', async () => {
    const [anna, ben] = await Promise.all(
      ['Anna', 'Ben'].map((name) => gateway.createMember({ ...ANNA, name, project: 'default' })),
    )
    const keys = await Promise.all(
      [anna?.made.id, ben?.made.id, null].map((madeBy) => gateway.createKey({ ...NEW_KEY, madeBy: madeBy ?? null })),
    )
    await gateway.removeMember(anna?.made.id ?? '', { keepKeys: false })
    await gateway.removeMember(ben?.made.id ?? '', { keepKeys: true })
    await reopen()
    const revoked = keys.map(({ made }) => gateway.keys().find(({ id }) => id === made.id)?.revokedMs !== null)
    expect(revoked).toEqual([true, false, false])
  })
})

describe('budgets and receipts', () => {
  test('what was spent counts after a restart, in each window', async () => {
    const { made } = await gateway.createKey(NEW_KEY)
    const mine = { scope: 'key', id: made.id, model: '', limitNano: 1000n, warnAtPercent: 80 } as const
    gateway.record(receipt({ key: made.id, atMs: START_MS - 40 * DAY_MS, costNano: 7n }))
    gateway.record(receipt({ key: made.id, atMs: START_MS - DAY_MS, costNano: 5n }))
    gateway.record(receipt({ key: made.id, costNano: 2n, unsettledNano: 30n }))
    await gateway.written()
    await reopen()
    for (const window of ['day', 'week', 'month', 'total'] as const) await gateway.setBudget({ ...mine, window })
    await reopen()
    expect(gateway.budgets.list().map(({ budget, spentNano }) => [budget.window, spentNano])).toEqual([
      ['day', 32n],
      ['week', 37n],
      ['month', 37n],
      ['total', 44n],
    ])
  })

  test('a dropped budget is gone, and one of nobody cannot be made', async () => {
    const wanted = { scope: 'node', id: '', model: '', window: 'day' } as const
    await gateway.setBudget({ ...wanted, limitNano: 1n, warnAtPercent: 80 })
    await gateway.dropBudget(wanted)
    await expect(gateway.dropBudget(wanted)).rejects.toMatchObject({ code: 'request.no-account' })
    await reopen()
    expect(gateway.budgets.list()).toEqual([])
    const nobody = { scope: 'key', id: 'nobody', model: '', window: 'day', limitNano: 1n, warnAtPercent: 80 } as const
    await expect(gateway.setBudget(nobody)).rejects.toMatchObject({ code: 'request.no-account' })
  })

  test('receipts come back as they were, newest first, and sum up to the usage', async () => {
    const list = [
      receipt(),
      receipt({ request: 'r2', key: 'k2', result: 'failed', code: 'engine.failed', costNano: 4n }),
    ]
    for (const one of list) gateway.record(one)
    const page = await gateway.receipts({ limit: 10 })
    expect(page).toMatchObject({
      count: 2,
      costNano: 26n,
      receipts: [
        { seq: 2, ...list[1] },
        { seq: 1, ...list[0] },
      ],
    })
    expect(await gateway.receipts({ limit: 10, key: 'k2' })).toMatchObject({ count: 1, costNano: 4n })
    expect((await gateway.receipts({ limit: 10, before: 2 })).receipts).toMatchObject([{ request: 'r1' }])
    for (const by of ['project', 'key', 'model', 'day'] as const) {
      const rows = await gateway.usage({ by })
      expect(rows.reduce((sum, row) => sum + row.costNano, 0n)).toBe(26n)
    }
    expect(await gateway.usage({ by: 'key' })).toMatchObject([
      { name: 'k1', requests: 1n, failed: 0n, total: 11n },
      { name: 'k2', requests: 1n, failed: 1n },
    ])
    expect(await gateway.usage({ by: 'day', fromDay: dayOf(START_MS) + 1 })).toEqual([])
  })

  test('models that nobody offers leave no trace in the usage', async () => {
    for (let i = 0; i < 20; i++)
      gateway.record(receipt({ model: `invented-${i}`, result: 'failed', code: 'capacity.no-worker', costNano: 0n }))
    expect(await gateway.usage({ by: 'model' })).toMatchObject([{ name: '-', requests: 20n, failed: 20n }])
  })

  test('old receipts go, their sums stay', async () => {
    await gateway.close()
    gateway = await open({ keepReceipts: 1000 })
    for (let i = 0; i < 2500; i++) gateway.record(receipt({ costNano: 1n, attempts: [] }))
    await gateway.written()
    const { count } = await gateway.receipts({ limit: 1 })
    expect(count).toBeLessThan(2000)
    expect(count).toBeGreaterThanOrEqual(1000)
    expect(await gateway.usage({ by: 'key' })).toMatchObject([{ requests: 2500n, costNano: 2500n }])
  })
})

describe('who had a request', () => {
  const moved = [
    { proxy: 'p:1', worker: 'w1', sentMs: 2, firstByteMs: null, endedMs: 9, ended: 'worker-lost' },
    { proxy: 'p:1', worker: 'w2', sentMs: 10, firstByteMs: 12, endedMs: 40, ended: 'ok' },
  ]

  test('comes back as it was, of one attempt and of several, with the times of the whole', async () => {
    gateway.record(receipt({ worker: 'w2', attempts: moved, queuedMs: 1.6, sentMs: 10 }))
    const failed = { code: 'engine.failed', result: 'failed', costNano: 0n, attempts: [moved[0]] } as Partial<Receipt>
    gateway.record(receipt({ ...failed, proxy: 'p:1', worker: 'w1', sentMs: 2 }))
    gateway.record(receipt({ attempts: [], sentMs: null, proxy: null }))
    await gateway.written()
    await reopen()
    const { receipts } = await gateway.receipts({ limit: 3 })
    expect(receipts.map((r) => [r.queuedMs, r.sentMs, r.attempts])).toEqual([
      [null, null, []],
      [null, 2, [moved[0]]],
      [2, 10, moved],
    ])
  })
})

describe('refused requests', () => {
  const refused = (over: object = {}): void =>
    gateway.refused({
      request: 'r',
      caller: '',
      model: 'm',
      path: '/v1/chat/completions',
      status: 401,
      code: 'request.invalid-key',
      durationMs: 1,
      ...over,
    })

  test('are receipts at no cost, of the key and project that asked, and no part of what was used', async () => {
    const { made } = await gateway.createKey(NEW_KEY)
    refused({ caller: made.id, code: 'capacity.rate-limit', status: null })
    refused({ caller: 'owner', code: 'payment.budget-exceeded' })
    refused()
    gateway.record(receipt())
    const { count, costNano, receipts } = await gateway.receipts({ limit: 10, result: 'refused' })
    expect([count, costNano]).toEqual([3, 0n])
    expect(receipts.map((r) => [r.code, r.project, r.key, r.status])).toEqual([
      ['request.invalid-key', '-', '-', 401],
      ['payment.budget-exceeded', 'default', 'owner', 401],
      ['capacity.rate-limit', 'default', made.id, null],
    ])
    expect(await gateway.usage({ by: 'model' })).toMatchObject([{ name: 'm', requests: 1n, failed: 0n }])
    expect(await gateway.receipts({ limit: 10, code: 'capacity.rate-limit' })).toMatchObject({ count: 1 })
  })

  test('of a flood are all counted, kept in part, and push out no receipt that cost something', async () => {
    await gateway.close()
    gateway = await open({ keepReceipts: 1000, keepFreeReceipts: 1000 })
    gateway.record(receipt())
    for (let round = 0; round < 25; round++) {
      for (let i = 0; i < 4000; i++) refused()
      await gateway.written()
    }
    // Let through and failed at no cost: as cheap to cause as a refusal.
    for (let i = 0; i < 2500; i++)
      gateway.record(receipt({ result: 'failed', code: 'capacity.no-worker', costNano: 0n, attempts: [] }))
    expect(await gateway.receipts({ limit: 10, result: 'ok' })).toMatchObject({ count: 1, costNano: 22n })
    expect((await gateway.receipts({ limit: 1 })).count).toBeLessThanOrEqual(1 + 1000 + 1000)
    await reopen()
    expect(await gateway.reasons({})).toEqual([
      { code: 'capacity.no-worker', failed: 2500n, refused: 0n },
      { code: 'request.invalid-key', failed: 0n, refused: 100_000n },
    ])
    expect(await gateway.reasons({ key: 'k1', fromDay: dayOf(START_MS) })).toHaveLength(1)
  })
})

/** A file as the first version wrote it, with a key, its budget, two receipts and the day's sums. */
const FIRST_VERSION = `
  PRAGMA application_id = ${0x436f4777}; PRAGMA user_version = 1;
  CREATE TABLE project (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE api_key (id TEXT PRIMARY KEY, project TEXT NOT NULL REFERENCES project, name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL, models TEXT NOT NULL, limits TEXT NOT NULL, created_ms INTEGER NOT NULL,
    expires_ms INTEGER, revoked_ms INTEGER) STRICT;
  CREATE TABLE budget (scope TEXT NOT NULL CHECK (scope IN ('node', 'project', 'key')), id TEXT NOT NULL, model TEXT NOT NULL,
    window TEXT NOT NULL CHECK (window IN ('day', 'week', 'month', 'total')), limit_nano INTEGER NOT NULL CHECK (limit_nano >= 0),
    warn_at_percent INTEGER NOT NULL, warned_from_ms INTEGER, PRIMARY KEY (scope, id, model, window)) STRICT;
  CREATE TABLE receipt (seq INTEGER PRIMARY KEY, request TEXT NOT NULL, at_ms INTEGER NOT NULL, project TEXT NOT NULL,
    key TEXT NOT NULL, model TEXT NOT NULL, path TEXT NOT NULL, result TEXT NOT NULL CHECK (result IN ('ok', 'failed', 'cancelled')),
    status INTEGER, code TEXT, prompt INTEGER NOT NULL, cached INTEGER NOT NULL, completion INTEGER NOT NULL,
    reasoning INTEGER NOT NULL, total INTEGER NOT NULL, cost_nano INTEGER NOT NULL CHECK (cost_nano >= 0),
    unsettled_nano INTEGER NOT NULL CHECK (unsettled_nano >= 0), max_cost_nano INTEGER NOT NULL, proxy TEXT, worker TEXT,
    evidence TEXT, attempts INTEGER, first_byte_ms INTEGER, duration_ms INTEGER NOT NULL) STRICT;
  CREATE INDEX receipt_by_key ON receipt (key, seq);
  CREATE INDEX receipt_by_request ON receipt (request);
  CREATE TABLE usage_day (day INTEGER NOT NULL, project TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL,
    requests INTEGER NOT NULL, failed INTEGER NOT NULL, prompt INTEGER NOT NULL, cached INTEGER NOT NULL,
    completion INTEGER NOT NULL, reasoning INTEGER NOT NULL, total INTEGER NOT NULL, cost_nano INTEGER NOT NULL,
    unsettled_nano INTEGER NOT NULL, PRIMARY KEY (day, project, key, model)) STRICT;
  INSERT INTO project VALUES ('default', 'Default', 5);
  INSERT INTO api_key VALUES ('k1', 'default', 'app', 'ab', '["inference"]', '[]', '{}', 5, NULL, NULL);
  INSERT INTO budget VALUES ('key', 'k1', '', 'day', 900, 80, NULL);
  INSERT INTO receipt VALUES (7, 'r7', ${START_MS}, 'default', 'k1', 'm', '/p', 'ok', 200, NULL, 1, 0, 2, 0, 3, 6, 0, 50, 'p:1', NULL,
    'verified', NULL, 4, 9);
  INSERT INTO receipt VALUES (8, 'r8', ${START_MS}, 'default', 'k1', 'm', '/p', 'failed', NULL, 'engine.failed', 0, 0, 0, 0, 0, 0, 0,
    50, 'p:1', NULL, NULL, NULL, NULL, 3);
  INSERT INTO usage_day VALUES (${START_MS / DAY_MS - (START_MS % DAY_MS) / DAY_MS}, 'default', 'k1', 'm', 2, 1, 1, 0, 2, 0, 3, 6, 0);
`

test('of a file that counts reasons alone, those for which no receipt has failed were to refuse', async () => {
  gateway.record(receipt({ result: 'failed', code: 'engine.failed' }))
  gateway.record(receipt({ result: 'refused', code: 'capacity.price', costNano: 0n }))
  gateway.record(receipt({ result: 'refused', code: 'capacity.price', costNano: 0n }))
  const told = [
    { code: 'capacity.price', failed: 0n, refused: 2n },
    { code: 'engine.failed', failed: 1n, refused: 0n },
  ]
  expect(await gateway.reasons({})).toEqual(told)
  await gateway.close()
  const file = new DatabaseSync(path)
  file.exec('ALTER TABLE reason_day DROP COLUMN refused; PRAGMA user_version = 3')
  file.close()
  gateway = await open()
  expect(await gateway.reasons({})).toEqual(told)
})

describe('a file of the first version', () => {
  test('opens with everything that was in it, and takes what this version adds', async () => {
    await gateway.close()
    rmSync(path)
    const file = new DatabaseSync(path)
    file.exec(FIRST_VERSION)
    file.close()
    gateway = await open()
    expect(gateway.keys()).toMatchObject([{ id: 'k1', hash: 'ab' }])
    expect(gateway.budgets.list()).toMatchObject([{ budget: { limitNano: 900n }, spentNano: 6n }])
    gateway.record(receipt({ key: 'k1' }))
    const page = await gateway.receipts({ limit: 9 })
    expect(page.receipts).toMatchObject([
      { seq: 9, request: 'r1', sentMs: 3 },
      { seq: 8, request: 'r8', result: 'failed', code: 'engine.failed', sentMs: null, attempts: [] },
      { seq: 7, request: 'r7', result: 'ok', costNano: 6n, proxy: 'p:1', firstByteMs: 4, durationMs: 9, attempts: [] },
    ])
    expect([page.count, page.costNano]).toEqual([3, 28n])
    expect(await gateway.reasons({})).toEqual([{ code: 'engine.failed', failed: 1n, refused: 0n }])
    await reopen()
    expect((await gateway.receipts({ limit: 9 })).count).toBe(3)
  })
})

describe('the file', () => {
  test('is readable by its owner only, and held by one process', async () => {
    expect(statSync(path).mode & 0o077).toBe(0)
    await expect(open()).rejects.toMatchObject({ code: 'config.gateway-in-use' })
  })

  test('of another program, damaged or newer is refused and left as it is', async () => {
    await gateway.close()
    const sound = readFileSync(path)
    const newer = Buffer.from(sound)
    newer.writeUInt32BE(99, 60)
    const foreign = Buffer.from(sound)
    foreign.writeUInt32BE(1, 68)
    for (const [bytes, code] of [
      [Buffer.from('not a database at all, but long enough to be read as one'), 'config.gateway-corrupt'],
      [newer, 'config.gateway-newer'],
      [foreign, 'config.gateway-corrupt'],
    ] as const) {
      writeFileSync(path, bytes)
      await expect(open()).rejects.toMatchObject({ code })
      expect(readFileSync(path).equals(bytes)).toBe(true)
    }
    writeFileSync(path, sound)
    gateway = await open()
  })

  test('where no folder can be is refused', async () => {
    await gateway.close()
    const folderOfIt = path
    path = join(folderOfIt, 'gateway.sqlite')
    await expect(open()).rejects.toMatchObject({ code: 'config.gateway-unwritable' })
    path = folderOfIt
    gateway = await open()
  })
})
