/** A certificate judged for a role at a time: everything but the evidence, which is the policy's. With Node's cryptography, at once. */
import { createHash, createPublicKey, verify } from 'node:crypto'
import { teeError } from '../errors.ts'
import type { KeyEvidence } from '../policy/evidence.ts'
import { examineCertificate, keyEvidenceOf, spkiOf, type TlsRole } from './rules.ts'

/**
 * Throws `attestation.*`, one code per check, the first that fails. What comes back is the key that the certificate
 * carries (the handshake proves possession of it) and the evidence, not looked at yet. Source: docs/attestation.md.
 */
export function verifyRatls(der: Uint8Array, role: TlsRole, nowMs: number): KeyEvidence {
  const certificate = examineCertificate(der, role, nowMs)
  const key = createPublicKey({ key: Buffer.from(spkiOf(certificate)), format: 'der', type: 'spki' })
  if (!verify(null, certificate.tbs, key, certificate.signature)) throw teeError('attestation.certificate-signature')
  return keyEvidenceOf(certificate, reportDataOf(certificate.key))
}

/** What evidence must carry to belong to this key: SHA-512 of its 32 bytes. */
export const reportDataOf = (publicKey: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash('sha512').update(publicKey).digest())
