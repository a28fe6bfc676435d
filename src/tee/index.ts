/**
 * Who a peer is and what it can prove: RA-TLS certificates (`ratls/`) and the decision on their evidence (`policy/`).
 * `createVerifier` and `createIdentity` are what the transport asks for. What exists: no evidence, and simulated evidence,
 * which proves nothing. Source: docs/attestation.md.
 */
export { TEE_ERRORS, type TeeErrorCode } from './errors.ts'
export {
  type Evidence,
  type EvidenceKind,
  type EvidencePolicy,
  type Judgement,
  judgeEvidence,
  type KeyEvidence,
  SIMULATED_SEV_IMAGE_HASH,
  SIMULATED_TDX_IMAGE_HASH,
} from './policy/evidence.ts'
export { type Certificate, parseCertificate } from './x509/certificate.ts'
export { type CreateCertificateOptions, createCertificate, type NodeCertificate } from './ratls/create.ts'
export { type TlsRole, verifyRatls } from './ratls/verify.ts'
export {
  createIdentity,
  createVerifier,
  DEFAULT_RENEW_AFTER_MS,
  type IdentityOptions,
  type NodeIdentity,
  type RatlsVerifier,
  type VerifiedPeer,
} from './ratls/verifier.ts'
