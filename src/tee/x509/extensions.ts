/** Extensions of certificates and lists: which there are, without trust in any. Source: RFC 5280, 4.1 and 5.1. Browser-safe. */
import { teeError } from '../errors.ts'
import { checkOid, DerElement, type DerReader, explicitTag, malformed, readOid, TAG } from './der.ts'

/** The reference sends 7; a list is a loop that a peer controls. */
const MAX_EXTENSIONS = 32

/** One certificate or CRL extension. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** What is inside the OCTET STRING. */
  readonly value: Uint8Array
}

/** The value of an extension; null when it is absent. */
export function extensionOf(
  certificate: { readonly extensions: readonly Extension[] },
  oid: string,
): Uint8Array | null {
  return certificate.extensions.find((extension) => extension.oid === oid)?.value ?? null
}

/** The extensions under `[n] EXPLICIT`; none when the field is absent. */
export function readExtensions(fields: DerReader, n: number): Extension[] {
  const extensions: Extension[] = []
  const wrapped = fields.optional(explicitTag(n))
  if (wrapped === null) return extensions
  const { bytes, from, to } = wrapped
  const list = wrapped.dueAt(TAG.sequence, from, to, 'extensions')
  if (list.to < to) throw malformed('extensions', 'trailing bytes')
  walkExtensions(new DerElement(bytes), list.from, list.to, extensions)
  return extensions
}

/**
 * Reads the content of `Extensions`, which lies at `[from, to)` of `one`'s bytes, and adds what it finds to `into` where that
 * is not null. Returns whether one of them is critical. Nothing else is made in memory: lists of revoked certificates have
 * extensions by the thousand. `one` is left anywhere.
 */
export function walkExtensions(one: DerElement, from: number, to: number, into: Extension[] | null): boolean {
  const { bytes } = one
  let anyCritical = false
  let count = 0
  let at = from
  while (at < to) {
    if (count === MAX_EXTENSIONS) throw malformed('extensions', `more than ${MAX_EXTENSIONS}`)
    one.dueAt(TAG.sequence, at, to, 'extensions')
    const start = at
    const end = one.to
    const oidAt = one.from
    one.dueAt(TAG.oid, oidAt, end, 'extension')
    const oidFrom = one.from
    const oidTo = one.to
    const oid = into === null ? null : readOid(one, 'extension')
    if (oid === null) checkOid(bytes, oidFrom, oidTo, 'extension')
    const critical = oidTo < end && bytes[oidTo] === TAG.boolean
    // DER leaves a default out, so that an encoded `false` is as wrong as a `true` other than FF.
    if (critical && (one.readAt(oidTo, end, 'extension').length !== 1 || bytes[one.from] !== 0xff))
      throw malformed('extension', 'critical')
    one.dueAt(TAG.octetString, one.to, end, 'extension')
    if (one.to < end) throw malformed('extension', 'trailing bytes')
    const valueFrom = one.from
    if (isAmong(one, from, start, oidFrom, oidTo))
      throw teeError('attestation.certificate-duplicate-extension', {
        oid: readOid(one.readAt(oidAt, end, 'extension'), 'extension'),
      })
    if (oid !== null) into?.push({ oid, critical, value: bytes.subarray(valueFrom, end) })
    anyCritical ||= critical
    count++
    at = end
  }
  return anyCritical
}

/** Whether an extension in `[from, to)`, which was read before, has the object identifier at `[oidFrom, oidTo)`: it has one encoding. */
function isAmong(one: DerElement, from: number, to: number, oidFrom: number, oidTo: number): boolean {
  for (let at = from; at < to; ) {
    one.readAt(at, to, 'extension')
    at = one.to
    one.readAt(one.from, at, 'extension')
    if (isSame(one, oidFrom, oidTo)) return true
  }
  return false
}

function isSame({ bytes, from, length }: DerElement, otherFrom: number, otherTo: number): boolean {
  if (length !== otherTo - otherFrom) return false
  for (let i = 0; i < length; i++) if (bytes[from + i] !== bytes[otherFrom + i]) return false
  return true
}
