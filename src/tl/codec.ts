/**
 * From values to bytes and back. Encoding measures first and allocates once. Decoding copies nothing: byte fields are
 * views of the input, so whoever keeps one keeps the input, and must copy if the input's memory will be used again.
 *
 * Decoding throws `tl.*`; encoding throws `bug.tl-*`, or `tl.too-long`, `tl.count`, `tl.utf8`, `tl.latin1`, `tl.nan` for a
 * value that the wire cannot carry. `info` has constructor, field and offset, never a field's value.
 */
import { Place, Reader, Writer } from './cursor.ts'
import { tlError } from './errors.ts'
import type { Ctor, Union, ValueOf } from './types.ts'

/** A value to encode by its constructor: the name is known, so `_` may be left out. */
export type Encodable<N extends string, T> = T & { readonly _?: N }

/** Bytes that `encode` makes of the value: the id and the fields. A multiple of 4. */
export function sizeOf<N extends string, T>(def: Ctor<N, T>, value: Encodable<N, T>): number {
  return 4 + def.body.size(value, new Place())
}

/**
 * Memory for one encoded value: exactly this many bytes, of any content, all of which get overwritten. A fresh `Uint8Array`
 * costs as much as the rest of encoding a small message; on a hot path in Node, `Buffer.allocUnsafe` takes it from a pool.
 */
export type Allocate = (byteCount: number) => Uint8Array

const fresh: Allocate = (byteCount) => new Uint8Array(byteCount)

/** Above this a value gets memory of its own, so that one large message does not keep its size for good. */
const MAX_SCRATCH_BYTES = 256 * 1024

/** Memory that the next value overwrites: for bytes that are copied at once, as a connection's `send` does. */
export function createScratch(): Allocate {
  let memory = new Uint8Array(0)
  return (byteCount) => {
    if (byteCount > MAX_SCRATCH_BYTES) return new Uint8Array(byteCount)
    if (byteCount > memory.length) memory = new Uint8Array(Math.min(2 * byteCount, MAX_SCRATCH_BYTES))
    return memory.subarray(0, byteCount)
  }
}

/** A boxed value, in one allocation. */
export function encode<N extends string, T>(
  def: Ctor<N, T>,
  value: Encodable<N, T>,
  allocate: Allocate = fresh,
): Uint8Array {
  const bytes = allocate(sizeOf(def, value))
  encodeInto(bytes, 0, def, value)
  return bytes
}

/**
 * Writes a boxed value into any memory, so that a frame can be made in one piece; returns where it ends. Ask `sizeOf` for
 * the space beforehand. Throws bug.tl-space when the value does not fit.
 */
export function encodeInto<N extends string, T>(
  target: Uint8Array,
  at: number,
  def: Ctor<N, T>,
  value: Encodable<N, T>,
): number {
  const writer = new Writer(target, at)
  writer.constructorName = def.name
  writer.uint32(def.id)
  def.body.write(writer, value)
  return writer.at
}

/** A boxed value of a union, by its `_`, in one allocation. */
export function encodeUnion<V>(of: Union<V>, value: V, allocate: Allocate = fresh): Uint8Array {
  const place = new Place()
  place.constructorName = of.name
  const bytes = allocate(of.body.size(value, place))
  of.body.write(new Writer(bytes, 0), value)
  return bytes
}

/** The boxed value of `def` that `bytes` is, whole and exactly. */
export function decode<N extends string, T>(def: Ctor<N, T>, bytes: Uint8Array): ValueOf<Ctor<N, T>> {
  const reader = new Reader(bytes)
  reader.constructorName = def.name
  const id = reader.uint32()
  if (id !== def.id) {
    reader.at = 0
    reader.fail('tl.unknown-constructor')
  }
  return finish(reader, def.readAsBoxed(reader)) as ValueOf<Ctor<N, T>>
}

/** The boxed value that `bytes` is, whole and exactly; its id says which member. */
export function decodeOneOf<V>(of: Union<V>, bytes: Uint8Array): V {
  const reader = new Reader(bytes)
  reader.constructorName = of.name
  return finish(reader, of.body.read(reader))
}

/** Like `decodeOneOf`, but null for an id that is no member's: newer peers may send what we do not know yet. */
export function decodeIfKnown<V>(of: Union<V>, bytes: Uint8Array): V | null {
  const id = constructorId(bytes)
  return of.members.some((member) => member.id === id) ? decodeOneOf(of, bytes) : null
}

/** The id that a boxed value begins with, unsigned. Throws tl.truncated below 4 bytes. */
export function constructorId(bytes: Uint8Array): number {
  if (bytes.length < 4) throw tlError('tl.truncated', { offset: bytes.length })
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true)
}

function finish<T>(reader: Reader, value: T): T {
  if (reader.at !== reader.bytes.length) reader.fail('tl.trailing')
  return value
}
