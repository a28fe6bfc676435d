/** Values inside values: optional, bare, boxed, and vectors. */
import { skip } from './ctor.ts'
import { tlError } from './errors.ts'
import type { Ctor, Type, Union, When } from './types.ts'

/** Highest usable bit of a flags word, whose top bit is refused. */
const MAX_BIT = 30

/** A field that is present only while this bit of the constructor's `flags` is set. */
export function when<T>(bit: number, inner: Type<T>): When<T> {
  if (!Number.isInteger(bit) || bit < 0 || bit > MAX_BIT) throw tlError('bug.tl-definition', { field: `flags.${bit}` })
  return { bit, inner }
}

/** The fields of a constructor without its id: what the schema means by a type in lower case. */
export const bare = <N extends string, T>(def: Ctor<N, T>): Type<T> => def.body

/** One of several constructors, id first: what the schema means by a type whose last part begins with a capital. */
export const boxed = <V>(of: Union<V>): Type<V> => of.body

/** A bare vector: a count, then the items. The count is held against `max` and the bytes left before anything is made. */
export function vector<T>(item: Type<T>, { max }: { readonly max: number }): Type<readonly T[]> {
  if (item.minBytes === 0) throw tlError('bug.tl-definition', { field: `vector ${item.tl}` })
  return {
    tl: `vector ${item.tl}`,
    minBytes: 4,
    depth: item.depth,
    shape: { is: 'vector', item, max },
    size(items, place) {
      if (items.length > max) place.fail('tl.count')
      let total = 4
      for (const one of items) total += item.size(one, place)
      return total
    },
    write(w, items) {
      if (items.length > max) w.fail('tl.count')
      w.uint32(items.length)
      for (const one of items) item.write(w, one)
    },
    read(r) {
      const count = r.uint32()
      if (count > max) r.fail('tl.count')
      if (count * item.minBytes > r.bytes.length - r.at) r.fail('tl.truncated')
      const items: T[] = []
      for (let i = 0; i < count; i++) items.push(item.read(r))
      return items
    },
  }
}

/** Items of a vector as they stand on the wire, and more to go behind them. */
export interface Unread<T> {
  readonly count: number
  readonly bytes: Uint8Array
  readonly more?: readonly T[]
}

/**
 * A vector for whoever passes it on: every item is checked as `vector` does, none is made into a value. Decoded as a view
 * of the input.
 */
export function unreadVector<T>(item: Type<T>, limit: { readonly max: number }): Type<Unread<T>> {
  const whole = vector(item, limit)
  const { max } = limit
  return {
    tl: whole.tl,
    minBytes: whole.minBytes,
    depth: whole.depth,
    shape: whole.shape,
    size({ count, bytes, more = [] }, place) {
      if (count + more.length > max) place.fail('tl.count')
      let total = 4 + bytes.length
      for (const one of more) total += item.size(one, place)
      return total
    },
    write(w, { count, bytes, more = [] }) {
      w.uint32(count + more.length)
      w.bytes.set(bytes, w.take(bytes.length))
      for (const one of more) item.write(w, one)
    },
    read(r) {
      const count = r.uint32()
      if (count > max) r.fail('tl.count')
      if (count * item.minBytes > r.bytes.length - r.at) r.fail('tl.truncated')
      const from = r.at
      for (let i = 0; i < count; i++) skip(item, r)
      return { count, bytes: r.slice(from, r.at - from) }
    },
  }
}
