/**
 * Who a peer is and what it can prove, in steps that do not mix: `quote/` and `x509/` read bytes without trust, `verify/`
 * checks signatures and status at a time, `policy/` decides, `assess/` does all three, `collateral/` is what vendors publish,
 * as a file; `ratls/` makes and reads the certificates that carry evidence. Nothing here uses a network or a clock.
 * `createVerifier` and `createIdentity` are what the transport asks for. Source: docs/attestation.md, docs/verification.md.
 *
 * All but `ratls/`, `assessCertificate` and `nodeVerifyCrypto` is browser-safe; browsers take `webVerifyCrypto`.
 */
export { TEE_ERRORS, type TeeErrorCode } from './errors.ts'

export * from './assess/index.ts'
export * from './collateral/index.ts'
export * from './policy/index.ts'
export * from './quote/index.ts'
export * from './verify/dcap/index.ts'
export * from './verify/nvidia/index.ts'
export * from './verify/snp/index.ts'
export * from './x509/index.ts'
export { type Check, type CheckInputs, type CheckOutcome, type Verification, verifiedOrThrow } from './verify/checks.ts'
export { nodeVerifyCrypto } from './x509/crypto-node.ts'

export { type CreateCertificateOptions, createCertificate, type NodeCertificate } from './ratls/create.ts'
export { type TlsRole, verifyRatls } from './ratls/verify.ts'
export { type CollateralSupply, fixedCollateral } from './peers/collateral-supply.ts'
export {
  createNetworkIdentity,
  createNetworkVerifier,
  type NetworkIdentity,
  type NetworkIdentityDeps,
  type NetworkRules,
  type NetworkVerifier,
  openNetworkIdentity,
  trustedRoots,
} from './peers/for-network.ts'
export type { Standing } from './peers/held-verdicts.ts'
export type { PeerRecord } from './peers/records.ts'
export {
  type AllowedImages,
  createPeerVerifier,
  type JudgedPeer,
  type PeerVerifier,
  type PeerVerifierDeps,
  type PeerVerifierOptions,
  type PeerVerifierStatus,
} from './peers/verifier.ts'
export type { EvidenceSource, SourcedEvidence } from './source/source.ts'
export {
  createIdentity,
  DEFAULT_RENEW_AFTER_MS,
  type EvidencedIdentity,
  type EvidencedIdentityOptions,
  type IdentityOptions,
  type IdentityStatus,
  type NodeIdentity,
  openIdentity,
} from './ratls/identity.ts'
export { createVerifier, type RatlsVerifier, type VerifiedPeer } from './ratls/verifier.ts'
