/** Why NVIDIA evidence and manifests are refused: one code per check, each with its sentence. Browser-safe. */
import type { ErrorCode } from '../../util/index.ts'

export const GPU_ERRORS = {
  'attestation.gpu-malformed': 'The GPU report is not well formed.',
  'attestation.gpu-spdm-version': 'The GPU report is not of SPDM 1.1.',
  'attestation.gpu-evidence-format': 'The GPU evidence is not the JSON list that NVIDIA’s tools write.',
  'attestation.gpu-certificate-format': 'The certificates of the GPU are not a PEM chain of well-formed certificates.',
  'attestation.gpu-chain': 'The certificates of the GPU are no chain: firmware, boot ROM, provisioner, identity, root.',
  'attestation.gpu-root-untrusted': 'The GPU chain does not end in NVIDIA’s device root key.',
  'attestation.gpu-certificate-expired': 'A certificate of the GPU chain has expired.',
  'attestation.gpu-certificate-not-yet-valid': 'A certificate of the GPU chain is not valid yet.',
  'attestation.gpu-revoked': 'A certificate of the GPU is revoked.',
  'attestation.gpu-on-hold': 'A certificate is on hold: NVIDIA does not stand behind it for now.',
  'attestation.gpu-ocsp-missing':
    'NVIDIA’s answer about revocation is missing, and the policy demands it; fetch it: cocoon collateral fetch.',
  'attestation.gpu-ocsp-unknown': 'NVIDIA’s responder does not know a certificate of the chain.',
  'attestation.gpu-repeated': 'Two reports are of the same GPU.',
  'attestation.gpu-fwid': 'The certificate was issued for other firmware than the report states.',
  'attestation.gpu-fwid-missing': 'Report or certificate does not name the firmware, and the policy demands it.',
  'attestation.gpu-nonce': 'The report answers another nonce: it was made for another key, or earlier.',
  'attestation.gpu-report-signature': 'The report is not signed by the GPU’s key.',
  'attestation.gpu-architecture': 'The GPU is of an architecture that the policy does not allow.',
  'attestation.gpu-feature': 'The GPU’s confidential-computing mode is not one that the policy allows.',
  'attestation.gpu-rim-missing': 'A reference manifest is missing, and the policy demands it.',
  'attestation.gpu-rim-format': 'The reference manifest is not the form of XML that NVIDIA publishes.',
  'attestation.gpu-rim-digest': 'The reference manifest was changed after it was signed.',
  'attestation.gpu-rim-signature': 'The reference manifest is not signed by its signer.',
  'attestation.gpu-rim-chain': 'The certificates of the reference manifest are no chain.',
  'attestation.gpu-rim-root-untrusted': 'The manifest’s chain does not end in NVIDIA’s manifest root key.',
  'attestation.gpu-rim-certificate-expired':
    'A certificate of the reference manifest has expired; fetch a newer edition.',
  'attestation.gpu-rim-certificate-not-yet-valid': 'A certificate of the reference manifest is not valid yet.',
  'attestation.gpu-rim-revoked': 'A certificate of the reference manifest is revoked.',
  'attestation.gpu-rim-version': 'The reference manifest is for another version of driver or VBIOS.',
  'attestation.gpu-rim-conflict': 'Driver and VBIOS manifest both claim the same measurement.',
  'attestation.gpu-measurement': 'A measurement of the GPU is not one that the reference manifest allows.',
  'attestation.gpu-token-format': 'The answer of the attestation service is not a detached EAT with ES384 tokens.',
  'attestation.gpu-token-key': 'The token names a signing key that was not given.',
  'attestation.gpu-token-signature': 'The token is not signed by the key that it names.',
  'attestation.gpu-token-issuer': 'The token is of another issuer than NVIDIA’s service.',
  'attestation.gpu-token-nonce': 'The token answers another nonce.',
  'attestation.gpu-token-expired': 'The token has expired; it lives for an hour.',
  'attestation.gpu-token-not-yet-valid': 'The token is not valid yet.',
  'attestation.gpu-token-digest': 'A GPU’s token is not the one that the overall token names.',
  'attestation.gpu-token-claims': 'The attestation service did not find everything good.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type GpuErrorCode = keyof typeof GPU_ERRORS
