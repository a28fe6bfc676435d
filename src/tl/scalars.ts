/** Types of fixed size. All integers are little-endian. */
import type { Place, Reader, Writer } from './cursor.ts'
import type { Shape, Type } from './types.ts'

/** Largest flags word: the top bit is refused, as the reference refuses it. */
export const MAX_FLAGS = 0x7fff_ffff

/** Ids of the two constructors of `Bool`, which is always boxed. */
export const BOOL_TRUE_ID = 0x997275b5
export const BOOL_FALSE_ID = 0xbc799737

function scalar<T>(
  tl: string,
  bytes: number,
  shape: Shape,
  write: (w: Writer, value: T) => void,
  read: (r: Reader) => T,
): Type<T> {
  return { tl, minBytes: bytes, depth: 0, shape, size: () => bytes, write, read }
}

/** Signed 32 bits, as `number`. */
export const int: Type<number> = scalar(
  'int',
  4,
  { is: 'int' },
  (w, value) => {
    if ((value | 0) !== value) w.fail('bug.tl-value')
    w.view.setInt32(w.take(4), value, true)
  },
  (r) => r.view.getInt32(r.take(4), true),
)

/** Signed 64 bits, as `bigint`. */
export const long: Type<bigint> = scalar(
  'long',
  8,
  { is: 'long' },
  (w, value) => {
    if (BigInt.asIntN(64, value) !== value) w.fail('bug.tl-value')
    w.view.setBigInt64(w.take(8), value, true)
  },
  (r) => r.view.getBigInt64(r.take(8), true),
)

/**
 * IEEE-754, 8 bytes. NaN is refused both ways (tl.nan): it has many encodings, of which JavaScript keeps one, and every
 * use here is a time, where comparing with NaN would silently pass.
 */
export const double: Type<number> = scalar(
  'double',
  8,
  { is: 'double' },
  (w, value) => {
    if (Number.isNaN(value)) w.fail('tl.nan')
    w.view.setFloat64(w.take(8), value, true)
  },
  (r) => {
    const value = r.view.getFloat64(r.take(8), true)
    if (Number.isNaN(value)) r.fail('tl.nan')
    return value
  },
)

/** The word that says which optional fields follow. At most one a constructor, and its field is called `flags`. */
export const flags: Type<number> = scalar(
  '#',
  4,
  { is: 'flags' },
  (w, value) => {
    if ((value | 0) !== value || value < 0) w.fail('bug.tl-flags')
    w.view.setInt32(w.take(4), value, true)
  },
  (r) => {
    const value = r.uint32()
    if (value > MAX_FLAGS) r.fail('tl.flags')
    return value
  },
)

/** A `Bool`: 4 bytes of constructor id and nothing else. */
export const bool: Type<boolean> = scalar(
  'Bool',
  4,
  { is: 'bool' },
  (w, value) => {
    if (typeof value !== 'boolean') w.fail('bug.tl-value')
    w.uint32(value ? BOOL_TRUE_ID : BOOL_FALSE_ID)
  },
  (r) => {
    const id = r.uint32()
    if (id !== BOOL_TRUE_ID && id !== BOOL_FALSE_ID) r.fail('tl.bool')
    return id === BOOL_TRUE_ID
  },
)

function raw(tl: string, length: number): Type<Uint8Array> {
  return {
    tl,
    minBytes: length,
    depth: 0,
    shape: { is: 'raw', bytes: length },
    size(value: Uint8Array, place: Place) {
      if (value.length !== length) place.fail('bug.tl-value')
      return length
    },
    write(w, value) {
      if (value.length !== length) w.fail('bug.tl-value')
      w.bytes.set(value, w.take(length))
    },
    read: (r) => r.slice(r.take(length), length),
  }
}

/** 16 raw bytes, never swapped. Decoded as a view of the input. */
export const int128 = raw('int128', 16)
/** 32 raw bytes, never swapped. Decoded as a view of the input. */
export const int256 = raw('int256', 32)
