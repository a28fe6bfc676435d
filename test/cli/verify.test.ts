/** `cocoon verify` and `cocoon policy` as users run them, on recorded evidence and on a running node. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeBundle } from '../../src/tee/collateral/index.ts'
import { BUILT_IN_POLICIES } from '../../src/tee/policy/index.ts'
import { toBase64 } from '../../src/util/index.ts'
import { bundleOf } from '../support/collateral-vectors.ts'
import { caseOf, type DcapCase, dcapQuotes, vector } from '../support/dcap-vectors.ts'
import { startNetwork, TEST_OWNER, type TestNetwork } from '../support/network.ts'
import { type Cocoon, cocoonHome, type Ended } from '../support/processes.ts'
import { ROOT } from '../support/source-files.ts'

const CERTIFICATE = join(ROOT, 'spec/vectors/ratls/reference-simulated-1.der')
const CERTIFICATE_AT = '2026-11-21T12:00:00Z'
const good = caseOf('tdx/v4-cocoon-reference.bin', '2025-10-21')
const outdated = caseOf('tdx/v4-00806f-outofdate.bin', '2025-06-19')
const debuggable = caseOf('tdx/v4-50806f-debug-td.bin', '2025-10-21')

let cocoon: Cocoon
let bundle: string
let testNetwork: string
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(cocoon.home, name)
  writeFileSync(path, content)
  return path
}

beforeAll(async () => {
  cocoon = await cocoonHome()
  bundle = write('bundle.json', encodeBundle(bundleOf(good, outdated, debuggable)))
  testNetwork = write(
    'network.json',
    JSON.stringify({ root_owner_address: TEST_OWNER, cocoon: { evidence: 'simulated' } }),
  )
})
afterAll(() => cocoon.close())

const imageOf = ({ quote }: DcapCase): string => String(dcapQuotes[quote]?.['cocoonImageHash'])
const verifyQuote = (one: DcapCase, path: string, ...more: readonly string[]): Promise<Ended> =>
  cocoon.run(['verify', path, '--bundle', bundle, '--at', one.at, '--image', imageOf(one), ...more])
const recorded = (one: DcapCase): string => join(ROOT, 'spec/vectors/attestation/dcap', one.quote)
const lastLine = ({ stdout }: Ended): string => stdout.trim().split('\n').at(-1) ?? ''

describe('a recorded quote', () => {
  test('that is up to date at its time is verified, check by check', async () => {
    const ended = await verifyQuote(good, recorded(good))
    expect(ended.stderr).toBe('')
    expect(ended.status).toBe(0)
    expect(ended.stdout).toMatch(/✓ pass {2}quote-signature +The attestation key signed the quote\./)
    expect(ended.stdout).toContain('status=UpToDate')
    expect(ended.stdout).toContain('  - For which key, and when, the evidence was made: it came without a certificate.')
    expect(lastLine(ended)).toBe('VERIFIED: the evidence is genuine, and the policy accepts it.')
  })

  test('is the same in Base64, and prints one JSON object when asked', async () => {
    const ended = await verifyQuote(good, write('quote.b64', toBase64(vector(good.quote))), '--json')
    expect(ended.status).toBe(0)
    expect(JSON.parse(ended.stdout)).toMatchObject({
      outcome: 'verified',
      code: null,
      evidence: 'tdx',
      policy: { name: 'strict', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      facts: { imageHash: imageOf(good), tcbStatus: 'UpToDate' },
    })
  })

  test('of an outdated platform is refused with the status named', async () => {
    const ended = await verifyQuote(outdated, recorded(outdated))
    expect(ended.status).toBe(1)
    expect(lastLine(ended)).toBe(
      'REFUSED: Intel’s status of the platform is OutOfDate; the policy accepts UpToDate. [attestation.tcb-status]',
    )
    expect(ended.stdout).toContain('INTEL-SA-00960')
  })

  test('of a guest that can be debugged is refused', async () => {
    const ended = await verifyQuote(debuggable, recorded(debuggable))
    expect(ended.status).toBe(1)
    expect(ended.stdout).toContain('[attestation.debug]')
    expect(ended.stdout).toContain('✗ FAIL  policy-debug')
  })

  test('with expired collateral is refused', async () => {
    const ended = await verifyQuote({ ...good, at: '2025-12-24T00:00:00Z' }, recorded(good))
    expect(ended.status).toBe(1)
    expect(lastLine(ended)).toMatch(/^REFUSED: .*\[attestation\.[a-z-]+-expired\]/)
  })

  test('with one byte changed is refused', async () => {
    const bytes = vector(good.quote)
    bytes[200] = (bytes[200] as number) ^ 1
    const ended = await verifyQuote(good, write('flipped.bin', bytes))
    expect(ended.status).toBe(1)
    expect(ended.stdout).toContain('✗ FAIL  quote-signature')
    expect(ended.stdout).not.toContain('VERIFIED')
  })

  test('without a bundle, or without an image, is refused with a way out', async () => {
    const bare = await cocoon.run(['verify', recorded(good), '--at', good.at])
    expect(bare.status).toBe(1)
    expect(lastLine(bare)).toContain('--bundle FILE')
    const noImage = await cocoon.run(['verify', recorded(good), '--bundle', bundle, '--at', good.at])
    expect(noImage.status).toBe(1)
    expect(lastLine(noImage)).toContain('--image HASH')
  })
})

describe('what cannot be used ends with status 2 and names the fault', () => {
  test.each([
    ['garbage', () => [write('garbage', 'once upon a time')], 'garbage holds no evidence that is known here'],
    ['no file', () => ['nowhere.bin'], 'there is no such file'],
    ['nobody listening', () => ['127.0.0.1:1'], 'shows no certificate'],
    ['a bad bundle', () => [recorded(good), '--bundle', write('bad.json', '{}')], 'bad.json: format'],
    ['a bad policy', () => [recorded(good), '--policy', write('p.json', '{"format":"cocoon-policy-1"}')], 'is missing'],
    ['a bad time', () => [recorded(good), '--at', 'yesterday'], '--at must be a time in ISO 8601'],
    ['a bad hash', () => [recorded(good), '--image', 'abc'], '--image must be 64 hex digits'],
    ['a network that is not there', () => [recorded(good), '--network', 'gone.json'], 'gone.json does not exist'],
  ])('%s', async (_, args, words) => {
    const ended = await cocoon.run(['verify', ...args()])
    expect(ended.status).toBe(2)
    expect(ended.stdout).toBe('')
    expect(ended.stderr).toContain(words)
  })
})

describe('simulated evidence', () => {
  const run = (...more: readonly string[]): Promise<Ended> =>
    cocoon.run(['verify', CERTIFICATE, '--at', CERTIFICATE_AT, ...more])

  test('is refused by default, even on a test network, and never called verified', async () => {
    const ended = await run('--network', testNetwork)
    expect(ended.status).toBe(1)
    expect(lastLine(ended)).toContain('--policy devnet')
    expect(ended.stdout).toContain('REFUSED (simulated evidence)')
    expect(ended.stdout).not.toContain('VERIFIED')
  })

  test('is simulated under devnet on a network that says so', async () => {
    const ended = await run('--policy', 'devnet', '--network', testNetwork)
    expect(ended.status).toBe(0)
    expect(lastLine(ended)).toMatch(/^SIMULATED: .*It proves nothing\.$/)
  })

  test('is refused under devnet without such a network', async () => {
    const ended = await run('--policy', 'devnet')
    expect(ended.status).toBe(1)
    expect(ended.stdout).toContain('[attestation.simulated-network]')
  })
})

describe('a running node', () => {
  let network: TestNetwork
  beforeAll(async () => void (network = await startNetwork({ engineUrl: 'http://127.0.0.1:1', workers: 0 })))
  afterAll(() => network.close())

  test('shows its certificate, for its key, under the policy of its network', async () => {
    for (const port of [network.proxy.clientPort, network.proxy.workerPort]) {
      const args = ['verify', `127.0.0.1:${port}`, '--policy', 'devnet', '--network', testNetwork, '--json']
      const ended = await cocoon.run(args)
      expect(ended.stderr).toBe('')
      expect(ended.status).toBe(0)
      const shown = JSON.parse(ended.stdout) as { proven: string[] }
      expect(shown).toMatchObject({ outcome: 'simulated', evidence: 'simulated' })
      expect(shown.proven).toEqual([expect.stringMatching(/^The peer holds the private key of [0-9a-f]{64}\.$/)])
    }
  })

  test('of a test network is refused under the default policy', async () => {
    const ended = await cocoon.run(['verify', `127.0.0.1:${network.proxy.clientPort}`])
    expect(ended.status).toBe(1)
    expect(ended.stdout).toContain('REFUSED (simulated evidence)')
  })
})

describe('policies', () => {
  test('are listed with the hash that `hash` prints', async () => {
    const list = await cocoon.run(['policy', 'list'])
    expect(list.status).toBe(0)
    for (const name of ['mainnet', 'strict', 'devnet']) {
      const { stdout } = await cocoon.run(['policy', 'hash', name])
      expect(list.stdout).toContain(stdout.trim())
    }
  })

  test('in a file are explained, and judge', async () => {
    const own = { ...BUILT_IN_POLICIES.strict, name: 'own', about: 'Mine.', images: [imageOf(good)] }
    const path = write('own.json', JSON.stringify(own))
    const explained = await cocoon.run(['policy', 'explain', path])
    expect(explained.status).toBe(0)
    expect(explained.stdout).toContain(`The image hash must be one of: ${imageOf(good)}.`)
    const ended = await cocoon.run(['verify', recorded(good), '--bundle', bundle, '--at', good.at, '--policy', path])
    expect(ended.status).toBe(0)
    expect((await verifyQuote(good, recorded(good), '--policy', path)).stderr).toContain('--image says nothing')
  })
})
