/** Random values of any definition, for properties and fuzzing. Everything a definition allows can come out. */
import fc from 'fast-check'
import type { AnyCtor, Field, Type } from '../../src/tl/index.ts'

/** Lengths around which the encoding changes: padding, and the two forms of the prefix. */
const EDGE_LENGTHS = [0, 1, 2, 3, 4, 31, 32, 33, 252, 253, 254, 255, 256, 300]
/** Items a vector: enough to show an order, few enough to be fast. */
const MAX_ITEMS = 4
/** Bits that no definition has a use for yet, and that must survive a round trip. */
const SPARE_BITS = [0, 1 << 12, 1 << 30]

const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

const lengthUpTo = (max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(...EDGE_LENGTHS.filter((n) => n <= max)), fc.nat({ max: Math.min(max, 600) }))

const bytesUpTo = (max: number): fc.Arbitrary<Uint8Array> =>
  lengthUpTo(max).chain((n) => fc.uint8Array({ minLength: n, maxLength: n }))

/** One unit is at most 4 bytes of UTF-8, so a quarter of the limit always fits. */
const textUpTo = (max: number): fc.Arbitrary<string> =>
  fc.oneof(
    lengthUpTo(max).map((n) => 'a'.repeat(n)),
    fc.string({ unit: 'binary', maxLength: Math.min(Math.floor(max / 4), 100) }),
  )

const latin1UpTo = (max: number): fc.Arbitrary<string> =>
  bytesUpTo(max).map((bytes) => Array.from(bytes, (b) => String.fromCharCode(b)).join(''))

/** A value of a type; of a boxed type, with `_`. */
export function arbitraryOf(type: Type<unknown>): fc.Arbitrary<unknown> {
  const { shape } = type
  switch (shape.is) {
    case 'int':
      return int32
    case 'long':
      return int64
    case 'double':
      return fc.double({ noNaN: true })
    case 'bool':
      return fc.boolean()
    case 'flags':
      return fc.nat({ max: 0x7fff_ffff })
    case 'raw':
      return fc.uint8Array({ minLength: shape.bytes, maxLength: shape.bytes })
    case 'bytes':
      return bytesUpTo(shape.max)
    case 'string':
      return textUpTo(shape.max)
    case 'latin1':
      return latin1UpTo(shape.max)
    case 'vector':
      return fc.array(arbitraryOf(shape.item), { maxLength: MAX_ITEMS })
    case 'bare':
      return arbitraryFields(shape.of.layout)
    case 'boxed':
      return fc.oneof(...shape.members.map(arbitraryBoxed))
  }
}

/** A boxed value of a constructor: `_` and its fields, as decoding gives it. */
export const arbitraryBoxed = (def: AnyCtor): fc.Arbitrary<{ readonly _: string }> =>
  arbitraryFields(def.layout).map((fields) => ({ _: def.name, ...fields }))

function arbitraryFields(layout: readonly Field[]): fc.Arbitrary<Record<string, unknown>> {
  const bits = [...new Set(layout.flatMap((field) => (field.flag === undefined ? [] : [field.flag])))]
  const words = fc
    .tuple(fc.subarray(bits), fc.constantFrom(...SPARE_BITS))
    .map(([set, spare]) => set.reduce((word, bit) => word | (1 << bit), spare))
  return words.chain((word) => {
    const present = layout.filter((field) => field.flag === undefined || (word & (1 << field.flag)) !== 0)
    return fc
      .tuple(...present.map((f) => (f.type.shape.is === 'flags' ? fc.constant(word) : arbitraryOf(f.type))))
      .map((values) => Object.fromEntries(present.map((field, i) => [field.name, values[i]])))
  })
}
