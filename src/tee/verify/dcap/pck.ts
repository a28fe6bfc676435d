/**
 * The PCK certificate chain: who the platform is, in certificates from Intel. Found by name and issuer, not by position.
 * Browser-safe. Source: spec/attestation-dcap.md, "Certificates".
 */
import { CocoonError, equalBytes } from '../../../util/index.ts'
import {
  type Certificate,
  commonNameOf,
  DerReader,
  extensionOf,
  parseCertificate,
  readOid,
  readPem,
  TAG,
} from '../../x509/index.ts'
import { type DcapErrorCode, dcapError } from './errors.ts'
import { COMPONENTS } from './tcb-info.ts'

const SGX_EXTENSION = '1.2.840.113741.1.13.1'
const BASIC_CONSTRAINTS = '2.5.29.19'
const KEY_USAGE = '2.5.29.15'
const KNOWN_CRITICAL: ReadonlySet<string> = new Set([BASIC_CONSTRAINTS, KEY_USAGE])
/** keyCertSign and cRLSign, the bits 5 and 6 from the left. */
const MAY_SIGN = 0x06
/** Nine fields are known; a list is a loop that a peer controls. */
const MAX_FIELDS = 32

/** Facts of the platform that the leaf certifies. */
export interface PckFacts {
  readonly ppid: Uint8Array
  readonly fmspc: Uint8Array
  readonly pceId: Uint8Array
  readonly cpuSvn: Uint8Array
  /** The 16 SVNs that TCB levels are compared with. */
  readonly components: readonly number[]
  readonly pceSvn: number
}

export interface PckChain {
  readonly root: Certificate
  readonly ca: Certificate
  readonly leaf: Certificate
}

/** PEM, or the DER of each certificate, of any chain here. Throws `code`. */
export function readChain(source: Uint8Array | string, code: DcapErrorCode): Certificate[] {
  return refusing(code, 'chain', () => readPem(source).map(parseCertificate))
}

/** Puts three certificates into their places; nothing is verified. Throws `attestation.pck-chain`. */
export function arrangePckChain(certificates: readonly Certificate[]): PckChain {
  const wrong = (found: string): CocoonError => dcapError('attestation.pck-chain', 'certificates', found)
  if (certificates.length !== 3) throw wrong(`${certificates.length} where three are due`)
  const places = certificates.map((certificate) => ({ certificate, place: placeOf(certificate) }))
  const only = (place: 'root' | 'ca' | 'leaf'): Certificate => {
    const [first, second] = places.filter((one) => one.place === place)
    if (first === undefined || second !== undefined)
      throw wrong(`${first === undefined ? 'no' : 'more than one'} ${place}`)
    return first.certificate
  }
  return { root: only('root'), ca: only('ca'), leaf: only('leaf') }
}

function placeOf(certificate: Certificate): 'root' | 'ca' | 'leaf' | null {
  const name = refusing('attestation.pck-chain', 'subject', () => commonNameOf(certificate.subject)) ?? ''
  if (name.includes('SGX Root CA')) return isSelfIssued(certificate) ? 'root' : null
  if (name.includes('SGX PCK Certificate')) return 'leaf'
  return name.includes('CA') ? 'ca' : null
}

export const isSelfIssued = ({ issuer, subject }: Certificate): boolean => equalBytes(issuer, subject)

/** What keeps a certificate from signing others or lists; null when nothing does. */
export function whyNoAuthority(certificate: Certificate): string | null {
  const form = whyNotUsable(certificate)
  if (form !== null) return form
  if (!isAuthority(certificate)) return 'basicConstraints does not say CA'
  const usage = extensionOf(certificate, KEY_USAGE)
  const bits =
    usage === null ? 0 : (readOr(null, () => DerReader.only(usage, TAG.bitString, 'keyUsage').content[1]) ?? 0)
  return (bits & MAY_SIGN) === MAY_SIGN ? null : 'keyUsage lacks certSign or cRLSign'
}

