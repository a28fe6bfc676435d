/** `cocoon collateral` as users run it: from a collateral server on loopback to a bundle for another machine. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CollateralServer, serveCollateral } from '../../src/attest/index.ts'
import { encodeBundle } from '../../src/tee/index.ts'
import { amdItems, nvidiaItems } from '../support/collateral-vectors.ts'
import { caseOf, vector } from '../support/dcap-vectors.ts'
import { itemsOfCase } from '../support/collateral-vectors.ts'
import { type Cocoon, cocoonHome } from '../support/processes.ts'

/** What AMD certifies for decades and NVIDIA for years: good at the time of any test run for long. */
const lasting = amdItems().filter((item) => item.type === 'amd-chain')
const expired = itemsOfCase(caseOf('tdx/v4-cocoon-reference.bin', '2025-10-21'))
let server: CollateralServer
let cocoon: Cocoon

beforeAll(async () => {
  cocoon = await cocoonHome()
  const items = [...lasting, ...expired, ...nvidiaItems()]
  server = await serveCollateral({ host: '127.0.0.1', port: 0, bundle: () => ({ madeAtMs: 0, items }) })
})
afterAll(async () => {
  await server.close()
  cocoon.close()
})

test('is fetched, shown, exported and imported; what has expired is refused by name', async () => {
  const from = ['--attestation-intel-server', server.url, '--attestation-amd-server', server.url]
  const fetched = await cocoon.run(['collateral', 'fetch', '--amd', 'Genoa', '--fmspc', '90C06F000000', ...from])
  expect(fetched.status).toBe(1)
  // Of AMD's three one chain was recorded; of Intel's five the four of last year.
  expect(fetched.stdout).toContain('1 items are held')
  expect(fetched.stdout).toMatch(/intel-tcb-info .*expired/)
  expect(fetched.stdout).toMatch(/amd-crl .*answered 404/)

  const shown = await cocoon.run(['collateral', 'show'])
  expect(shown.stdout).toMatch(/amd-chain +issuer SEV-Genoa, root ARK-Genoa .*valid/)
  const file = join(cocoon.home, 'exported.json')
  expect((await cocoon.run(['collateral', 'export', file])).status).toBe(0)

  const again = await cocoon.run(['collateral', 'import', file])
  expect([again.status, again.stdout]).toEqual([0, expect.stringContaining('0 of 1 items taken')])
  const mixed = join(cocoon.home, 'mixed.json')
  writeFileSync(mixed, encodeBundle({ madeAtMs: 0, items: [...lasting, ...expired] }))
  const imported = await cocoon.run(['collateral', 'import', mixed])
  expect(imported.status).toBe(1)
  expect(imported.stdout).toContain(`${lasting.length - 1} of ${lasting.length + expired.length} items taken`)
})

test.each([
  [['collateral', 'fetch', '--fmspc', 'xyz'], '--fmspc'],
  [['collateral', 'fetch', '--amd', 'Rome'], '--amd'],
  [['collateral', 'import', 'no-such-file'], 'no-such-file'],
  [['collateral', 'serve', 'no-such-file'], 'no-such-file'],
])('%j is exit status 2, and names what is wrong', async (args, named) => {
  const { status, stderr } = await cocoon.run(args)
  expect([status, stderr]).toEqual([2, expect.stringContaining(named)])
})

test('what a quote needs follows from the quote', async () => {
  const quote = join(cocoon.home, 'quote.bin')
  writeFileSync(quote, vector('tdx/v4-cocoon-reference.bin'))
  const { stdout } = await cocoon.run(['collateral', 'fetch', '--for', quote, '--attestation-intel-server', server.url])
  expect(stdout).toContain('fetching 4 items')
  expect(stdout).toMatch(/intel-tcb-info tee=tdx fmspc=90c06f000000: .*expired/)
})

test('an export of nothing says what to do first', async () => {
  const empty = await cocoonHome()
  const file = join(empty.home, 'out.json')
  const { status, stderr } = await empty.run(['collateral', 'export', file])
  expect([status, existsSync(file), stderr]).toEqual([2, false, expect.stringContaining('cocoon collateral fetch')])
  empty.close()
})
