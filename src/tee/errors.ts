/** Why a peer's identity is not proven. One code per check; source of the names: docs/attestation.md. */
import { CocoonError, type ErrorCode } from '../util/index.ts'

export const TEE_ERRORS = {
  'attestation.certificate-malformed': 'The certificate is not the strict DER of an X.509 certificate.',
  'attestation.certificate-duplicate-extension': 'The certificate has the same extension twice.',
  'attestation.certificate-not-self-issued': 'Issuer and subject of the certificate differ; it must be self-signed.',
  'attestation.certificate-not-yet-valid': 'The certificate is not valid yet; check the clocks of both ends.',
  'attestation.certificate-expired': 'The certificate has expired; check the clocks of both ends.',
  'attestation.certificate-too-long': 'The certificate is valid for more than two days; keys of nodes live shorter.',
  'attestation.certificate-purpose': 'The certificate does not allow the role that the peer plays.',
  'attestation.certificate-name': 'A server certificate must carry the dNSName 127.0.0.1.',
  'attestation.certificate-critical-extension': 'The certificate has a critical extension that is not known here.',
  'attestation.certificate-key': 'The certificate must carry an Ed25519 key.',
  'attestation.certificate-signature': 'The certificate is not signed with its own key.',
  'attestation.quote-too-large': 'The quote is larger than 32768 bytes.',
  'attestation.claims-mismatch': 'The claims in the certificate are not its public key.',
  'attestation.mixed-evidence': 'The certificate carries TDX and SEV evidence at once.',
  'attestation.quote-required': 'The policy demands evidence and the certificate carries none.',
  'attestation.fake-quote-size':
    'The policy demands simulated evidence; this has another length, as real evidence has.',
  'attestation.fake-evidence': 'Simulated evidence must be zero in everything but the report data.',
  'attestation.report-data': 'The evidence was made for another key than that of the certificate.',
  'attestation.evidence-source':
    'The evidence of this machine could not be had, so no certificate can be made; `cocoon doctor` says what is missing.',
  'config.policy-empty': 'A policy must accept at least one kind of evidence.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type TeeErrorCode = keyof typeof TEE_ERRORS

/** An error of this folder: its sentence, then the facts. */
export function teeError(
  code: TeeErrorCode,
  facts: Readonly<Record<string, string | number | boolean>> = {},
): CocoonError {
  const shown = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
  const message = shown.length === 0 ? TEE_ERRORS[code] : `${TEE_ERRORS[code]} (${shown.join(', ')})`
  return new CocoonError(code, { ...facts, message })
}
