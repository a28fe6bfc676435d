import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createMemoryLedger, createSnapshotFile, type Hold, NO_TOKENS } from './index.ts'
import { ledgerSuite } from './ledger.suite.ts'

const freshFile = (): string => join(mkdtempSync(join(tmpdir(), 'cocoon-ledger-')), 'ledger.json')

describe('the in-memory ledger', () => ledgerSuite(createMemoryLedger))
describe('the ledger with a snapshot file', () =>
  ledgerSuite((options) => createMemoryLedger({ ...options, store: createSnapshotFile(freshFile()) })))

test('committed totals are there again after a restart, and holds are not', async () => {
  const path = freshFile()
  const first = createMemoryLedger({ pricePerToken: 1n, store: createSnapshotFile(path) })
  first.openClient('0:c', { balanceNano: 500n, stakeNano: 500n, scTokensUsed: 0n })
  first.openWorker('0:w')
  await first.settle(first.reserve('0:c', 90n) as Hold, '0:w', { ...NO_TOKENS, prompt: 40n, total: 40n })
  await first.commit()
  first.reserve('0:c', 100n)

  const second = createMemoryLedger({ pricePerToken: 1n, store: createSnapshotFile(path) })
  expect(second.client('0:c')).toMatchObject({ totals: { max: 40n, db: 40n, chain: 0n }, reserved: 0n, available: 460n })
  expect(second.worker('0:w')?.totals).toEqual({ max: 40n, db: 40n, chain: 0n })
})

test('a file that is no ledger stops the start instead of being forgotten', () => {
  const path = freshFile()
  writeFileSync(path, '{"format":1,"clients":[{"owner":"0:c","max":"-4"}]}')
  expect(() => createMemoryLedger({ pricePerToken: 1n, store: createSnapshotFile(path) })).toThrowError(expect.objectContaining({ code: 'config.ledger-file' }))
})
