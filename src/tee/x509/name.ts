/** What a distinguished name says, for people and for finding a certificate's place. Never for trust. Browser-safe. */
import { DerReader, malformed, readOid, TAG } from './der.ts'

export const NAME_OID = {
  commonName: '2.5.4.3',
  countryName: '2.5.4.6',
  localityName: '2.5.4.7',
  stateOrProvinceName: '2.5.4.8',
  organizationName: '2.5.4.10',
  organizationalUnitName: '2.5.4.11',
} as const

/** Real names have up to eight; a list is a loop that a peer controls. */
const MAX_ATTRIBUTES = 32
/** RFC 5280 allows 64 characters in most attributes; names that matter here have under 50. */
const MAX_VALUE_BYTES = 1024
const T61_STRING = 0x14
const IA5_STRING = 0x16

export interface NameAttribute {
  readonly oid: string
  readonly value: string
}

/** The attributes in order of a name's DER. Throws `attestation.certificate-malformed`. */
export function nameAttributes(name: Uint8Array): NameAttribute[] {
  const found: NameAttribute[] = []
  const sets = DerReader.inside(name, TAG.sequence, 'name')
  while (sets.more) {
    const pairs = sets.enter(TAG.set, 'name')
    while (pairs.more) {
      if (found.length === MAX_ATTRIBUTES) throw malformed('name', `more than ${MAX_ATTRIBUTES} attributes`)
      const pair = pairs.enter(TAG.sequence, 'name')
      const oid = readOid(pair.read(TAG.oid), 'name')
      const { tag, content } = pair.any()
      pair.end()
      found.push({ oid, value: textOf(tag, content) })
    }
  }
  return found
}

/** The one common name; null when there is none or more than one. Throws as `nameAttributes`. */
export function commonNameOf(name: Uint8Array): string | null {
  const [first, second] = nameAttributes(name).filter((attribute) => attribute.oid === NAME_OID.commonName)
  return first === undefined || second !== undefined ? null : first.value
}

function textOf(tag: number, content: Uint8Array): string {
  if (content.length > MAX_VALUE_BYTES) throw malformed('name', `more than ${MAX_VALUE_BYTES} bytes`)
  if (tag === TAG.utf8String) {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(content)
    } catch {
      throw malformed('name', 'not UTF-8')
    }
  }
  if (tag === TAG.printableString || tag === T61_STRING || tag === IA5_STRING) return String.fromCharCode(...content)
  throw malformed('name', `string of tag ${tag}`)
}
