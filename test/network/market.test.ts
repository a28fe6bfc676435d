/** A small market with mishaps: what was used is charged and paid, and no nanoTON is lost. The large one: market.long.test.ts. */
import { expect, test } from 'vitest'
import { describeMarket, runMarket } from '../support/market.ts'

test('clients, workers and proxies with mishaps: all that was used is charged and paid, and every nanoTON is somewhere', async () => {
  const report = await runMarket({
    seed: 1,
    clients: 3,
    workers: 2,
    proxies: 2,
    operations: 160,
    pollMs: 100,
    patienceMs: 120_000,
  })
  process.stdout.write(`${describeMarket(report)}\n`)
  expect(report.answered).toBeGreaterThan(100)
  expect([report.charged, report.paid]).toEqual([report.used, report.used])
  expect(report.mintedNano - report.heldNano - report.burnedNano).toBe(0n)
}, 400_000)
