/** Bytes to a certificate's fields, without trust: nothing here says that a certificate is good. Browser-safe. */
import { equalBytes } from '../../util/index.ts'
import { teeError } from '../errors.ts'
import { DerReader, explicitTag, malformed, readBits, readOid, TAG } from './der.ts'

/** A quote of 32 KiB, or an SEV report with its certificate, and the usual fields; nothing real is near it. */
export const MAX_CERTIFICATE_BYTES = 64 * 1024
/** The reference sends 7; a list is a loop that a peer controls. */
const MAX_EXTENSIONS = 32
/** RFC 5280 allows 20 bytes; one more for the sign. */
const MAX_SERIAL_BYTES = 21

/** One certificate or CRL extension. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** What is inside the OCTET STRING. */
  readonly value: Uint8Array
}

export interface Certificate {
  /** All of it. */
  readonly whole: Uint8Array
  /** TBSCertificate, tag and length included: what is signed. */
  readonly tbs: Uint8Array
  /** 1 with extensions is what the reference sends. */
  readonly version: 1 | 3
  /** The INTEGER's content: most significant byte first, with the zero byte that keeps it positive. */
  readonly serial: Uint8Array
  /** Names as DER: chains compare them so. `nameAttributes` reads them. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** The AlgorithmIdentifier, as DER, of the key and of the signature. */
  readonly keyAlgorithm: Uint8Array
  readonly key: Uint8Array
  /** SubjectPublicKeyInfo: algorithm and key together, as key imports want it. */
  readonly spki: Uint8Array
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  readonly extensions: readonly Extension[]
}

/** Throws `attestation.certificate-malformed` and `attestation.certificate-duplicate-extension`. */
export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) throw malformed('certificate', `more than ${MAX_CERTIFICATE_BYTES} bytes`)
  const outer = new DerReader(DerReader.only(bytes, TAG.sequence, 'certificate').content, 'certificate')
  const tbs = outer.read(TAG.sequence)
  const signatureAlgorithm = outer.read(TAG.sequence).whole
  const signature = readBits(outer.read(TAG.bitString).content, 'signature')
  outer.end()

  const fields = new DerReader(tbs.content, 'tbsCertificate')
  const version = readVersion(fields)
  const serial = readSerial(fields)
  if (!equalBytes(fields.read(TAG.sequence).whole, signatureAlgorithm))
    throw malformed('tbsCertificate', 'two signature algorithms')
  const issuer = fields.read(TAG.sequence).whole
  const validity = new DerReader(fields.read(TAG.sequence).content, 'validity')
  const notBeforeMs = readTime(validity)
  const notAfterMs = readTime(validity)
  validity.end()
  const subject = fields.read(TAG.sequence).whole
  const { content: keyContent, whole: spki } = fields.read(TAG.sequence)
  const keyInfo = new DerReader(keyContent, 'subjectPublicKeyInfo')
  const keyAlgorithm = keyInfo.read(TAG.sequence).whole
  const key = readBits(keyInfo.read(TAG.bitString).content, 'subjectPublicKeyInfo')
  keyInfo.end()
  const extensions = readExtensions(fields, 3)
  fields.end()
  return {
    whole: bytes,
    tbs: tbs.whole,
    version,
    serial,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    keyAlgorithm,
    key,
    spki,
    signatureAlgorithm,
    signature,
    extensions,
  }
}

/** The value of an extension; null when it is absent. */
export function extensionOf(
  certificate: { readonly extensions: readonly Extension[] },
  oid: string,
): Uint8Array | null {
  return certificate.extensions.find((extension) => extension.oid === oid)?.value ?? null
}

/** The object identifiers of an extendedKeyUsage; null when it cannot be read. */
export function parseExtendedKeyUsage(value: Uint8Array): readonly string[] | null {
  try {
    const list = new DerReader(DerReader.only(value, TAG.sequence, 'extendedKeyUsage').content, 'extendedKeyUsage')
    const uses: string[] = []
    while (list.more && uses.length < MAX_EXTENSIONS) uses.push(readOid(list.read(TAG.oid).content, 'extendedKeyUsage'))
    list.end()
    return uses
  } catch {
    return null
  }
}

