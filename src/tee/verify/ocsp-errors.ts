/** Why an OCSP answer is not believed: one code per check, each with its sentence. Browser-safe. */
import type { ErrorCode } from '../../util/index.ts'

export const OCSP_ERRORS = {
  'attestation.ocsp-other-certificate': 'The answer is not about this certificate.',
  'attestation.ocsp-responder':
    'The answer is signed neither by the certificate’s issuer nor by somebody whom that has certified for it.',
  'attestation.ocsp-responder-expired': 'The certificate of the responder is not valid at this time.',
  'attestation.ocsp-signature': 'The answer is not signed by its responder.',
  'attestation.ocsp-not-yet-valid': 'The answer is not valid yet; check the clock.',
  'attestation.ocsp-expired': 'The answer has expired, or does not say until when it holds; fetch a newer one.',
  'attestation.ocsp-nonce': 'The answer was made for another question.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type OcspErrorCode = keyof typeof OCSP_ERRORS