/** What keeps a certificate from being at an end of a chain; null when nothing does. */
export const whyNoEnd = (certificate: Certificate): string | null =>
  whyNotUsable(certificate) ?? (isAuthority(certificate) ? 'basicConstraints says CA' : null)

function whyNotUsable({ version, extensions }: Certificate): string | null {
  if (version !== 3) return `version ${version}`
  const unknown = extensions.find(({ critical, oid }) => critical && !KNOWN_CRITICAL.has(oid))
  return unknown === undefined ? null : `unknown critical extension ${unknown.oid}`
}

function isAuthority(certificate: Certificate): boolean {
  const value = extensionOf(certificate, BASIC_CONSTRAINTS)
  if (value === null) return false
  return readOr(false, () => {
    const fields = DerReader.inside(value, TAG.sequence, 'basicConstraints')
    return fields.optional(TAG.boolean)?.content[0] === 0xff
  })
}

/** Throws `attestation.pck-extension`. */
export function readPckFacts(leaf: Certificate): PckFacts {
  return refusing('attestation.pck-extension', SGX_EXTENSION, () => {
    const value = extensionOf(leaf, SGX_EXTENSION)
    if (value === null) throw wrongExtension('missing')
    const fields = readFields(DerReader.only(value, TAG.sequence, 'sgx').content)
    const tcb = readFields(contentOf(fields, '2', TAG.sequence), '.2')
    const octets = (from: ReadonlyMap<string, Field>, suffix: string, length: number): Uint8Array => {
      const content = contentOf(from, suffix, TAG.octetString)
      if (content.length !== length) throw wrongExtension(`.${suffix} has ${content.length} bytes`)
      return content
    }
    return {
      ppid: octets(fields, '1', 16),
      fmspc: octets(fields, '4', 6),
      pceId: octets(fields, '3', 2),
      cpuSvn: octets(tcb, '18', 16),
      components: Array.from({ length: COMPONENTS }, (_, i) =>
        smallInteger(contentOf(tcb, `${i + 1}`, TAG.integer), 255),
      ),
      pceSvn: smallInteger(contentOf(tcb, '17', TAG.integer), 65_535),
    }
  })
}

interface Field {
  readonly tag: number
  readonly content: Uint8Array
}

/** SEQUENCE { OID, value } each, by what follows the extension's own OID. */
function readFields(content: Uint8Array, below = ''): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field>()
  const list = new DerReader(content, 'sgx')
  while (list.more) {
    const pair = list.enter(TAG.sequence, 'sgx')
    const oid = readOid(pair.read(TAG.oid), 'sgx')
    const prefix = `${SGX_EXTENSION}${below}.`
    const suffix = oid.slice(prefix.length)
    if (!oid.startsWith(prefix) || fields.has(suffix) || fields.size === MAX_FIELDS)
      throw wrongExtension(`field ${oid}`)
    fields.set(suffix, pair.any())
    pair.end()
  }
  return fields
}

function contentOf(fields: ReadonlyMap<string, Field>, suffix: string, tag: number): Uint8Array {
  const field = fields.get(suffix)
  if (field === undefined || field.tag !== tag) throw wrongExtension(`.${suffix} is missing or of another type`)
  return field.content
}

/** An INTEGER in its shortest form, from 0 to `max`. */
function smallInteger(content: Uint8Array, max: number): number {
  const [first = 0x80, second = 0x80] = content
  const isShortest = first < 0x80 && (content.length === 1 || first !== 0 || second >= 0x80)
  const value = content.length > 3 ? max + 1 : content.reduce((sum, byte) => sum * 256 + byte, 0)
  if (!isShortest || value > max) throw wrongExtension(`an SVN that is not 0 to ${max}`)
  return value
}

const wrongExtension = (found: string): CocoonError => dcapError('attestation.pck-extension', SGX_EXTENSION, found)

/** What reading throws, under the code of the thing that was read. */
export function refusing<T>(code: DcapErrorCode, field: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    throw error.code === code ? error : dcapError(code, field, error.message)
  }
}

function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof CocoonError) return otherwise
    throw error
  }
}
