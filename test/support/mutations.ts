/** Seeded damage to bytes, for evidence that must not survive any. */
import { concatBytes, equalBytes, type Random, seededRandom } from '../../src/util/index.ts'

/** Uniform in 0 … n − 1. */
export const drawFrom = (random: Random): ((n: number) => number) => {
  return (n) => Math.floor(random.fraction() * n)
}

/** One bit in `[from, to)` differs. */
export function flipBit(bytes: Uint8Array, from: number, to: number, draw: (n: number) => number): Uint8Array {
  const changed = bytes.slice()
  const at = from + draw(to - from)
  changed[at] = (changed[at] as number) ^ (1 << draw(8))
  return changed
}

/** One bit, or any damage; never the same bytes. */
export function changeAnyhow(bytes: Uint8Array, draw: (n: number) => number): Uint8Array {
  for (;;) {
    const changed = draw(2) === 0 ? flipBit(bytes, 0, bytes.length, draw) : damage(bytes, draw)
    if (!equalBytes(changed, bytes)) return changed
  }
}

/** Words that lie at the edges of lengths and counts. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0xffffff, 0x7fffffff, 0xffffffff]

/** One to four damages of any kind: bits, edge values, pieces cut, doubled, inserted. Lengths may change. */
export function damage(bytes: Uint8Array, draw: (n: number) => number): Uint8Array {
  let out = bytes
  for (let times = 1 + draw(4); times > 0; times--) {
    const at = draw(out.length + 1)
    const length = draw(Math.min(64, out.length - at + 1))
    switch (draw(6)) {
      case 0:
        out = out.length === 0 ? out : flipBit(out, 0, out.length, draw)
        break
      case 1: {
        const word = EDGES[draw(EDGES.length)] as number
        const size = Math.min(1 + draw(4), out.length - at)
        const edged = out.slice()
        for (let i = 0; i < size; i++) edged[at + i] = (word >>> (8 * i)) & 0xff
        out = edged
        break
      }
      case 2:
        out = out.slice(0, at)
        break
      case 3:
        out = concatBytes(out.subarray(0, at), out.subarray(at + length))
        break
      case 4:
        out = concatBytes(out.subarray(0, at + length), out.subarray(at))
        break
      default: {
        const noise = Uint8Array.from({ length }, () => draw(256))
        out = concatBytes(out.subarray(0, at), noise, out.subarray(at))
      }
    }
  }
  return out
}

export const seededDraw = (seed: number): ((n: number) => number) => drawFrom(seededRandom(seed))

/** The element at `i`, counted round. */
export const pick = <T>(from: readonly T[], i: number): T => from[i % from.length] as T
