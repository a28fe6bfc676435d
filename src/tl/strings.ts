/**
 * Types with a length: `string` and `bytes` of the schema. A length below 254 is one byte; a longer one is `fe` and three
 * bytes; then the data, then zeros up to a multiple of 4. The form with `ff` cannot occur inside a legal frame and is
 * refused, as is `fe` for a short length: what decodes must encode to the same bytes.
 */
import type { Place, Reader, Writer } from './cursor.ts'
import { tlError } from './errors.ts'
import type { Type } from './types.ts'

/** The longest that three bytes of length can say. */
export const MAX_STRING_BYTES = 0xff_ffff
/** From here on the length takes four bytes. */
const LONG_FORM = 254
/** Longer texts go to the platform's decoder; below, a loop is faster than the call. */
const SHORT_TEXT = 32
/** How many character codes one call may spread as arguments. */
const CODES_A_CALL = 4096

export interface Limit {
  /** In bytes on the wire, without prefix and padding. */
  readonly max: number
}

/** Bytes of a TL string of `length` bytes of data: prefix, data and padding. */
export const stringSize = (length: number): number => (length + (length < LONG_FORM ? 4 : 7)) & ~3

/** Reads prefix, data and padding; `take` makes the value of the data's span. */
function readSpan<T>(r: Reader, max: number, take: (r: Reader, from: number, length: number) => T): T {
  const { bytes, at } = r
  if (at >= bytes.length) r.fail('tl.truncated')
  let length = bytes[at] as number
  let from = at + 1
  if (length >= LONG_FORM) {
    if (length > LONG_FORM) r.fail('tl.length-form')
    if (bytes.length - at < 4) r.fail('tl.truncated')
    length = (bytes[at + 1] as number) | ((bytes[at + 2] as number) << 8) | ((bytes[at + 3] as number) << 16)
    if (length < LONG_FORM) r.fail('tl.length-form')
    from = at + 4
  }
  if (length > max) r.fail('tl.too-long')
  const end = at + stringSize(length)
  if (end > bytes.length) r.fail('tl.truncated')
  for (let i = from + length; i < end; i++) if (bytes[i] !== 0) r.fail('tl.padding')
  const value = take(r, from, length)
  r.at = end
  return value
}

/** Writes prefix and padding, moves over data and padding, and returns where the data goes. */
function writeSpan(w: Writer, length: number): number {
  const size = stringSize(length)
  const at = w.take(size)
  const { bytes } = w
  // Padding lies in the last four bytes. The target may be memory used before, and none of that may leak onto the wire.
  w.view.setUint32(at + size - 4, 0)
  if (length < LONG_FORM) {
    bytes[at] = length
    return at + 1
  }
  bytes[at] = LONG_FORM
  bytes[at + 1] = length & 255
  bytes[at + 2] = (length >> 8) & 255
  bytes[at + 3] = length >> 16
  return at + 4
}

function checkLimit(tl: string, { max }: Limit): void {
  if (!Number.isInteger(max) || max < 0 || max > MAX_STRING_BYTES) throw tlError('bug.tl-definition', { field: tl })
}

/** Bytes of any content. Decoded as a view of the input, not a copy. */
export function bytes(limit: Limit): Type<Uint8Array> {
  checkLimit('bytes', limit)
  const { max } = limit
  const measure = (value: Uint8Array, place: Place): number => {
    if (value.length > max) place.fail('tl.too-long')
    return value.length
  }
  const take = (r: Reader, from: number, length: number): Uint8Array => r.slice(from, length)
  return {
    tl: 'bytes',
    minBytes: 4,
    depth: 0,
    shape: { is: 'bytes', max },
    size: (value, place) => stringSize(measure(value, place)),
    write(w, value) {
      const length = measure(value, w)
      w.bytes.set(value, writeSpan(w, length))
    },
    read: (r) => readSpan(r, max, take),
  }
}

const encoder = new TextEncoder()
/** `ignoreBOM` keeps a leading U+FEFF: dropping it would change the bytes on the way back. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text in UTF-8; anything else is refused (tl.utf8), lone surrogates on the way out included. */
export function string(limit: Limit): Type<string> {
  checkLimit('string', limit)
  const { max } = limit
  const measure = (value: string, place: Place): number => {
    const length = utf8Length(value, place)
    if (length > max) place.fail('tl.too-long')
    return length
  }
  return {
    tl: 'string',
    minBytes: 4,
    depth: 0,
    shape: { is: 'string', max },
    size: (value, place) => stringSize(measure(value, place)),
    write(w, value) {
      const length = measure(value, w)
      const at = writeSpan(w, length)
      if (length === value.length && length < SHORT_TEXT) {
        for (let i = 0; i < length; i++) w.bytes[at + i] = value.charCodeAt(i)
      } else encoder.encodeInto(value, w.bytes.subarray(at, at + length))
    },
    read: (r) => readSpan(r, max, readUtf8),
  }
}

/** Text of one byte a character, for HTTP: a header's bytes need not be UTF-8 and must come out as they went in. */
export function latin1(limit: Limit): Type<string> {
  checkLimit('latin1', limit)
  const { max } = limit
  const measure = (value: string, place: Place): number => {
    if (value.length > max) place.fail('tl.too-long')
    return value.length
  }
  return {
    tl: 'string',
    minBytes: 4,
    depth: 0,
    shape: { is: 'latin1', max },
    size: (value, place) => stringSize(measure(value, place)),
    write(w, value) {
      const length = measure(value, w)
      const at = writeSpan(w, length)
      let high = 0
      for (let i = 0; i < length; i++) {
        const code = value.charCodeAt(i)
        high |= code
        w.bytes[at + i] = code
      }
      if (high > 255) w.fail('tl.latin1')
    },
    read: (r) => readSpan(r, max, readLatin1),
    skip: (r) => readSpan(r, max, takeNothing),
  }
}

/** Every byte is a character of latin1: nothing to check. */
const takeNothing = (): void => {}

function readUtf8(r: Reader, from: number, length: number): string {
  if (length < SHORT_TEXT) {
    const ascii = asciiOrNothing(r.bytes, from, length)
    if (ascii !== undefined) return ascii
  }
  try {
    return decoder.decode(r.slice(from, length))
  } catch {
    return r.fail('tl.utf8')
  }
}

function asciiOrNothing(bytes: Uint8Array, from: number, length: number): string | undefined {
  let text = ''
  for (let at = from; at < from + length; at++) {
    const code = bytes[at] as number
    if (code > 127) return undefined
    text += String.fromCharCode(code)
  }
  return text
}

function readLatin1(r: Reader, from: number, length: number): string {
  let text = ''
  if (length < SHORT_TEXT) {
    for (let at = from; at < from + length; at++) text += String.fromCharCode(r.bytes[at] as number)
    return text
  }
  for (let done = 0; done < length; done += CODES_A_CALL)
    text += String.fromCharCode(...r.slice(from + done, Math.min(CODES_A_CALL, length - done)))
  return text
}

/** Bytes of `text` in UTF-8. */
function utf8Length(text: string, place: Place): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    if (code < 0x800) length += 1
    else if (code < 0xd800 || code > 0xdfff) length += 2
    else {
      const next = text.charCodeAt(i + 1)
      if (code > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) place.fail('tl.utf8')
      length += 2
      i++
    }
  }
  return length
}
