/** The market of the specification: 50 clients, 20 workers, 3 proxies, 10 000 operations with mishaps. */
import { expect, test } from 'vitest'
import { describeMarket, runMarket } from '../support/market.ts'

/** `COCOON_MARKET="seed clients workers proxies operations"` for another one. */
const [seed = 1, clients = 50, workers = 20, proxies = 3, operations = 10_000] = (process.env['COCOON_MARKET'] ?? '')
  .split(' ')
  .filter(Boolean)
  .map(Number)

test(`a market (seed ${seed}): ${clients} clients, ${workers} workers, ${proxies} proxies, ${operations} operations`, async () => {
  const report = await runMarket({
    seed,
    clients,
    workers,
    proxies,
    operations,
    blockIntervalMs: 500,
    pollMs: 5_000,
    patienceMs: 1_800_000,
    progress: (text) => process.stdout.write(`${new Date().toISOString()} ${text}\n`),
  })
  process.stdout.write(`${describeMarket(report)}\n`)
  expect(report.answered + report.refused).toBeGreaterThan(operations * 0.9)
  expect([report.charged, report.paid]).toEqual([report.used, report.used])
  expect(report.mintedNano - report.heldNano - report.burnedNano).toBe(0n)
})
