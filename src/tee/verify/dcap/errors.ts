/** Why an Intel quote or its collateral is refused: one code per check, each with its sentence. Browser-safe. */
import { CocoonError, type ErrorCode } from '../../../util/index.ts'

export const DCAP_ERRORS = {
  'attestation.pck-chain': 'The PCK certificates are no chain: root, platform or processor CA, leaf.',
  'attestation.pck-root-untrusted': 'The PCK chain does not end in the trusted root key.',
  'attestation.pck-extension': 'The PCK certificate lacks well-formed SGX facts (FMSPC, PCE id, SVNs).',
  'attestation.pck-chain-expired': 'A certificate of the PCK chain is not valid at this time.',
  'attestation.pck-revoked': 'The PCK certificate has been revoked: the platform is no longer trusted.',
  'attestation.pck-ca-revoked': 'The CA of the PCK certificate has been revoked.',
  'attestation.pck-crl-missing': 'There is no revocation list for PCK certificates; fetch one.',
  'attestation.pck-crl-format': 'The revocation list for PCK certificates is not well formed.',
  'attestation.pck-crl-issuer': 'The revocation list for PCK certificates is of another CA (platform or processor).',
  'attestation.pck-crl-signature': 'The revocation list for PCK certificates is not signed by its CA.',
  'attestation.pck-crl-expired': 'The revocation list for PCK certificates is not valid at this time; fetch a new one.',
  'attestation.root-crl-missing': 'There is no revocation list of the root CA; fetch one.',
  'attestation.root-crl-format': 'The revocation list of the root CA is not well formed.',
  'attestation.root-crl-issuer': 'The revocation list of the root CA is of another CA.',
  'attestation.root-crl-signature': 'The revocation list of the root CA is not signed by the root.',
  'attestation.root-crl-expired': 'The revocation list of the root CA is not valid at this time; fetch a new one.',
  'attestation.tcb-signing-chain':
    'The chain of the key that signs TCB data is not: Intel SGX TCB Signing, trusted root.',
  'attestation.tcb-signing-expired': 'The certificate that signs TCB data is not valid at this time.',
  'attestation.tcb-signing-revoked': 'The certificate that signs TCB data has been revoked.',
  'attestation.tcb-info-format': 'The TCB info is not well formed, or of another kind than the quote.',
  'attestation.tcb-info-signature': 'The TCB info is not signed by its signer.',
  'attestation.tcb-info-expired': 'The TCB info is not valid at this time; fetch a new one.',
  'attestation.tcb-info-mismatch': 'The TCB info is of another platform than the quote (FMSPC, PCE id).',
  'attestation.qe-identity-format': 'The QE identity is not well formed, or of another kind than the quote.',
  'attestation.qe-identity-signature': 'The QE identity is not signed by its signer.',
  'attestation.qe-identity-expired': 'The QE identity is not valid at this time; fetch a new one.',
  'attestation.qe-identity-mismatch': 'The quoting enclave is not the one that the QE identity names.',
  'attestation.tdx-module-mismatch': 'The TDX module is not one that the TCB info names.',
  'attestation.qe-report-signature': 'The report of the quoting enclave is not signed by the PCK.',
  'attestation.attestation-key-binding': 'The quoting enclave does not vouch for the attestation key.',
  'attestation.quote-signature': 'The quote is not signed by the attestation key.',
  'attestation.tcb-not-supported': 'No TCB level covers this platform: it is older than everything Intel lists.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type DcapErrorCode = keyof typeof DCAP_ERRORS

/** The code's sentence, the field, and what was wrong with it. */
export function dcapError(code: DcapErrorCode, field: string, found: string): CocoonError {
  return new CocoonError(code, { field, found, message: `${DCAP_ERRORS[code]} (${field}: ${found})` })
}
