/**
 * Evidence from bytes to verdict: `detectEvidence` says what it is, `assessEvidence` and `assessCertificate` verify it with
 * a collateral bundle and judge it by a policy. No network, no clock. Browser-safe.
 * Source: docs/verification.md.
 */
export { type Assessment, type AssessOptions, type CheckGroup, type Findings, type TrustedRoots } from './assessment.ts'
export {
  assessCertificate,
  type CertificateRole,
  concludeCertificate,
  deservesCollateral,
  examineShownEvidence,
  isExaminedAtOnce,
  type ShownCertificate,
  wantsOfCertificate,
  wantsOfCertificateFile,
} from './certificate.ts'
export { examineClaims, type GpuFindings, type GpuOptions } from './gpu.ts'
export { DcapCollateralMemory } from './collateral-memory.ts'
export { type DetectedEvidence, detectEvidence, type EvidenceForm, MAX_EVIDENCE_BYTES } from './detect.ts'
export { ASSESS_ERRORS, type AssessErrorCode } from './errors.ts'
export { encodeSession, parseSession, type RecordedSession } from './session.ts'
export { assessEvidence } from './evidence.ts'
