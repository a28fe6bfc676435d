/** Byte helpers that work in a browser as well as in Node. */

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let out = ''
  for (const b of bytes) out += HEX[b]
  return out
}

/** Bytes of a hex string of either case; throws RangeError when it is not hex of whole bytes. */
export function fromHex(hex: string): Uint8Array {
  if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) throw new RangeError('not hex')
  const out = new Uint8Array(hex.length / 2)
  for (let i = 0; i < out.length; i++)
    out[i] = (nibbleOf(hex.charCodeAt(2 * i)) << 4) | nibbleOf(hex.charCodeAt(2 * i + 1))
  return out
}

/** Of a digit of either case: letters lie at 0x41 and 0x61, and A is 10. */
const nibbleOf = (code: number): number => (code & 0xf) + (code > 0x39 ? 9 : 0)

/** A copy with memory of its own. `slice` of a `Buffer` would be another view of the same bytes. */
export const copyBytes = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Equality in constant time for equal lengths: fit for secrets and tags. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let diff = 0
  for (let i = 0; i < a.length; i++) diff |= (a[i] as number) ^ (b[i] as number)
  return diff === 0
}

export const isZero = (bytes: Uint8Array): boolean => bytes.every((b) => b === 0)

const encoder = new TextEncoder()
export const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** As many arguments as any engine takes. */
const CHUNK_BYTES = 8192

/** Standard Base64. */
export function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES)
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK_BYTES) as unknown as number[])
  return btoa(text)
}

/**
 * Bytes of standard or url-safe Base64, padded or not; throws RangeError otherwise. Straight from the text: atob would make
 * another text first, as long as the bytes.
 */
export function fromBase64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new RangeError('not Base64')
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const digits = text.length - padding
  if (digits % 4 === 1 || (padding > 0 && text.length % 4 !== 0)) throw new RangeError('not Base64')
  const out = new Uint8Array(Math.floor((digits * 3) / 4))
  let bits = 0
  let held = 0
  let to = 0
  for (let at = 0; at < digits; at++) {
    bits = ((bits << 6) | (BASE64_VALUES[text.charCodeAt(at)] as number)) & 0xffff
    held += 6
    if (held >= 8) {
      held -= 8
      out[to++] = bits >> held
    }
  }
  return out
}

const BASE64_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
/** By character code, for ASCII. */
const BASE64_VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return BASE64_DIGITS.indexOf(character === '-' ? '+' : character === '_' ? '/' : character)
})
