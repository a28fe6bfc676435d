import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openStore } from './open-store.ts'
import type { Group, Step, Store } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-store-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = (step: Step): Store =>
  openStore({ path: join(folder, 'ledger.sqlite'), contract: '0:ab', keepEntries: 10 }, step).store

/** One settlement of two tokens. */
const group: Group = {
  created: [
    { id: 1n, role: 'client', owner: '0:c', funds: { balanceNano: 1n, stakeNano: 1n, scTokensUsed: 0n } },
    { id: 2n, role: 'worker', owner: '0:w', funds: null },
  ],
  facts: [],
  marks: new BigInt64Array(),
  entries: BigInt64Array.from([0n, 1n, 2n, 2n, 0n, 0n, 0n, 2n]),
  requestIds: new Uint8Array(32),
  growth: BigInt64Array.from([1n, 2n, 2n, 2n]),
}
const again: Group = { ...group, created: [] }

test('every write is synced to the disk before it counts', () => {
  const modes = new Set<string>()
  const store = open((name, db) => {
    if (name !== 'before the commit') return
    const { synchronous } = db.prepare('PRAGMA synchronous').get() as { synchronous: number }
    const { journal_mode } = db.prepare('PRAGMA journal_mode').get() as { journal_mode: string }
    modes.add(`${journal_mode} ${synchronous}`)
  })
  store.append([group], 2n)
  store.close()
  // 2 is FULL: in this mode the log is synced at each commit.
  expect([...modes]).toEqual(['wal 2'])
})

test('after a failure that is no full disk nothing is written any more until the file was opened anew', () => {
  let isBroken = false
  const store = open((name) => {
    if (isBroken && name === 'before the commit') throw new Error('input/output error')
  })
  store.append([group], 2n)
  isBroken = true
  expect(() => store.append([again], 3n)).toThrowError(expect.objectContaining({ code: 'capacity.ledger-failed' }))
  isBroken = false
  expect(() => store.append([again], 3n)).toThrowError(expect.objectContaining({ code: 'capacity.ledger-failed' }))
  expect(() => store.probe()).toThrowError(expect.objectContaining({ code: 'capacity.ledger-failed' }))
  store.close()
  const { store: next, accounts } = openStore(
    { path: join(folder, 'ledger.sqlite'), contract: '0:ab', keepEntries: 10 },
    () => undefined,
  )
  expect(accounts.map((a) => a.total)).toEqual([2n, 2n])
  next.append([again], 9n)
  next.close()
})

test.each([
  ['a total that falls', { ...again, entries: new BigInt64Array(), growth: BigInt64Array.from([1n, -1n]) }],
  ['a committed total above the written one', { ...again, marks: BigInt64Array.from([1n, 3n]) }],
  [
    'an entry of an account that nobody opened',
    { ...again, entries: BigInt64Array.from([0n, 7n, 2n, 2n, 0n, 0n, 0n, 2n]) },
  ],
])('the file itself refuses %s', (_, wrong) => {
  const store = open(() => undefined)
  store.append([group], 2n)
  expect(() => store.append([wrong], 3n)).toThrowError(expect.objectContaining({ code: 'capacity.ledger-failed' }))
  store.close()
})
