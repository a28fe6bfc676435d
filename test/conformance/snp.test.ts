/** SEV-SNP: every recorded report with its certificates, at its time, yields the recorded fields and verdict. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseSnpReport, type SnpReport } from '../../src/tee/quote/snp.ts'
import { faultOfChain, subjectText } from '../../src/tee/verify/chain.ts'
import { AMD_ROOTS } from '../../src/tee/verify/snp/roots.ts'
import { verifySnp } from '../../src/tee/verify/snp/verify.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { type Certificate, extensionOf, parseCertificate, readPem, webVerifyCrypto } from '../../src/tee/x509/index.ts'
import { toHex } from '../../src/util/index.ts'
import { certificatesIn, LENIENT_SNP, STRICT_SNP, vectorBytes, vectorJson } from '../support/attestation-vectors.ts'
import { createTestCertificate, createTestKey } from '../support/test-pki.ts'

interface SnpCase {
  readonly report: string
  readonly leaf: string
  readonly chain: string
  readonly at: string
  readonly leafValid?: readonly [string, string]
  readonly expect: Readonly<Record<string, unknown>> & { readonly verdict: 'accept' | 'reject' }
}

const cases = vectorJson<SnpCase[]>('snp.json')
const accepted = cases.filter((one) => one.expect.verdict === 'accept')
const rejected = cases.filter((one) => one.expect.verdict === 'reject')

const inputsOf = (one: SnpCase) => {
  const [intermediate, root] = certificatesIn(one.chain)
  const [leaf] = certificatesIn(one.leaf)
  return {
    evidence: { report: vectorBytes(one.report), leaf: leaf as Uint8Array },
    collateral: { intermediate: intermediate as Uint8Array, root: root as Uint8Array, crl: null },
  }
}

const verifyAt = (one: SnpCase, nowMs: number, expected = LENIENT_SNP, crypto = nodeVerifyCrypto) => {
  const { evidence, collateral } = inputsOf(one)
  return verifySnp(evidence, collateral, expected, { crypto, nowMs })
}

/** The fields as the index writes them. */
function shown(report: SnpReport): Record<string, unknown> {
  const word = (n: bigint): string => `0x${n.toString(16)}`
  const flags = Number(report.authorKeyEnabled) | (Number(report.chipIdMasked) << 1)
  return {
    version: report.version,
    guestSvn: report.guestSvn,
    policy: `0x${report.policy.raw.toString(16).padStart(16, '0')}`,
    debugAllowed: report.policy.debugAllowed,
    vmpl: report.vmpl,
    currentTcb: toHex(report.currentTcb),
    platformInfo: word(report.platform.raw),
    flags: `0x${flags.toString(16)}`,
    reportData: toHex(report.reportData),
    measurement: toHex(report.measurement),
    hostData: toHex(report.hostData),
    idKeyDigest: toHex(report.idKeyDigest),
    reportId: toHex(report.reportId),
    reportedTcb: toHex(report.reportedTcb),
    cpuid: report.cpuid === null ? null : [report.cpuid.family, report.cpuid.model, report.cpuid.stepping],
    chipId: toHex(report.chipId),
    committedTcb: toHex(report.committedTcb),
    launchTcb: toHex(report.launchTcb),
  }
}

test('the index holds four genuine reports and two with foreign leaves', () => {
  expect([accepted.length, rejected.length]).toEqual([4, 2])
})

