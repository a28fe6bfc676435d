/** Values inside values: optional, bare, boxed, and vectors. */
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
