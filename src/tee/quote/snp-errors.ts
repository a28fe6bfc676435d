/** Why SEV-SNP evidence is refused: one code per check, each with its sentence. Browser-safe. */
import type { ErrorCode } from '../../util/index.ts'

export const SNP_ERRORS = {
  'attestation.snp-malformed': 'The SEV-SNP report is not well formed.',
  'attestation.snp-version-unsupported': 'The SEV-SNP report has a version that is not known here.',
  'attestation.snp-signature-algorithm': 'The SEV-SNP report must be signed with ECDSA P-384 and SHA-384.',
  'attestation.snp-signing-key': 'The report and its leaf certificate name different kinds of key.',
  'attestation.snp-product': 'Report and certificates are of different or unknown AMD product lines.',
  'attestation.snp-certificate-format': 'A certificate of the AMD chain is not well formed.',
  'attestation.snp-chain': 'The AMD certificates are no chain: ARK, ASK or ASVK, leaf.',
  'attestation.snp-root-untrusted': 'The AMD chain does not end in a pinned root key.',
  'attestation.snp-certificate-expired': 'A certificate of the AMD chain has expired.',
  'attestation.snp-certificate-not-yet-valid': 'A certificate of the AMD chain is not valid yet.',
  'attestation.snp-crl-missing': 'The revocation list of the AMD root is missing.',
  'attestation.snp-crl-format': 'The AMD revocation list is not well formed.',
  'attestation.snp-crl-issuer': 'The AMD revocation list is of another issuer.',
  'attestation.snp-crl-signature': 'The AMD revocation list is not signed by the root.',
  'attestation.snp-crl-expired': 'The AMD revocation list is older than its validity.',
  'attestation.snp-revoked': 'A certificate of the AMD chain is revoked.',
  'attestation.snp-leaf-extension': 'The AMD leaf lacks an extension or has one that is not well formed.',
  'attestation.snp-tcb-mismatch': 'The leaf certificate was issued for other firmware versions than the report states.',
  'attestation.snp-chip-id': 'The leaf certificate belongs to another chip.',
  'attestation.snp-report-signature': 'The report is not signed by the leaf key.',
  'attestation.snp-debug': 'The guest policy allows debugging: the host can read everything inside.',
  'attestation.snp-migration': 'The guest policy allows a migration agent, and the policy here does not.',
  'attestation.snp-vmpl': 'The report was asked for at another privilege level than expected.',
  'attestation.snp-platform': 'The machine lacks a protection that the policy demands.',
  'attestation.snp-tcb-too-old': 'The firmware is older than the policy demands.',
  'attestation.snp-measurement': 'The measurement is not on the list of allowed ones.',
  'attestation.snp-host-data': 'The host data is not what the policy demands.',
  'attestation.snp-report-data': 'The report was made for another key or challenge.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type SnpErrorCode = keyof typeof SNP_ERRORS