describe.each(accepted)('$report', (one) => {
  test('parses to the recorded fields', () => {
    const report = parseSnpReport(vectorBytes(one.report))
    expect(one.expect).toMatchObject(shown(report))
    expect(String(one.expect.signingKey).toLowerCase()).toContain(report.signingKey)
    expect(report.reservedNonZero).toEqual([])
  })

  test('verifies with its chain at its time, in Node and over WebCrypto alike', async () => {
    const at = Date.parse(one.at)
    const result = await verifyAt(one, at)
    expect(result.checks.filter((c) => c.outcome === 'failed')).toEqual([])
    expect(result).toMatchObject({ ok: true, facts: { signingKey: 'vcek' } })
    expect(await verifyAt(one, at, LENIENT_SNP, webVerifyCrypto())).toEqual(result)
  })

  test('its leaf states what the index records', () => {
    const leaf = parseCertificate(inputsOf(one).evidence.leaf)
    const recorded = one.expect.leafExtensions as Record<string, string>
    for (const [suffix, hex] of Object.entries(recorded))
      expect(toHex(extensionOf(leaf, `1.3.6.1.4.1.3704.1.${suffix}`) ?? new Uint8Array())).toBe(hex)
  })

  test('the leaf is good from its first second to its last, but for the allowed skew', async () => {
    const [from, until] = (one.leafValid as readonly [string, string]).map(Date.parse) as [number, number]
    const codeAt = async (ms: number): Promise<string> => {
      const result = await verifyAt(one, ms)
      return result.ok ? 'ok' : result.code
    }
    expect(await codeAt(until)).toBe('ok')
    expect(await codeAt(until + 999)).toBe('ok')
    expect(await codeAt(until + 1000)).toBe('attestation.snp-certificate-expired')
    expect(await codeAt(from)).toBe('ok')
    expect(await codeAt(from - 300_000)).toBe('ok')
    expect(await codeAt(from - 301_000)).toBe('attestation.snp-certificate-not-yet-valid')
  })

  test('with the chain of any other product it is refused', async () => {
    const { evidence } = inputsOf(one)
    for (const product of ['milan', 'genoa', 'turin', 'milan-vlek', 'genoa-vlek', 'turin-vlek']) {
      const chain = `snp/chain/${product}.pem`
      if (chain === one.chain) continue
      const [intermediate, root] = certificatesIn(chain) as [Uint8Array, Uint8Array]
      const context = { crypto: nodeVerifyCrypto, nowMs: Date.parse(one.at) }
      const result = await verifySnp(evidence, { intermediate, root, crl: null }, LENIENT_SNP, context)
      expect(result.ok).toBe(false)
    }
  })
})

describe.each(rejected)('$leaf', (one) => {
  test('is refused for the chain, and the report is not signed by it', async () => {
    const result = await verifyAt(one, Date.parse(one.at))
    expect(result).toMatchObject({ ok: false, code: 'attestation.snp-chain' })
    const failed = result.checks.filter((c) => c.outcome === 'failed').map((c) => c.id)
    expect(failed).toEqual(expect.arrayContaining(['snp-chain', 'snp-report-signature']))
  })
})

test('under a strict policy exactly the report whose policy allows debugging is refused, for that', async () => {
  const codes = await Promise.all(
    accepted.map(async (one) => {
      const result = await verifyAt(one, Date.parse(one.at), STRICT_SNP)
      return [one.report, result.ok ? 'ok' : result.code]
    }),
  )
  expect(codes.filter(([, code]) => code !== 'ok')).toEqual([['snp/v2-milan-gosevguest.bin', 'attestation.snp-debug']])
})

test('the pins are those of the published root certificates, whose fingerprints stand beside them', async () => {
  const source = readFileSync(new URL('../../src/tee/verify/snp/roots.ts', import.meta.url), 'utf8')
  for (const { product, keyPin } of AMD_ROOTS)
    for (const suffix of ['', '-vlek']) {
      const root = certificatesIn(`snp/chain/${product.toLowerCase()}${suffix}.pem`)[1] as Uint8Array
      expect(toHex(await nodeVerifyCrypto.sha256(parseCertificate(root).spki))).toBe(keyPin)
      expect(source).toContain(toHex(await nodeVerifyCrypto.sha256(root)))
    }
})

test.each(['milan', 'genoa', 'turin'])(
  'ASK and ASVK of %s are signed by its root, and may sign leaves',
  async (product) => {
    const pins = AMD_ROOTS.map((root) => root.keyPin)
    const leaf = createTestKey('p384')
    for (const [suffix, name] of [
      ['', 'SEV-'],
      ['-vlek', 'SEV-VLEK-'],
    ] as const) {
      const path = `snp/chain/${product}${suffix}.pem`
      expect(readPem(vectorBytes(path))).toHaveLength(2)
      const [intermediate, root] = certificatesIn(path).map(parseCertificate) as [Certificate, Certificate]
      expect(subjectText(intermediate).toLowerCase()).toBe(`${name}${product}`.toLowerCase())
      // A leaf that nobody signed: everything above it holds.
      const subject = subjectText(intermediate)
      const fake = createTestCertificate({ subject: 'leaf', issuer: subject, key: leaf, signer: leaf })
      const chain = [{ ...parseCertificate(fake), issuer: intermediate.subject }, intermediate, root]
      expect(await faultOfChain(nodeVerifyCrypto, chain, pins)).toEqual({ problem: 'signature', subject: 'leaf' })
    }
  },
)
