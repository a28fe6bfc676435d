/** Bytes to a revocation list's fields, without trust. Source: RFC 5280, section 5. Browser-safe. */
import { CocoonError, equalBytes, toHex } from '../../util/index.ts'
import { type Extension, readExtensionList, readExtensions, readSerial, readTime } from './certificate.ts'
import { DerReader, malformed, readBits, TAG } from './der.ts'
import { x509Error } from './errors.ts'

/** The longest of Intel's and AMD's lists is under 4 kB; at some 40 bytes an entry this holds 25 000. */
export const MAX_CRL_BYTES = 1024 * 1024

export interface Crl {
  /** TBSCertList, tag and length included: what is signed. */
  readonly tbs: Uint8Array
  /** The issuer's name as DER. */
  readonly issuer: Uint8Array
  readonly thisUpdateMs: number
  /** Null when the list does not say; who needs fresh lists must refuse such a one. */
  readonly nextUpdateMs: number | null
  /** When each serial number was revoked. Keys as `serialText` gives them. */
  readonly revokedAtMsBySerial: ReadonlyMap<string, number>
  readonly extensions: readonly Extension[]
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
}

/** A serial number as lower-case hex without the sign's zero byte, as people and services write it. */
export const serialText = (serial: Uint8Array): string =>
  toHex(serial.length > 1 && serial[0] === 0 ? serial.subarray(1) : serial)

/** Throws `attestation.crl-malformed`. */
export function parseCrl(bytes: Uint8Array): Crl {
  try {
    return readCrl(bytes)
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    const { part = 'crl', reason = error.code } = error.info
    throw x509Error('attestation.crl-malformed', { part: String(part), reason: String(reason) })
  }
}

function readCrl(bytes: Uint8Array): Crl {
  if (bytes.length > MAX_CRL_BYTES) throw malformed('crl', `more than ${MAX_CRL_BYTES} bytes`)
  const outer = new DerReader(DerReader.only(bytes, TAG.sequence, 'crl').content, 'crl')
  const tbs = outer.read(TAG.sequence)
  const signatureAlgorithm = outer.read(TAG.sequence).whole
  const signature = readBits(outer.read(TAG.bitString).content, 'signature')
  outer.end()

  const fields = new DerReader(tbs.content, 'tbsCertList')
  const version = fields.optional(TAG.integer)
  if (version !== null && (version.content.length !== 1 || version.content[0] !== 1))
    throw malformed('version', 'neither absent nor v2')
  if (!equalBytes(fields.read(TAG.sequence).whole, signatureAlgorithm))
    throw malformed('tbsCertList', 'two signature algorithms')
  const issuer = fields.read(TAG.sequence).whole
  const thisUpdateMs = readTime(fields)
  const hasNext = fields.nextTag === TAG.utcTime || fields.nextTag === TAG.generalizedTime
  const nextUpdateMs = hasNext ? readTime(fields) : null
  const revokedAtMsBySerial = readRevoked(fields.optional(TAG.sequence)?.content)
  const extensions = readExtensions(fields, 0)
  fields.end()
  return {
    tbs: tbs.whole,
    issuer,
    thisUpdateMs,
    nextUpdateMs,
    revokedAtMsBySerial,
    extensions,
    signatureAlgorithm,
    signature,
  }
}

function readRevoked(content: Uint8Array | undefined): Map<string, number> {
  const revoked = new Map<string, number>()
  if (content === undefined) return revoked
  const list = new DerReader(content, 'revokedCertificates')
  while (list.more) {
    const entry = new DerReader(list.read(TAG.sequence).content, 'revokedCertificates')
    const serial = serialText(readSerial(entry))
    const atMs = readTime(entry)
    const extensions = entry.optional(TAG.sequence)
    // A critical one (certificateIssuer) would say that the entry is about somebody else's certificate.
    if (extensions !== null && readExtensionList(extensions.content).some((e) => e.critical))
      throw malformed('revokedCertificates', 'critical extension')
    entry.end()
    if (revoked.has(serial)) throw malformed('revokedCertificates', 'the same serial number twice')
    revoked.set(serial, atMs)
  }
  return revoked
}
