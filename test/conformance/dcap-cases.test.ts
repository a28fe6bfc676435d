/** Real quotes with the collateral of their time must come out as in Intel's own library. Source: spec/vectors/attestation. */
import { describe, expect, test } from 'vitest'
import {
  type DcapFacts,
  examineDcapQuote,
  INTEL_SGX_ROOT_KEY,
  parseDcapCollateral,
  type VerifiedDcapCollateral,
  verifyDcapCollateral,
  verifyDcapQuote,
} from '../../src/tee/verify/dcap/index.ts'
import type { Verification } from '../../src/tee/verify/checks.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { type VerifyCrypto, webVerifyCrypto } from '../../src/tee/x509/index.ts'
import { equalBytes, toHex } from '../../src/util/index.ts'
import { caseOf, type DcapCase, dcapCases, dcapQuotes, rootKeyOf, sourceOf, vector } from '../support/dcap-vectors.ts'

const CRYPTO: readonly (readonly [string, VerifyCrypto])[] = [
  ['node:crypto', nodeVerifyCrypto],
  ['WebCrypto', webVerifyCrypto()],
]

const verifiedAt = (one: DcapCase, crypto: VerifyCrypto, nowMs: number, skewMs = 0): Promise<VerifiedDcapCollateral> =>
  verifyDcapCollateral(parseDcapCollateral(sourceOf(one)), { crypto, nowMs, skewMs, rootKey: rootKeyOf(one) })

async function examine(one: DcapCase, crypto: VerifyCrypto): Promise<Verification<DcapFacts>> {
  const nowMs = Date.parse(one.at)
  return examineDcapQuote(vector(one.quote), await verifiedAt(one, crypto, nowMs), nowMs)
}

describe.each(CRYPTO)('with %s', (_, crypto) => {
  test.each(dcapCases.map((one) => [one.id, one] as const))('%s comes out as expected', async (_id, one) => {
    const result = await examine(one, crypto)
    const { expect: due } = one
    if (due.error !== undefined) {
      expect(result).toMatchObject({ ok: false, code: `attestation.${due.error}`, facts: null })
      const failed = result.checks.filter((check) => check.outcome === 'failed')
      expect(new Set(failed.map((check) => check.code))).toEqual(new Set([`attestation.${due.error}`]))
      return
    }
    if (!result.ok) throw new Error(`${result.code}: ${JSON.stringify(result.checks.at(-1))}`)
    const { tcb, flags, validFrom, validUntil } = result.facts
    expect(tcb.status).toBe(due.tcbStatus)
    expect(result.checks.filter((check) => check.outcome === 'failed')).toEqual([])
    if (due.tcbEvaluationDataNumber !== undefined) expect(tcb.evaluationDataNumber).toBe(due.tcbEvaluationDataNumber)
    if (due.launch !== undefined) {
      const { status, tcbDate, advisoryIds } = due.launch
      // The index names the overall word there; what the launch alone amounts to is what made it one.
      expect(tcb.launch).toEqual({
        status: status === 'TDRelaunchAdvised' ? 'OutOfDate' : status,
        date: tcbDate,
        advisoryIds,
      })
      expect(tcb).toMatchObject({ date: tcbDate, advisoryIds })
    }
    if (due.current === undefined) expect(tcb.current).toBeNull()
    else {
      const { status, tcbDate, advisoryIds } = due.current
      expect(tcb.current).toEqual({ status, date: tcbDate, advisoryIds })
    }
    if (due.policyFlags !== undefined) expect(flags).toEqual(due.policyFlags)
    if (one.validFrom !== undefined)
      expect({ validFrom, validUntil }).toEqual({ validFrom: one.validFrom, validUntil: one.validUntil })
  })
})

describe('the facts of a verified quote', () => {
  const verified = dcapCases.filter((one) => one.expect.error === undefined)

  test.each(verified.map((one) => [one.id, one] as const))('%s: are those of the index', async (_id, one) => {
    const result = await examine(one, nodeVerifyCrypto)
    const index = dcapQuotes[one.quote] as Record<string, unknown>
    expect(result.facts).toMatchObject({
      imageHash: index['cocoonImageHash'],
      reportData: index['reportData'],
      quoteVersion: index['version'],
      trailingBytes: index['trailingBytes'],
    })
    const pck = index['pck'] as Record<string, unknown> | undefined
    if (pck === undefined) return
    expect(result.facts?.platform).toMatchObject({
      fmspc: String(pck['fmspc']).toLowerCase(),
      pceId: pck['pceId'],
      sgxComponents: pck['cpuSvnComponents'],
      pceSvn: pck['pceSvn'],
      pckIssuer: pck['issuerCN'],
      pckSerial: String(pck['serial']).padStart(40, '0'),
    })
  })

  test('are nothing but JSON, and so are the checks', async () => {
    const result = await examine(caseOf('tdx/v5-90c06f-relaunch-advised.bin'), nodeVerifyCrypto)
    expect(JSON.parse(JSON.stringify(result))).toEqual(result)
  })

  test('name the hash of Intel’s root key', async () => {
    const result = await examine(caseOf('tdx/v4-cocoon-reference.bin'), nodeVerifyCrypto)
    expect(result.facts?.rootKeyHash).toBe(
      '46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993',
    )
  })

  test('list each check under an id of its own', async () => {
    const { checks } = await examine(caseOf('tdx/v5-90c06f-uptodate.bin'), nodeVerifyCrypto)
    expect(new Set(checks.map((check) => check.id)).size).toBe(checks.length)
    expect(checks.length).toBeGreaterThan(30)
  })
})

