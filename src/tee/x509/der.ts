/**
 * DER as certificates need it, and nothing more: one-byte tags, definite lengths in their shortest form, no rest. Strict,
 * so that what is accepted has exactly one encoding. Source: ITU-T X.690, sections 8 and 10.
 */
import { concatBytes, utf8 } from '../../util/index.ts'
import { teeError } from '../errors.ts'

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const

/** The tag of `[n] EXPLICIT` (constructed) and of `[n] IMPLICIT` over a primitive. */
export const explicitTag = (n: number): number => 0xa0 | n
export const implicitTag = (n: number): number => 0x80 | n

/**
 * Where one element lies. `readAt` moves it on, so that one object can walk a list of thousands without a trace in memory.
 * `[from, to)` is the content.
 */
export class DerElement {
  readonly bytes: Uint8Array
  tag = -1
  /** Of the tag. */
  start = 0
  from = 0
  to = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** A view, not a copy; so is `whole`, which has tag and length as well. */
  get content(): Uint8Array {
    return this.bytes.subarray(this.from, this.to)
  }

  get whole(): Uint8Array {
    return this.bytes.subarray(this.start, this.to)
  }

  get length(): number {
    return this.to - this.from
  }

  /** Reads tag and length at `at`. Everything has to lie before `end`; `part` names it in errors. */
  readAt(at: number, end: number, part: string): this {
    this.start = at
    this.from = at
    this.tag = this.#byte(end, part)
    if ((this.tag & 0x1f) === 0x1f) throw malformed(part, 'tag of several bytes')
    const length = this.#length(end, part)
    if (length > end - this.from) throw malformed(part, 'truncated')
    this.to = this.from + length
    return this
  }

  /** The same, for an element that must have this tag. */
  dueAt(tag: number, at: number, end: number, part: string): this {
    const found = at < end ? this.bytes[at] : -1
    if (found !== tag) throw malformed(part, `tag ${found} where ${tag} is due`)
    return this.readAt(at, end, part)
  }

  #byte(end: number, part: string): number {
    if (this.from >= end) throw malformed(part, 'truncated')
    return this.bytes[this.from++] as number
  }

  #length(end: number, part: string): number {
    const first = this.#byte(end, part)
    if (first < 0x80) return first
    const count = first & 0x7f
    // Four bytes hold more than any certificate; none at all is the indefinite form, which DER forbids.
    if (count === 0 || count > 4) throw malformed(part, 'length')
    let length = 0
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte(end, part)
    if (length < 0x80 || length < 256 ** (count - 1)) throw malformed(part, 'length not in its shortest form')
    return length
  }
}

/** The DER is wrong; `at` says which part of the certificate was read. */
export const malformed = (part: string, reason: string): Error =>
  teeError('attestation.certificate-malformed', { part, reason })

/** Reads the elements of one constructed value in order. `part` names it in errors. */
export class DerReader {
  readonly #bytes: Uint8Array
  readonly #part: string
  readonly #end: number
  #at: number

  /** Of `bytes` from `at` up to `end`. */
  constructor(bytes: Uint8Array, part: string, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#part = part
    this.#at = at
    this.#end = end
  }

  /** The whole of `bytes` is one element with this tag. */
  static only(bytes: Uint8Array, tag: number, part: string): DerElement {
    const reader = new DerReader(bytes, part)
    const element = reader.read(tag)
    reader.end()
    return element
  }

  /** A reader of what is inside the one element that `bytes` are. */
  static inside(bytes: Uint8Array, tag: number, part: string): DerReader {
    const { from, to } = DerReader.only(bytes, tag, part)
    return new DerReader(bytes, part, from, to)
  }

  get more(): boolean {
    return this.#at < this.#end
  }

  /** The tag of the next element, or -1 at the end. */
  get nextTag(): number {
    return this.more ? (this.#bytes[this.#at] as number) : -1
  }

  read(tag: number): DerElement {
    const element = new DerElement(this.#bytes).dueAt(tag, this.#at, this.#end, this.#part)
    this.#at = element.to
    return element
  }

  /** A reader of what is inside the next element; this one stands behind it. */
  enter(tag: number, part: string): DerReader {
    const { from, to } = this.read(tag)
    return new DerReader(this.#bytes, part, from, to)
  }

  optional(tag: number): DerElement | null {
    return this.nextTag === tag ? this.any() : null
  }

  any(): DerElement {
    const element = new DerElement(this.#bytes).readAt(this.#at, this.#end, this.#part)
    this.#at = element.to
    return element
  }

  /** Throws when something is left. */
  end(): void {
    if (this.more) throw malformed(this.#part, 'trailing bytes')
  }
}

/** `1.3.101.112`. Each part in its shortest form. */
export function readOid({ bytes, from, to }: DerElement, part: string): string {
  checkOid(bytes, from, to, part)
  let text = ''
  let arc = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number
    arc = arc * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    const top = Math.min(2, Math.floor(arc / 40))
    text = text === '' ? `${top}.${arc - 40 * top}` : `${text}.${arc}`
    arc = 0
  }
  return text
}

/** What numbers hold exactly, less one digit. */
const MAX_ARC = Math.floor(Number.MAX_SAFE_INTEGER / 128)

/** The object identifier at `[from, to)` is one, and has one encoding only. */
export function checkOid(bytes: Uint8Array, from: number, to: number, part: string): void {
  let arc = 0
  let fresh = true
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number
    if (fresh && byte === 0x80) throw malformed(part, 'object identifier')
    arc = (fresh ? 0 : arc * 128) + (byte & 0x7f)
    if (arc > MAX_ARC) throw malformed(part, 'object identifier')
    fresh = byte < 0x80
  }
  if (!fresh || from === to) throw malformed(part, 'object identifier')
}

/** Bits of a BIT STRING, which must be whole bytes here. */
export function readBits(content: Uint8Array, part: string): Uint8Array {
  if (content[0] !== 0) throw malformed(part, 'bits that are no whole bytes')
  return content.subarray(1)
}

/** One element. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...contents)
  return concatBytes(Uint8Array.of(tag), lengthOf(content.length), content)
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const bytes: number[] = []
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256)
  return Uint8Array.of(0x80 | bytes.length, ...bytes)
}

export const sequence = (...items: readonly Uint8Array[]): Uint8Array => der(TAG.sequence, ...items)
export const octetString = (content: Uint8Array): Uint8Array => der(TAG.octetString, content)
export const bitString = (content: Uint8Array): Uint8Array => der(TAG.bitString, Uint8Array.of(0), content)
export const utf8String = (text: string): Uint8Array => der(TAG.utf8String, utf8(text))
export const printableString = (text: string): Uint8Array => der(TAG.printableString, utf8(text))
export const TRUE = der(TAG.boolean, Uint8Array.of(0xff))

/** A number of any length that is not negative, most significant byte first. */
export function unsignedInteger(bytes: Uint8Array): Uint8Array {
  let from = 0
  while (from < bytes.length - 1 && bytes[from] === 0) from++
  const short = bytes.subarray(from)
  return der(
    TAG.integer,
    ((short[0] ?? 0) & 0x80) !== 0 || short.length === 0 ? Uint8Array.of(0) : new Uint8Array(0),
    short,
  )
}

export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [40 * first + second, ...rest]) {
    const digits = [arc % 128]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(0x80 | (left % 128))
    bytes.push(...digits)
  }
  return der(TAG.oid, Uint8Array.from(bytes))
}

/** UTCTime, for the years 1950 to 2049. */
export const utcTime = (ms: number): Uint8Array =>
  der(TAG.utcTime, utf8(`${new Date(ms).toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`))
