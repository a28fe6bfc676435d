/**
 * Verifying NVIDIA GPUs: `verifyGpu` lists every check, `verifyManifest` those of one reference manifest. Browser-safe.
 * Source: spec/attestation-snp-gpu.md.
 */
export { type Comparison, compareMeasurements, conflictsOf } from './compare.ts'
export type { GpuArchitecture } from './leaf.ts'
export { type Manifest, parseManifest, type ReferenceValue, type SignedManifest } from './manifest.ts'
export { gpuNonceFor } from './nonce.ts'
export {
  type DetachedEat,
  parseDetachedEat,
  parseRemoteKeys,
  type RemoteClaims,
  type RemoteExpectations,
  type RemoteKey,
  verifyRemote,
} from './remote.ts'
export { NVIDIA_DEVICE_ROOT, NVIDIA_MANIFEST_ROOT } from './roots.ts'
export {
  type GpuCollateral,
  type GpuContext,
  type GpuExpectations,
  type GpuFacts,
  verifyGpu,
} from './verify.ts'
export { type ManifestContext, type ManifestFacts, verifyManifest } from './verify-manifest.ts'
