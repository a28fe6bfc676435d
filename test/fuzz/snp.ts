/** Damaged SEV-SNP evidence: no bit of what is signed may change and still verify, and no bytes may upset the parser. */
import { parseSnpReport, SNP_REPORT_BYTES, SNP_SIGNED_BYTES } from '../../src/tee/quote/snp.ts'
import { type SnpCollateral, type SnpEvidence, verifySnp } from '../../src/tee/verify/snp/verify.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { certificatesIn, LENIENT_SNP, rememberingGood, vectorBytes } from '../support/attestation-vectors.ts'
import { changeAnyhow, damage, flipBit, pick, seededDraw } from '../support/mutations.ts'
import { refusalOf } from '../support/refusals.ts'

const GENUINE = [
  { report: 'v2-milan-gosevguest.bin', leaf: 'v2-milan-gosevguest.leaf.der', chain: 'milan', at: '2026-03-25' },
  { report: 'v2-milan-trustee.bin', leaf: 'v2-milan-trustee.leaf.der', chain: 'milan', at: '2026-07-26' },
  { report: 'v3-genoa-ms.bin', leaf: 'v3-genoa-ms.leaf.pem', chain: 'genoa', at: '2029-08-06' },
  { report: 'v5-turin-ms.bin', leaf: 'v5-turin-ms.leaf.pem', chain: 'turin', at: '2029-08-06' },
] as const

/** What is signed by somebody, one kind each. */
export const SNP_REGIONS = ['report', 'signature', 'leaf', 'intermediate', 'root'] as const
export type SnpRegion = (typeof SNP_REGIONS)[number]

const genuine = () =>
  GENUINE.map(({ report, leaf, chain, at }) => {
    const [intermediate, root] = certificatesIn(`snp/chain/${chain}.pem`) as [Uint8Array, Uint8Array]
    const evidence: SnpEvidence = { report: vectorBytes(`snp/${report}`), leaf: pick(certificatesIn(`snp/${leaf}`), 0) }
    const collateral: SnpCollateral = { intermediate, root, crl: null }
    return { evidence, collateral, nowMs: Date.parse(at) }
  })

/** Changes a bit of the report, or a certificate in any way, `count` times. Returns how often each code was the answer; throws on a find. */
export async function mutateSnp(seed: number, region: SnpRegion, count: number): Promise<Record<string, number>> {
  const draw = seededDraw(seed)
  const crypto = rememberingGood(nodeVerifyCrypto)
  const all = genuine()
  const codes: Record<string, number> = {}
  for (let i = 0; i < count; i++) {
    const { evidence, collateral, nowMs } = pick(all, i)
    const inReport = (from: number, to: number) => ({ ...evidence, report: flipBit(evidence.report, from, to, draw) })
    const whole = (bytes: Uint8Array): Uint8Array => changeAnyhow(bytes, draw)
    const [shown, published] = {
      report: () => [inReport(0, SNP_SIGNED_BYTES), collateral] as const,
      signature: () => [inReport(SNP_SIGNED_BYTES, SNP_REPORT_BYTES), collateral] as const,
      leaf: () => [{ ...evidence, leaf: whole(evidence.leaf) }, collateral] as const,
      intermediate: () => [evidence, { ...collateral, intermediate: whole(collateral.intermediate) }] as const,
      root: () => [evidence, { ...collateral, root: whole(collateral.root) }] as const,
    }[region]()
    const result = await verifySnp(shown, published, LENIENT_SNP, { crypto, nowMs })
    if (result.ok) throw new Error(`seed ${seed}, ${region}: mutation ${i} verifies`)
    codes[result.code] = (codes[result.code] ?? 0) + 1
  }
  return codes
}

/** Damaged reports are refused with a code and an offset, or parse. Returns how many parsed. */
export function fuzzSnpParser(seed: number, count: number): number {
  const draw = seededDraw(seed)
  const reports = GENUINE.map(({ report }) => vectorBytes(`snp/${report}`))
  let parsed = 0
  for (let i = 0; i < count; i++) {
    // Length decides almost everything: keep it in half of the runs, so that the fields are reached.
    const damaged = damage(pick(reports, draw(reports.length)), draw)
    const fixed = new Uint8Array(SNP_REPORT_BYTES)
    fixed.set(damaged.subarray(0, SNP_REPORT_BYTES))
    const bytes = draw(2) === 0 ? damaged : fixed
    if (refusalOf(() => parseSnpReport(bytes, { reserved: draw(2) === 0 ? 'refuse' : 'tolerate' }), bytes) === null)
      parsed++
  }
  return parsed
}
