/** Verifying AMD SEV-SNP reports: `verifySnp` lists every check. Browser-safe. Source: spec/attestation-snp-gpu.md. */
export { protectionsOf, type SnpExpectations, type SnpProtection, type SnpTcbs } from './guest.ts'
export { readSnpLeaf, type SnpLeaf } from './leaf.ts'
export { AMD_ROOTS, type SnpRoot } from './roots.ts'
export {
  type SnpCollateral,
  type SnpContext,
  type SnpEvidence,
  type SnpFacts,
  snpImageHash,
  verifySnp,
} from './verify.ts'
