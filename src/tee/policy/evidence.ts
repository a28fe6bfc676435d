/**
 * Deciding on evidence: which kinds a node accepts, and what a peer then is. Browser-safe: the certificate has been judged
 * elsewhere. Kinds that prove something (TDX, SEV-SNP) join `EvidenceKind` when their verification does.
 */
import { equalBytes, fromHex, isZero } from '../../util/index.ts'
import { teeError } from '../errors.ts'

/** `none`: evidence is not looked at. `simulated`: the development form is demanded; it proves nothing. */
export type EvidenceKind = 'none' | 'simulated'

/** The private extensions of a certificate. */
export type Evidence =
  | { readonly kind: 'absent' }
  | { readonly kind: 'tdx'; readonly quote: Uint8Array }
  | { readonly kind: 'sev'; readonly reportData: Uint8Array; readonly report: Uint8Array }

/** A key and what was shown for it. */
export interface KeyEvidence {
  /** 32 raw bytes, Ed25519. */
  readonly publicKey: Uint8Array
  /** What the evidence must contain to belong to this key, 64 bytes. */
  readonly reportData: Uint8Array
  readonly evidence: Evidence
}

/** What a peer's evidence amounts to. */
export type Judgement =
  | { readonly evidence: 'none'; readonly imageHash: null }
  | { readonly evidence: 'simulated'; readonly imageHash: Uint8Array }

export interface EvidencePolicy {
  /** At least one. With several, the strongest that the evidence satisfies counts. */
  readonly accept: readonly EvidenceKind[]
}

/** SHA-256 of 448 zero bytes: eight measurements and the report data's place. Must never be allowed by a registry. */
export const SIMULATED_TDX_IMAGE_HASH = '5c55c8f4db4010ba9203d83536d0609856af8c847ac039e37e7dde8fbd574b61'
/** SHA-256 of 112 zero bytes: one measurement and the report data's place. */
export const SIMULATED_SEV_IMAGE_HASH = 'b5fdab78d8947eacc864bfeecb4d2100780e5afe1cd8efafb124887913ac49fa'

/** The older form: the report data and nothing else. */
const BARE_BYTES = 64
/** The newer one: eight measurements of 48 bytes, the report data, a root hash of 48 bytes. */
const STRUCTURE_BYTES = 496
const STRUCTURE_REPORT_DATA_AT = 384
/** An SEV-SNP attestation report. */
const SEV_REPORT_BYTES = 1184
const SEV_REPORT_DATA_AT = 80

/** Throws `attestation.quote-required`, `.fake-quote-size`, `.fake-evidence`, `.report-data`, `config.policy-empty`. */
export function judgeEvidence(policy: EvidencePolicy, shown: KeyEvidence): Judgement {
  if (policy.accept.includes('simulated')) {
    try {
      return judgeSimulated(shown)
    } catch (error) {
      if (!policy.accept.includes('none')) throw error
    }
  }
  if (policy.accept.includes('none')) return { evidence: 'none', imageHash: null }
  throw teeError('config.policy-empty')
}

function judgeSimulated({ evidence, reportData }: KeyEvidence): Judgement {
  switch (evidence.kind) {
    case 'absent':
      throw teeError('attestation.quote-required')
    case 'tdx': {
      const { quote } = evidence
      if (quote.length === STRUCTURE_BYTES) verifyHollow(quote, STRUCTURE_REPORT_DATA_AT, reportData)
      else if (quote.length !== BARE_BYTES) throw teeError('attestation.fake-quote-size', { bytes: quote.length })
      else if (!equalBytes(quote, reportData)) throw teeError('attestation.report-data')
      return { evidence: 'simulated', imageHash: fromHex(SIMULATED_TDX_IMAGE_HASH) }
    }
    case 'sev': {
      const { report } = evidence
      if (report.length !== SEV_REPORT_BYTES) throw teeError('attestation.fake-quote-size', { bytes: report.length })
      verifyHollow(report, SEV_REPORT_DATA_AT, reportData)
      if (!equalBytes(evidence.reportData, reportData)) throw teeError('attestation.report-data')
      return { evidence: 'simulated', imageHash: fromHex(SIMULATED_SEV_IMAGE_HASH) }
    }
  }
}

/** Zero everywhere but in the report data. A measurement would be a claim that nothing here could check. */
function verifyHollow(bytes: Uint8Array, at: number, reportData: Uint8Array): void {
  const end = at + reportData.length
  if (!isZero(bytes.subarray(0, at)) || !isZero(bytes.subarray(end))) throw teeError('attestation.fake-evidence')
  if (!equalBytes(bytes.subarray(at, end), reportData)) throw teeError('attestation.report-data')
}