function readVersion(fields: DerReader): 1 | 3 {
  const element = fields.optional(explicitTag(0))
  if (element === null) return 1
  const { content } = DerReader.only(element.content, TAG.integer, 'version')
  if (content.length !== 1 || content[0] !== 2) throw malformed('version', 'neither absent nor v3')
  return 3
}

/** A serial number: any INTEGER in its shortest form, zero and negative ones included. */
export function readSerial(fields: DerReader): Uint8Array {
  const { content } = fields.read(TAG.integer)
  const [first = 0, second = 0] = content
  const padded = content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))
  if (content.length === 0 || content.length > MAX_SERIAL_BYTES || padded) throw malformed('serial', 'integer')
  return content
}

/** UTCTime `YYMMDDHHMMSSZ` (1950 to 2049) or GeneralizedTime `YYYYMMDDHHMMSSZ`, in milliseconds since 1970. */
export function readTime(from: DerReader): number {
  const { tag, content } = from.any()
  if (tag !== TAG.utcTime && tag !== TAG.generalizedTime) throw malformed('validity', 'no time')
  if (content.length !== (tag === TAG.utcTime ? 13 : 15)) throw malformed('validity', 'time')
  if (content[content.length - 1] !== 0x5a) throw malformed('validity', 'time')
  const two = (at: number): number => digit(content, at) * 10 + digit(content, at + 1)
  const short = tag === TAG.utcTime
  const year = short ? (two(0) < 50 ? 2000 : 1900) + two(0) : two(0) * 100 + two(2)
  const rest = short ? 2 : 4
  const [month, day, hour, minute, second] = [two(rest), two(rest + 2), two(rest + 4), two(rest + 6), two(rest + 8)]
  // A day that does not exist would be moved to one that does.
  const isDay = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
  if (!isDay || hour > 23 || minute > 59 || second > 59) throw malformed('validity', 'time')
  const ms = new Date(0).setUTCFullYear(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000
  return ms
}

/** Lists of revoked certificates have thousands of times: nothing is made of one but its number. */
function digit(content: Uint8Array, at: number): number {
  const value = (content[at] as number) - 0x30
  if (value < 0 || value > 9) throw malformed('validity', 'time')
  return value
}

const daysIn = (year: number, month: number): number => {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** The extensions under `[n] EXPLICIT`; none when the field is absent. */
export function readExtensions(fields: DerReader, n: number): Extension[] {
  const wrapped = fields.optional(explicitTag(n))
  return wrapped === null ? [] : readExtensionList(DerReader.only(wrapped.content, TAG.sequence, 'extensions').content)
}

/** The content of `Extensions`. */
export function readExtensionList(content: Uint8Array): Extension[] {
  const list = new DerReader(content, 'extensions')
  const extensions: Extension[] = []
  const seen = new Set<string>()
  while (list.more) {
    if (extensions.length === MAX_EXTENSIONS) throw malformed('extensions', `more than ${MAX_EXTENSIONS}`)
    const one = new DerReader(list.read(TAG.sequence).content, 'extension')
    const oid = readOid(one.read(TAG.oid).content, 'extension')
    const flag = one.optional(TAG.boolean)
    // DER leaves a default out, so that an encoded `false` is as wrong as a `true` other than FF.
    if (flag !== null && (flag.content.length !== 1 || flag.content[0] !== 0xff))
      throw malformed('extension', 'critical')
    const value = one.read(TAG.octetString).content
    one.end()
    if (seen.has(oid)) throw teeError('attestation.certificate-duplicate-extension', { oid })
    seen.add(oid)
    extensions.push({ oid, critical: flag !== null, value })
  }
  return extensions
}
