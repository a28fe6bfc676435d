/**
 * Who a peer is and what it can prove, in steps that do not mix: `quote/` and `x509/` read bytes without trust, `verify/`
 * checks signatures and status at a time, `policy/` decides, `assess/` does all three, `collateral/` is what vendors publish,
 * as a file; `measure/` computes what hardware will say of an image; `ratls/` makes and reads the certificates that carry
 * evidence, `source/` asks the machine for it. Nothing here uses a network or a clock.
 * `createVerifier` and `createIdentity` are what the transport asks for. Source: docs/attestation.md, docs/verification.md.
 *
 * `browser.ts` is the part that works in a browser; it has `webVerifyCrypto` in the place of `nodeVerifyCrypto`.
 */
export * from './browser.ts'
export { nodeVerifyCrypto } from './x509/crypto-node.ts'

export { type CreateCertificateOptions, createCertificate, type NodeCertificate } from './ratls/create.ts'
export { verifyRatls } from './ratls/verify.ts'
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
export { createCommandSource, type CommandSourceOptions } from './source/command-source.ts'
export { openTsmSource, TSM_ROOT, type TsmSourceOptions } from './source/configfs-tsm.ts'
export { collectGpusFor, createGpuCommandSource, type GpuSource, NVATTEST } from './source/gpu-command.ts'
export type { EvidenceSource, SourcedEvidence } from './source/source.ts'
export { nodeTsmFiles, type TsmFiles } from './source/tsm-files.ts'
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
