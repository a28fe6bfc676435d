/** Bytes to a certificate's fields, without trust: nothing here says that a certificate is good. Browser-safe. */
import { equalBytes } from '../../util/index.ts'
import { type DerElement, DerReader, explicitTag, malformed, readBits, readOid, TAG } from './der.ts'
import { type Extension, readExtensions } from './extensions.ts'

/** A quote of 32 KiB, or an SEV report with its certificate, and the usual fields; nothing real is near it. */
export const MAX_CERTIFICATE_BYTES = 64 * 1024
/** A list is a loop that a peer controls. */
const MAX_USES = 32
/** RFC 5280 allows 20 bytes; one more for the sign. */
const MAX_SERIAL_BYTES = 21

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
  const outer = DerReader.inside(bytes, TAG.sequence, 'certificate')
  const tbs = outer.read(TAG.sequence)
  const signatureAlgorithm = outer.read(TAG.sequence).whole
  const signature = readBits(outer.read(TAG.bitString).content, 'signature')
  outer.end()

  const fields = new DerReader(bytes, 'tbsCertificate', tbs.from, tbs.to)
  const version = readVersion(fields)
  const serial = readSerial(fields)
  if (!equalBytes(fields.read(TAG.sequence).whole, signatureAlgorithm))
    throw malformed('tbsCertificate', 'two signature algorithms')
  const issuer = fields.read(TAG.sequence).whole
  const validity = fields.enter(TAG.sequence, 'validity')
  const notBeforeMs = readTime(validity)
  const notAfterMs = readTime(validity)
  validity.end()
  const subject = fields.read(TAG.sequence).whole
  const spki = fields.read(TAG.sequence)
  const keyInfo = new DerReader(bytes, 'subjectPublicKeyInfo', spki.from, spki.to)
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
    spki: spki.whole,
    signatureAlgorithm,
    signature,
    extensions,
  }
}

/** The object identifiers of an extendedKeyUsage; null when it cannot be read. */
export function parseExtendedKeyUsage(value: Uint8Array): readonly string[] | null {
  try {
    const list = DerReader.inside(value, TAG.sequence, 'extendedKeyUsage')
    const uses: string[] = []
    while (list.more && uses.length < MAX_USES) uses.push(readOid(list.read(TAG.oid), 'extendedKeyUsage'))
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
  const element = fields.read(TAG.integer)
  checkSerial(element)
  return element.content
}

/** The content of an INTEGER is a serial number as `readSerial` wants it. */
export function checkSerial({ bytes, from, length }: DerElement): void {
  const first = bytes[from] as number
  const second = bytes[from + 1] as number
  const padded = length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))
  if (length === 0 || length > MAX_SERIAL_BYTES || padded) throw malformed('serial', 'integer')
}

/** The next element as a time. */
export const readTime = (from: DerReader): number => timeOf(from.any())

/** UTCTime `YYMMDDHHMMSSZ` (1950 to 2049) or GeneralizedTime `YYYYMMDDHHMMSSZ`, in milliseconds since 1970. */
export function timeOf({ bytes, tag, from, to, length }: DerElement): number {
  const short = tag === TAG.utcTime
  if (!short && tag !== TAG.generalizedTime) throw malformed('validity', 'no time')
  if (length !== (short ? 13 : 15)) throw malformed('validity', 'time')
  if (bytes[to - 1] !== 0x5a) throw malformed('validity', 'time')
  const century = short ? (twoDigits(bytes, from) < 50 ? 20 : 19) : twoDigits(bytes, from)
  const at = short ? from : from + 2
  const year = century * 100 + twoDigits(bytes, at)
  const month = twoDigits(bytes, at + 2)
  const day = twoDigits(bytes, at + 4)
  const hour = twoDigits(bytes, at + 6)
  const minute = twoDigits(bytes, at + 8)
  const second = twoDigits(bytes, at + 10)
  // A day that does not exist would be moved to one that does.
  const isDay = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
  if (!isDay || hour > 23 || minute > 59 || second > 59) throw malformed('validity', 'time')
  // Later by a whole round of the calendar, because Date.UTC takes the years 0 to 99 for those of the last century.
  return Date.UTC(year + 400, month - 1, day, hour, minute, second) - FOUR_CENTURIES_MS
}

const FOUR_CENTURIES_MS = 146_097 * 86_400_000

/** Lists of revoked certificates have thousands of times: nothing is made of one but its number. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - 0x30
  const ones = (bytes[at + 1] as number) - 0x30
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw malformed('validity', 'time')
  return tens * 10 + ones
}

const daysIn = (year: number, month: number): number => {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
