/**
 * The revoked certificates of a list: their bytes, and where each serial number stands in them, in order of the numbers. A list
 * has thousands, and an object for each would take many times its size. Source: RFC 5280, section 5.1. Browser-safe.
 */
import { copyBytes } from '../../util/index.ts'
import { checkSerial, timeOf } from './certificate.ts'
import { DerElement, malformed, TAG } from './der.ts'
import { walkExtensions } from './extensions.ts'

const PART = 'revokedCertificates'
/** SEQUENCE, INTEGER of one byte, UTCTime. */
const MIN_ENTRY_BYTES = 2 + 3 + 15

export class RevokedSerials {
  readonly #bytes: Uint8Array
  /** Where the content of each serial number begins; its length, which is one byte, stands before it. */
  readonly #sorted: Uint32Array

  /** The content of `revokedCertificates`, which is copied. Throws `attestation.certificate-malformed`. */
  constructor(entries: Uint8Array) {
    const bytes = copyBytes(entries)
    const places = new Uint32Array(Math.floor(bytes.length / MIN_ENTRY_BYTES))
    const one = new DerElement(bytes)
    let count = 0
    for (let at = 0; at < bytes.length; ) {
      at = one.dueAt(TAG.sequence, at, bytes.length, PART).to
      places[count++] = readEntry(one)
    }
    this.#bytes = bytes
    this.#sorted = places.subarray(0, count).sort((a, b) => order(bytes, a, b))
    for (let i = 1; i < count; i++)
      if (order(bytes, this.#sorted[i - 1] as number, this.#sorted[i] as number) === 0)
        throw malformed(PART, 'the same serial number twice')
  }

  get count(): number {
    return this.#sorted.length
  }

  /** Whether the certificate with this serial number, the INTEGER's content, was revoked. Its sign's zero byte may be left out. */
  has(serial: Uint8Array): boolean {
    return this.revokedAtMs(serial) !== null
  }

  /** When it was; null when it was not. */
  revokedAtMs(serial: Uint8Array): number | null {
    const bytes = this.#bytes
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = this.#sorted[middle] as number
      const side = compare(bytes, at, endOf(bytes, at), serial, 0, serial.length)
      if (side === 0) return timeOf(new DerElement(bytes).readAt(endOf(bytes, at), bytes.length, PART))
      if (side < 0) low = middle + 1
      else high = middle
    }
    return null
  }
}

/** Goes through the entry on which `one` stands. Returns where the content of its serial number begins. */
function readEntry(one: DerElement): number {
  const end = one.to
  checkSerial(one.dueAt(TAG.integer, one.from, end, PART))
  const serialAt = one.from
  timeOf(one.readAt(one.to, end, PART))
  if (one.to === end) return serialAt
  const listAt = one.to
  if (one.bytes[listAt] !== TAG.sequence) throw malformed(PART, 'trailing bytes')
  const { from, to } = one.readAt(listAt, end, PART)
  // A critical one (certificateIssuer) would say that the entry is about somebody else's certificate.
  if (walkExtensions(one, from, to, null)) throw malformed(PART, 'critical extension')
  if (to < end) throw malformed(PART, 'trailing bytes')
  return serialAt
}

const endOf = (bytes: Uint8Array, at: number): number => at + (bytes[at - 1] as number)

const order = (bytes: Uint8Array, a: number, b: number): number =>
  compare(bytes, a, endOf(bytes, a), bytes, b, endOf(bytes, b))

/** Less than, equal to or more than 0, as for sorting; without the zero byte that keeps a number positive. */
function compare(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number {
  const aAt = aTo - aFrom > 1 && a[aFrom] === 0 ? aFrom + 1 : aFrom
  const bAt = bTo - bFrom > 1 && b[bFrom] === 0 ? bFrom + 1 : bFrom
  const length = aTo - aAt
  if (length !== bTo - bAt) return length - (bTo - bAt)
  for (let i = 0; i < length; i++) {
    const difference = (a[aAt + i] as number) - (b[bAt + i] as number)
    if (difference !== 0) return difference
  }
  return 0
}
