/**
 * Throws damaged messages at the decoder. Inputs are drawn from the definitions and then mutated. The rule: bytes are
 * refused with a code of `tl`, or decode to a value that encodes to the same bytes. Anything else is a find.
 */
import fc from 'fast-check'
import {
  allConstructors,
  type AnyCtor,
  decodeOneOf,
  encode,
  encodeUnion,
  union,
  x1Constructors,
} from '../../src/tl/index.ts'
import { toHex } from '../../src/util/index.ts'
import { arbitraryBoxed } from '../support/tl-arbitrary.ts'
import { codeOf } from '../support/tl-code-of.ts'

export interface TlFuzzReport {
  readonly accepted: number
  /** How often each code was the answer. */
  readonly refusedByCode: Readonly<Record<string, number>>
}

/** Messages drawn from one definition in a row, and mutants of each. */
const DRAWN_AT_ONCE = 20
const MUTANTS_EACH = 10
/** Words that lie at the edges of lengths, counts and flags. */
const EDGES = [0, 1, 4, 253, 254, 255, 0xfd, 0xfffffe, 0xffffffff, 0x7fffffff, 0x80000000, 0xfe, 0xfefe, 0x1fe, 0xff]

const definitions: readonly AnyCtor[] = [...allConstructors, ...x1Constructors]
const anything = union('anything', definitions)

/** Uniform in 0 … n − 1, by mulberry32. */
export function randomFrom(seed: number): (n: number) => number {
  let state = seed >>> 0
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

/** Runs about `iterations` inputs; the same seed gives the same inputs. Throws at the first find, with its bytes in hex. */
export function fuzzTl(seed: number, iterations: number): TlFuzzReport {
  const random = randomFrom(seed)
  const refusedByCode: Record<string, number> = {}
  let accepted = 0
  let last: Uint8Array = new Uint8Array(4)
  for (let done = 0; done < iterations; ) {
    const def = definitions[random(definitions.length)] as AnyCtor
    for (const value of fc.sample(arbitraryBoxed(def), { seed: random(0x7fffffff), numRuns: DRAWN_AT_ONCE })) {
      const wire = encode(def, value)
      for (let i = 0; i < MUTANTS_EACH && done < iterations; i++, done++) {
        const input = mutate(wire, last, random)
        const code = judge(input, seed)
        if (code === undefined) accepted++
        else refusedByCode[code] = (refusedByCode[code] ?? 0) + 1
      }
      last = wire
    }
  }
  return { accepted, refusedByCode }
}

/** The code that the input was refused with; undefined for one that was accepted as it should be. */
export function judge(input: Uint8Array, seed = 0): string | undefined {
  let again: Uint8Array | undefined
  const code = codeOf(() => void (again = encodeUnion(anything, decodeOneOf(anything, input))))
  const fine = code === undefined ? again !== undefined && toHex(again) === toHex(input) : code.startsWith('tl.')
  if (!fine) throw new Error(`seed ${seed}: ${code ?? 'encodes to other bytes'}: ${toHex(input)}`)
  return code
}

/** One to three damages. `other` is another message, to cut pieces from. */
export function mutate(wire: Uint8Array, other: Uint8Array, random: (n: number) => number): Uint8Array {
  let bytes = wire.slice()
  for (let times = 1 + random(3); times > 0; times--) {
    const at = random(bytes.length + 1)
    const aligned = at & ~3
    switch (random(7)) {
      case 0: // one bit
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random(8))
        break
      case 1: // one byte
        if (at < bytes.length) bytes[at] = random(256)
        break
      case 2: // a word at the edge of something
        if (aligned + 4 <= bytes.length)
          new DataView(bytes.buffer).setUint32(aligned, EDGES[random(EDGES.length)] as number, true)
        break
      case 3: // cut off
        bytes = bytes.slice(0, at)
        break
      case 4: // take out
        bytes = join(bytes.subarray(0, aligned), bytes.subarray(aligned + 4 * (1 + random(3))))
        break
      case 5: // repeat
        bytes = join(bytes.subarray(0, at), bytes.subarray(aligned))
        break
      default: // put in a piece of another message
        bytes = join(
          bytes.subarray(0, aligned),
          other.subarray(random(other.length) & ~3, random(other.length + 1)),
          bytes.subarray(aligned),
        )
    }
  }
  return bytes
}

const join = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
