/**
 * The inner loop of proof of work: SHA-256 of one 24-byte message, many times. A general hash object needs several times
 * as long, because this message always fits one block and only four of its bytes change. Source of the function:
 * FIPS 180-4.
 */

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const K = primeFractions(64, Math.cbrt)
/** The same of the square roots of the first 8. */
const H = primeFractions(8, Math.sqrt)

function primeFractions(count: number, root: (n: number) => number): Int32Array {
  const out = new Int32Array(count)
  for (let n = 2, found = 0; found < count; n++) {
    let prime = true
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false
    // 52 bits of a double hold 3 integer bits and the 32 wanted; the vectors in the test would show a rounding.
    if (prime) out[found++] = Math.floor((root(n) % 1) * 2 ** 32)
  }
  return out
}

/** Turns round the bytes of a 32-bit word. */
const swap = (x: number): number => (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)

export interface NonceRange {
  /** 16 bytes. */
  readonly salt: Uint8Array
  /** Upper half of the nonce. */
  readonly high: number
  /** First lower half that is tried, and how many. */
  readonly from: number
  readonly count: number
  /** Zero bits wanted; beyond 32 only the first 32 are looked at here, the caller checks the rest. */
  readonly difficulty: number
}

/** The first lower half in the range whose hash has at least `min(difficulty, 32)` zero bits; -1 when none has. */
export function searchNonces({ salt, high, from, count, difficulty }: NonceRange): number {
  const view = new DataView(salt.buffer, salt.byteOffset, salt.byteLength)
  const w = new Int32Array(64)
  for (let i = 0; i < 4; i++) w[i] = view.getInt32(4 * i)
  w[5] = swap(high)
  w[6] = 0x80000000
  w[15] = 24 * 8
  // Bits of the second digest word that must be zero: its bytes, last first, lead the number that is looked at.
  const mask = difficulty <= 0 ? 0 : swap(difficulty >= 32 ? -1 : ~(-1 >>> difficulty))
  for (let n = 0; n < count; n++) {
    w[4] = swap((from + n) | 0)
    if ((secondWord(w) & mask) === 0) return (from + n) >>> 0
  }
  return -1
}

/** Bytes 4 to 7 of the digest, as a big-endian word. Fills w[16…63]. */
function secondWord(w: Int32Array): number {
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] as number
    const y = w[i - 2] as number
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = ((w[i - 16] as number) + s0 + (w[i - 7] as number) + s1) | 0
  }
  let a = H[0] as number
  let b = H[1] as number
  let c = H[2] as number
  let d = H[3] as number
  let e = H[4] as number
  let f = H[5] as number
  let g = H[6] as number
  let h = H[7] as number
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (K[i] as number) + (w[i] as number)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  return (b + (H[1] as number)) | 0
}
