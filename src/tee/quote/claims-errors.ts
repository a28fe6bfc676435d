/** Why what a peer claims beside its certificate is refused: one code per check, each with its sentence. Browser-safe. */
import type { ErrorCode } from '../../util/index.ts'

export const CLAIMS_ERRORS = {
  'attestation.claims-malformed': 'The claims are not well formed.',
  'attestation.claims-key': 'The claims are of another key than the certificate’s.',
  'attestation.claims-signature': 'The claims are not signed by the key that they name.',
  'attestation.claims-time': 'The claims were made outside of the certificate’s time, or in the future.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type ClaimsErrorCode = keyof typeof CLAIMS_ERRORS
