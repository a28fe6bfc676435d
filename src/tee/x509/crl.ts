/** Bytes to a revocation list's fields, without trust. Source: RFC 5280, section 5. Browser-safe. */
import { CocoonError, equalBytes, toHex } from '../../util/index.ts'
import { readTime } from './certificate.ts'
import { DerReader, malformed, readBits, TAG } from './der.ts'
import { x509Error } from './errors.ts'
import { type Extension, readExtensions } from './extensions.ts'
import { RevokedSerials } from './revoked.ts'

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
  readonly revoked: RevokedSerials
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
  const outer = DerReader.inside(bytes, TAG.sequence, 'crl')
  const tbs = outer.read(TAG.sequence)
  const signatureAlgorithm = outer.read(TAG.sequence).whole
  const signature = readBits(outer.read(TAG.bitString).content, 'signature')
  outer.end()

  const fields = new DerReader(bytes, 'tbsCertList', tbs.from, tbs.to)
  const version = fields.optional(TAG.integer)
  if (version !== null && (version.length !== 1 || bytes[version.from] !== 1))
    throw malformed('version', 'neither absent nor v2')
  if (!equalBytes(fields.read(TAG.sequence).whole, signatureAlgorithm))
    throw malformed('tbsCertList', 'two signature algorithms')
  const issuer = fields.read(TAG.sequence).whole
  const thisUpdateMs = readTime(fields)
  const hasNext = fields.nextTag === TAG.utcTime || fields.nextTag === TAG.generalizedTime
  const nextUpdateMs = hasNext ? readTime(fields) : null
  const revoked = new RevokedSerials(fields.optional(TAG.sequence)?.content ?? NOTHING)
  const extensions = readExtensions(fields, 0)
  fields.end()
  return {
    tbs: tbs.whole,
    issuer,
    thisUpdateMs,
    nextUpdateMs,
    revoked,
    extensions,
    signatureAlgorithm,
    signature,
  }
}

const NOTHING = new Uint8Array()
