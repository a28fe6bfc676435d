/** Codes of reading certificates' surroundings; those of certificates themselves stand in `../errors.ts`. */
import { CocoonError, type ErrorCode } from '../../util/index.ts'

export const X509_ERRORS = {
  'attestation.crl-malformed': 'The revocation list is not the strict DER of an X.509 CRL.',
  'attestation.pem-malformed': 'The text is not PEM: blocks of one kind and white space between them.',
  'attestation.ocsp-malformed': 'The answer about revocation is not the strict DER of an OCSP response.',
  'attestation.ocsp-refused': 'The responder does not answer this question.',
  'attestation.signature-malformed': 'The signature is not what its algorithm makes.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type X509ErrorCode = keyof typeof X509_ERRORS

/** The code's sentence, then the facts. */
export function x509Error(code: X509ErrorCode, facts: Readonly<Record<string, string | number>> = {}): CocoonError {
  const shown = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
  return new CocoonError(code, {
    ...facts,
    message: shown.length === 0 ? X509_ERRORS[code] : `${X509_ERRORS[code]} (${shown.join(', ')})`,
  })
}