describe('time', () => {
  // Every part ends at a second of its own; the window in the index is what they leave together.
  const windowed = dcapCases.filter((one) => one.validFrom !== undefined && one.expect.error === undefined)

  test.each(windowed.map((one) => [one.id, one] as const))('%s: holds to the second', async (_id, one) => {
    const [from, until] = [Date.parse(one.validFrom as string), Date.parse(one.validUntil as string)]
    const quote = vector(one.quote)
    const collateral = await verifiedAt(one, nodeVerifyCrypto, Date.parse(one.at))
    for (const nowMs of [from, until, until + 999])
      await expect(verifyDcapQuote(quote, collateral, nowMs)).resolves.toMatchObject({
        facts: { tcb: { status: one.expect.tcbStatus } },
      })
    for (const nowMs of [from - 1, from - 1000, until + 1000, Number.NaN])
      await expect(verifyDcapQuote(quote, collateral, nowMs)).rejects.toMatchObject({
        code: expect.stringMatching(
          /^attestation\.(pck-chain|pck-crl|root-crl|tcb-signing|tcb-info|qe-identity)-expired$/,
        ),
      })
  })

  test('a clock within the skew accepts what was issued just now, one second beyond does not', async () => {
    const one = caseOf('tdx/v4-cocoon-reference.bin')
    const from = Date.parse(one.validFrom as string)
    const collateral = await verifiedAt(one, nodeVerifyCrypto, Date.parse(one.at), 300_000)
    const quote = vector(one.quote)
    await expect(verifyDcapQuote(quote, collateral, from - 300_000)).resolves.toBeDefined()
    await expect(verifyDcapQuote(quote, collateral, from - 301_000)).rejects.toMatchObject({
      code: expect.stringMatching(/-expired$/),
    })
  })

  test('the skew does not lengthen anything', async () => {
    const one = caseOf('tdx/v4-cocoon-reference.bin')
    const collateral = await verifiedAt(one, nodeVerifyCrypto, Date.parse(one.at), 300_000)
    const late = Date.parse(one.validUntil as string) + 1000
    await expect(verifyDcapQuote(vector(one.quote), collateral, late)).rejects.toMatchObject({
      code: expect.stringMatching(/-expired$/),
    })
  })
})

describe('quotes and collateral that do not belong together are refused', () => {
  const tdx = caseOf('tdx/v4-cocoon-reference.bin', '2025-10-21')
  const at = Date.parse(tdx.at)
  const mixed = async (parts: Partial<DcapCase['collateral']>, quote = tdx.quote): Promise<unknown> => {
    const one = { ...tdx, collateral: { ...tdx.collateral, ...parts } }
    const result = await examineDcapQuote(vector(quote), await verifiedAt(one, nodeVerifyCrypto, at), at)
    return result.ok ? 'accepted' : result.code
  }

  test('another platform', async () => {
    expect(await mixed({ tcbInfo: 'collateral/tcb-info/tdx-b0c06f000000-eval17-20250929-dcb2.json' })).toBe(
      'attestation.tcb-info-mismatch',
    )
  })

  test('the list of the other PCK CA', async () => {
    expect(await mixed({ pckCrl: 'collateral/crl/pck-processor-20250619-5b07.der' })).toBe('attestation.pck-crl-issuer')
  })

  test('TDX collateral with an SGX quote', async () => {
    expect(await mixed({}, 'sgx/v3-00606a-outofdate.bin')).toBe('attestation.tcb-info-format')
  })

  test('a quote that carries an encrypted PPID instead of its chain', async () => {
    expect(await mixed({}, 'sgx/v3-encrypted-ppid-no-chain.bin')).toBe('attestation.certification-data-type')
  })

  test('a root that is not Intel’s', async () => {
    const sample = caseOf('tdx/v4-intel-sample-test-root.bin')
    const nowMs = Date.parse(sample.at)
    await expect(
      verifyDcapCollateral(parseDcapCollateral(sourceOf(sample)), { crypto: nodeVerifyCrypto, nowMs }),
    ).rejects.toMatchObject({ code: 'attestation.root-crl-signature' })
    const collateral = await verifiedAt(sample, nodeVerifyCrypto, nowMs)
    const foreign = { ...collateral, collateral: { ...collateral.collateral, pckChain: null } }
    await expect(verifyDcapQuote(vector(tdx.quote), foreign, nowMs)).rejects.toMatchObject({
      code: 'attestation.pck-root-untrusted',
    })
  })
})

test('the trusted root key is that of Intel’s certificate, 2049 edition', () => {
  expect(equalBytes(rootKeyOf(caseOf('tdx/v4-cocoon-reference.bin')), INTEL_SGX_ROOT_KEY)).toBe(true)
  expect(toHex(INTEL_SGX_ROOT_KEY).slice(0, 16)).toBe('0ba9c4c0c0c86193')
})
