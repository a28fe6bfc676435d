import { copyBytes } from './bytes.ts'

/** Randomness as an argument: sessions and schedulers stay repeatable in tests. */
export interface Random {
  bytes(length: number): Uint8Array
  /** In [0, 1). */
  fraction(): number
}

export const systemRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  fraction: () => Math.random(),
}

/** As much as one call to the system should bring. */
const POOL_BYTES = 4096

/**
 * The same source, asked for many bytes at a time: a call to the system takes microseconds, however little it brings. Each
 * byte is handed out once, as a copy.
 */
export function pooledRandom(source: Random): Random {
  let pool = new Uint8Array(0)
  let at = 0
  return {
    bytes(length) {
      if (length > POOL_BYTES / 4) return source.bytes(length)
      if (at + length > pool.length) {
        pool = new Uint8Array(source.bytes(POOL_BYTES))
        at = 0
      }
      at += length
      const bytes = copyBytes(pool.subarray(at - length, at))
      pool.fill(0, at - length, at)
      return bytes
    },
    fraction: () => source.fraction(),
  }
}

/** A repeatable source (mulberry32), for tests and benchmarks only. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return { fraction: next, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)) }
}

/** Uniform in [low, high). */
export const uniform = (random: Random, low: number, high: number): number => low + (high - low) * random.fraction()

/** 64 random bits, for nonces and query ids. */
export function randomUint64(random: Random): bigint {
  const bytes = random.bytes(8)
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0)
}
