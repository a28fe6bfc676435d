/**
 * Verdict by verdict beside an independent verifier, over every sample. Where the two differ, the reason and the clause of the
 * vendor's specification stand here; a difference without one fails. Source: docs/verification.md, "Beside another verifier".
 */
import { describe, expect, test } from 'vitest'
import { examineDcapQuote, parseDcapCollateral, verifyDcapCollateral } from '../../src/tee/verify/dcap/index.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { type DcapCase, dcapCases, rootKeyOf, sourceOf, vector } from '../support/dcap-vectors.ts'
import { askOtherVerifier, type Tampering } from '../support/other-verifier.ts'

/** Our status, or `refused: CODE`. */
async function askOurs(one: DcapCase, at = one.at, tamper: Tampering = (_, bytes) => bytes): Promise<string> {
  const nowMs = Date.parse(at)
  const tampered = {
    ...sourceOf(one),
    pckCrl: tamper('pckCrl', vector(one.collateral.pckCrl)),
    rootCaCrl: tamper('rootCaCrl', vector(one.collateral.rootCaCrl)),
  }
  try {
    const options = { crypto: nodeVerifyCrypto, nowMs, skewMs: 0, rootKey: rootKeyOf(one) }
    const collateral = await verifyDcapCollateral(parseDcapCollateral(tampered), options)
    const result = await examineDcapQuote(vector(one.quote), collateral, nowMs)
    return result.ok ? result.facts.tcb.status : `refused: ${result.code}`
  } catch (error) {
    return `refused: ${(error as { code?: string }).code}`
  }
}

/** Why the other one says something else. By quote, with the clause that decides it. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'tdx/v4-00806f-cos113-with-eventlog.bin': 'module',
  'tdx/v4-00806f-azure-paravisor.bin': 'module',
  'tdx/v5-00806f-migratable-outofdate.bin': 'module',
  'tdx/v5-90c06f-relaunch-advised.bin': 'module',
  'tdx/v4-50806f-debug-td.bin': 'debug',
  'sgx/v3-intel-sample-test-root.bin': 'tcb-info-v2',
}

/** What the clause says, and how the other verifier's words show that it is the reason. */
const CLAUSES: Readonly<Record<string, { readonly clause: string; readonly shows: RegExp }>> = {
  module: {
    clause:
      'Intel PCS API v4, "Get TDX TCB Info": where TEE_TCB_SVN[1] is not 0, the module has an identity of its own and the components of a level are compared from index 2 on. The other one compares them from index 0.',
    shows: /^OutOfDate$|No matching TCB level/,
  },
  debug: {
    clause:
      'Intel’s quote verification leaves the debug attribute to whoever appraises the quote: a policy flag here, refused by every policy. The other one refuses it while verifying.',
    shows: /Debug mode/,
  },
  'tcb-info-v2': {
    clause:
      'Intel PCS API v3: TCB info of version 2 names its components one by one. The other one reads version 3 only.',
    shows: /decode TcbInfo/,
  },
}

const agrees = (ours: string, other: string): boolean =>
  ours === other || (ours.startsWith('refused: ') && other.startsWith('refused: '))

test('every sample comes out alike, or differs by a clause that stands here', async () => {
  const table = await Promise.all(
    dcapCases.map(async (one) => ({ one, ours: await askOurs(one), other: askOtherVerifier(one) })),
  )
  const differing = table.filter(({ ours, other }) => !agrees(ours, other))
  const unexplained = differing.filter(({ one, other }) => {
    const reason = EXPLAINED[one.quote]
    return reason === undefined || CLAUSES[reason]?.shows.test(other) !== true
  })
  expect(unexplained.map(({ one, ours, other }) => `${one.id}: ${ours} here, ${other} there`)).toEqual([])
  // Of 42: whoever changes the verifier or the samples looks at the list again.
  expect(differing).toHaveLength(15)
  expect(new Set(differing.map(({ one }) => one.quote))).toEqual(new Set(Object.keys(EXPLAINED)))
})

describe('revocation lists', () => {
  const good = dcapCases.find((one) => one.id.startsWith('cf77a6e91e48') && one.at.startsWith('2026-03-31')) as DcapCase
  const forge: Tampering = (name, bytes) => {
    const forged = bytes.slice()
    // Inside the signature value, which is the end of a list.
    if (name === 'pckCrl') forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1
    return forged
  }
  const empty: Tampering = (name, bytes) => (name === 'pckCrl' ? new Uint8Array() : bytes)

  test('both take the lists as they are', async () => {
    expect([await askOurs(good), askOtherVerifier(good)]).toEqual(['UpToDate', 'UpToDate'])
  })

  test.each([
    ['a forged signature', forge],
    ['no bytes at all', empty],
  ])('with %s is refused here; RFC 5280, 6.3.3 asks for it', async (_, tamper) => {
    expect(await askOurs(good, good.at, tamper)).toMatch(/^refused: attestation\./)
  })
})
