/**
 * What is asked of a certificate, rule by rule, without cryptography: the caller checks the signature in between. Browser-safe.
 * Source: docs/attestation.md, "The checks, in order".
 */
import { concatBytes, equalBytes } from '../../util/index.ts'
import { teeError } from '../errors.ts'
import type { Evidence, KeyEvidence } from '../policy/evidence.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { extensionOf } from '../x509/extensions.ts'
import { DerReader, implicitTag, malformed, oid, readOid, sequence, TAG } from '../x509/der.ts'
import { OID } from './oids.ts'

/** What a peer is in the TLS handshake. */
export type TlsRole = 'server' | 'client'

/** The reference looks for this name in server certificates, whatever address it dialled. */
export const SERVER_NAME = '127.0.0.1'
/** The reference's limit. */
export const MAX_QUOTE_BYTES = 32_768
/** Nodes make certificates for a day and renew them hourly; a stolen key must not live long. */
export const MAX_VALIDITY_MS = 2 * 86_400_000

const ED25519_ALGORITHM = sequence(oid(OID.ed25519))
const KNOWN_CRITICAL: ReadonlySet<string> = new Set([
  OID.tdxQuote,
  OID.tdxClaims,
  OID.sevReportData,
  OID.sevReport,
  OID.sevVcek,
  OID.subjectKeyIdentifier,
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.extKeyUsage,
])

/** Everything before the signature. Throws `attestation.*`, one code per check, the first that fails. */
export function examineCertificate(der: Uint8Array, role: TlsRole, nowMs: number): Certificate {
  const certificate = parseCertificate(der)
  if (!equalBytes(certificate.issuer, certificate.subject)) throw teeError('attestation.certificate-not-self-issued')
  verifyValidity(certificate, nowMs)
  verifyPurpose(certificate, role)
  for (const { oid: name, critical } of certificate.extensions)
    if (critical && !KNOWN_CRITICAL.has(name))
      throw teeError('attestation.certificate-critical-extension', { oid: name })
  verifyKeyKind(certificate)
  return certificate
}

/** SubjectPublicKeyInfo of the certificate's Ed25519 key. */
export const spkiOf = ({ keyAlgorithm, key }: Certificate): Uint8Array =>
  sequence(keyAlgorithm, concatBytes(Uint8Array.of(TAG.bitString, 33, 0), key))

/** Everything behind the signature. @param reportData SHA-512 of the key. Throws `attestation.*`. */
export function keyEvidenceOf(certificate: Certificate, reportData: Uint8Array): KeyEvidence {
  const evidence = evidenceOf(certificate)
  const claims = extensionOf(certificate, OID.tdxClaims)
  if (claims !== null && !equalBytes(claims, certificate.key)) throw teeError('attestation.claims-mismatch')
  return { publicKey: Uint8Array.from(certificate.key), reportData, evidence }
}

function verifyValidity({ notBeforeMs, notAfterMs }: Certificate, nowMs: number): void {
  const facts = { notBefore: new Date(notBeforeMs).toISOString(), notAfter: new Date(notAfterMs).toISOString() }
  if (nowMs < notBeforeMs) throw teeError('attestation.certificate-not-yet-valid', facts)
  if (nowMs >= notAfterMs) throw teeError('attestation.certificate-expired', facts)
  if (notAfterMs - notBeforeMs > MAX_VALIDITY_MS) throw teeError('attestation.certificate-too-long', facts)
}

/** Usages that are absent allow everything; the name is only asked of servers. */
function verifyPurpose(certificate: Certificate, role: TlsRole): void {
  const usage = extensionOf(certificate, OID.keyUsage)
  if (usage !== null) {
    const [unused = 8, first = 0] = DerReader.only(usage, TAG.bitString, 'keyUsage').content
    if (unused > 7) throw malformed('keyUsage', 'bits')
    if ((first & 0x80) === 0) throw teeError('attestation.certificate-purpose', { role, missing: 'digitalSignature' })
  }
  const extended = extensionOf(certificate, OID.extKeyUsage)
  const wanted = role === 'server' ? OID.serverAuth : OID.clientAuth
  if (extended !== null && !oidsOf(extended).includes(wanted))
    throw teeError('attestation.certificate-purpose', {
      role,
      missing: role === 'server' ? 'serverAuth' : 'clientAuth',
    })
  if (role === 'server' && !dnsNamesOf(certificate).includes(SERVER_NAME))
    throw teeError('attestation.certificate-name')
}

function oidsOf(value: Uint8Array): string[] {
  const list = DerReader.inside(value, TAG.sequence, 'extKeyUsage')
  const found: string[] = []
  while (list.more) found.push(readOid(list.read(TAG.oid), 'extKeyUsage'))
  return found
}

function dnsNamesOf(certificate: Certificate): string[] {
  const value = extensionOf(certificate, OID.subjectAltName)
  if (value === null) return []
  const list = DerReader.inside(value, TAG.sequence, 'subjectAltName')
  const found: string[] = []
  while (list.more) {
    const { tag, content } = list.any()
    if (tag === implicitTag(2)) found.push(String.fromCharCode(...content))
  }
  return found
}

function verifyKeyKind({ keyAlgorithm, key, signatureAlgorithm }: Certificate): void {
  if (!equalBytes(keyAlgorithm, ED25519_ALGORITHM) || key.length !== 32) throw teeError('attestation.certificate-key')
  if (!equalBytes(signatureAlgorithm, ED25519_ALGORITHM)) throw teeError('attestation.certificate-signature')
}

function evidenceOf(certificate: Certificate): Evidence {
  const quote = extensionOf(certificate, OID.tdxQuote)
  const reportData = extensionOf(certificate, OID.sevReportData)
  const report = extensionOf(certificate, OID.sevReport)
  if (quote !== null && (reportData !== null || report !== null)) throw teeError('attestation.mixed-evidence')
  if (quote !== null) {
    if (quote.length > MAX_QUOTE_BYTES) throw teeError('attestation.quote-too-large', { bytes: quote.length })
    return { kind: 'tdx', quote: Uint8Array.from(quote) }
  }
  if (reportData === null && report === null) return { kind: 'absent' }
  return {
    kind: 'sev',
    reportData: Uint8Array.from(reportData ?? []),
    report: Uint8Array.from(report ?? []),
  }
}
