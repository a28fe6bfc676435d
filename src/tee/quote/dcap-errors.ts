/** Why an Intel quote is refused while it is read: one code each with its sentence. Browser-safe. */
import type { ErrorCode } from '../../util/index.ts'

export const DCAP_QUOTE_ERRORS = {
  'attestation.quote-too-large': 'The quote is larger than 32768 bytes.',
  'attestation.quote-malformed': 'The quote is not well formed.',
  'attestation.quote-version-unsupported': 'The quote must have version 3, 4 or 5.',
  'attestation.attestation-key-type-unsupported': 'The attestation key must be ECDSA P-256 (type 2).',
  'attestation.tee-type-unsupported': 'The quote must be of a TDX guest (81 hex), or of an SGX enclave (0).',
  'attestation.qe-vendor': 'The quoting enclave is not from Intel.',
  'attestation.certification-data-type': 'The quote must carry its PCK certificate chain (certification data type 5).',
} as const satisfies Partial<Record<ErrorCode, string>>
