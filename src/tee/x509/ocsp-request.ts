/**
 * Asking whether a certificate is revoked, and reading such a question. Certificates are named by SHA-384, as NVIDIA's own tools
 * name them. Source: RFC 6960, sections 4.1 and 4.4.1. Browser-safe.
 */
import { CocoonError, equalBytes, fromHex } from '../../util/index.ts'
import { type Certificate, readSerial } from './certificate.ts'
import type { VerifyCrypto } from './crypto.ts'
import { der, DerReader, explicitTag, malformed, octetString, oid, readOid, sequence, TAG } from './der.ts'
import { x509Error } from './errors.ts'
import { type Extension, readExtensions } from './extensions.ts'

/** A certificate, by who issued it and which one it is. */
export interface OcspCertId {
  /** SHA-384 of the issuer's name as DER. */
  readonly issuerNameHash: Uint8Array
  /** SHA-384 of the issuer's public key, without its algorithm. */
  readonly issuerKeyHash: Uint8Array
  /** The INTEGER's content. */
  readonly serial: Uint8Array
}

export interface OcspRequest {
  readonly certId: OcspCertId
  /** Null for none. */
  readonly nonce: Uint8Array | null
}

/** A question has some 200 bytes. */
const MAX_REQUEST_BYTES = 1024
export const OCSP_HASH_BYTES = 48
/** RFC 9654: what every responder must take is up to 32. */
export const MAX_NONCE_BYTES = 128
export const OCSP_NONCE_OID = '1.3.6.1.5.5.7.48.1.2'
const SHA384_OID = '2.16.840.1.101.3.4.2.2'
const SHA384_ALGORITHM = fromHex('300d06096086480165030402020500')

export async function ocspCertIdOf(
  crypto: Pick<VerifyCrypto, 'sha384'>,
  certificate: Pick<Certificate, 'serial'>,
  issuer: Pick<Certificate, 'subject' | 'key'>,
): Promise<OcspCertId> {
  return {
    issuerNameHash: await crypto.sha384(issuer.subject),
    issuerKeyHash: await crypto.sha384(issuer.key),
    serial: certificate.serial,
  }
}

export const isSameCertId = (a: OcspCertId, b: OcspCertId): boolean =>
  equalBytes(a.issuerNameHash, b.issuerNameHash) &&
  equalBytes(a.issuerKeyHash, b.issuerKeyHash) &&
  equalBytes(a.serial, b.serial)

export function encodeOcspRequest({ certId, nonce }: OcspRequest): Uint8Array {
  const { issuerNameHash, issuerKeyHash, serial } = certId
  const id = sequence(
    SHA384_ALGORITHM,
    octetString(issuerNameHash),
    octetString(issuerKeyHash),
    der(TAG.integer, serial),
  )
  const list = sequence(sequence(id))
  if (nonce === null) return sequence(sequence(list))
  const extension = sequence(oid(OCSP_NONCE_OID), octetString(octetString(nonce)))
  return sequence(sequence(list, der(explicitTag(2), sequence(extension))))
}

/** For who answers. Throws `attestation.ocsp-malformed`; so does a question about several certificates, or by another hash. */
export function parseOcspRequest(bytes: Uint8Array): OcspRequest {
  return asOcsp(() => {
    if (bytes.length > MAX_REQUEST_BYTES) throw malformed('request', `more than ${MAX_REQUEST_BYTES} bytes`)
    const outer = DerReader.inside(bytes, TAG.sequence, 'request')
    const fields = outer.enter(TAG.sequence, 'tbsRequest')
    outer.end()
    const list = fields.enter(TAG.sequence, 'requestList')
    const one = list.enter(TAG.sequence, 'request')
    list.end()
    const certId = readCertId(one)
    one.end()
    if (certId === null) throw malformed('certId', 'another hash than SHA-384')
    const nonce = nonceIn(readExtensions(fields, 2))
    fields.end()
    return { certId, nonce }
  })
}

/** The next element as a CertID; null for one by another hash than SHA-384. */
export function readCertId(from: DerReader): OcspCertId | null {
  const fields = from.enter(TAG.sequence, 'certId')
  const algorithm = fields.enter(TAG.sequence, 'hashAlgorithm')
  const hash = readOid(algorithm.read(TAG.oid), 'hashAlgorithm')
  algorithm.optional(TAG.null)
  algorithm.end()
  const issuerNameHash = fields.read(TAG.octetString).content
  const issuerKeyHash = fields.read(TAG.octetString).content
  const serial = readSerial(fields)
  fields.end()
  if (hash !== SHA384_OID) return null
  if (issuerNameHash.length !== OCSP_HASH_BYTES || issuerKeyHash.length !== OCSP_HASH_BYTES)
    throw malformed('certId', 'a hash of the wrong length')
  return { issuerNameHash, issuerKeyHash, serial }
}

/** Null when there is none. What else is critical is a demand that would go unmet. */
export function nonceIn(extensions: readonly Extension[]): Uint8Array | null {
  if (extensions.some(({ oid: id, critical }) => critical && id !== OCSP_NONCE_OID))
    throw malformed('extensions', 'critical extension')
  const found = extensions.find(({ oid: id }) => id === OCSP_NONCE_OID)
  if (found === undefined) return null
  const { content } = DerReader.only(found.value, TAG.octetString, 'nonce')
  if (content.length === 0 || content.length > MAX_NONCE_BYTES) throw malformed('nonce', 'length')
  return content
}

/** Whatever is wrong with the DER becomes `attestation.ocsp-malformed`. */
export function asOcsp<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation' || isOwn(error)) throw error
    const { part = 'answer', reason = error.code } = error.info
    throw x509Error('attestation.ocsp-malformed', { part: String(part), reason: String(reason) })
  }
}

const isOwn = ({ code }: CocoonError): boolean => code.startsWith('attestation.ocsp-')
