import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  attempts: null,
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
    for (let i = 0; i < 2500; i++) gateway.record(receipt({ costNano: 1n }))
    await gateway.written()
    const { count } = await gateway.receipts({ limit: 1 })
    expect(count).toBeLessThan(2000)
    expect(count).toBeGreaterThanOrEqual(1000)
    expect(await gateway.usage({ by: 'key' })).toMatchObject([{ requests: 2500n, costNano: 2500n }])
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
