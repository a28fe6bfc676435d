/** What a type of the language is, and which TypeScript value belongs to it. */
import type { Place, Reader, Writer } from './cursor.ts'

/**
 * One type: how its values are measured, written and read. Methods, not function properties, so that a `Type<string>`
 * is also a `Type<unknown>` where only facts about it matter.
 */
export interface Type<T> {
  /** As the schema writes it: `int`, `Bool`, `vector http.header`. Part of the line that a constructor id is the CRC of. */
  readonly tl: string
  /** The fewest bytes a value takes. Bounds a vector's count before anything is allocated. */
  readonly minBytes: number
  /** How many objects deep a value can be: 0 for a scalar. */
  readonly depth: number
  /** What it is made of, for generators of test values and of documents. */
  readonly shape: Shape
  /** Exact number of bytes, always a multiple of 4. Throws tl.too-long, tl.count, tl.utf8, tl.latin1, bug.tl-*. */
  size(value: T, place: Place): number
  write(writer: Writer, value: T): void
  read(reader: Reader): T
  /** Moves over a value with every check of `read`, without making it; `read` where there is no such shortcut. */
  skip?(reader: Reader): void
}

/** A type that may be absent: present only while bit `bit` of the constructor's `flags` is set. */
export interface When<T> {
  readonly bit: number
  readonly inner: Type<T>
}

export type Shape =
  | { readonly is: 'int' | 'long' | 'double' | 'bool' | 'flags' }
  | { readonly is: 'raw'; readonly bytes: number }
  | { readonly is: 'string' | 'latin1' | 'bytes'; readonly max: number }
  | { readonly is: 'vector'; readonly item: Type<unknown>; readonly max: number }
  | { readonly is: 'bare'; readonly of: CtorFacts }
  | { readonly is: 'boxed'; readonly members: readonly AnyCtor[] }

/** A constructor's fields, by camelCase name, in wire order. */
export type Fields = Readonly<Record<string, Type<unknown> | When<unknown>>>

/** One field as the schema writes it. */
export interface Field {
  readonly name: string
  /** `signed_payment` for `signedPayment`. */
  readonly tlName: string
  readonly type: Type<unknown>
  /** The bit of `flags` that decides whether the field is present; absent for a field that always is. */
  readonly flag?: number
}

/** What is known of a constructor without knowing its value's type. */
export interface CtorFacts {
  readonly name: string
  /** Unsigned 32-bit. On the wire little-endian, before the fields of a boxed value. */
  readonly id: number
  readonly result: string
  /** The declaration without id and brackets: the text that the id is the CRC-32 of, unless pinned. */
  readonly line: string
  readonly layout: readonly Field[]
}

/** A constructor: `T` is its fields; a boxed value has them and its name as `_`. */
export interface Ctor<N extends string, T> extends CtorFacts {
  readonly name: N
  /** The fields, without the id. */
  readonly body: Type<T>
  /** Reads the fields after the id has been read, and adds `_`. */
  readAsBoxed(reader: Reader): unknown
}

export type AnyCtor = Ctor<string, unknown>

/** A set of constructors that may stand in one place, told apart by their ids. */
export interface Union<V, M extends readonly AnyCtor[] = readonly AnyCtor[]> {
  readonly name: string
  readonly members: M
  /** Id and fields. */
  readonly body: Type<V>
}

type Flatten<T> = { readonly [K in keyof T]: T[K] }

/** The fields of a value, from the types of its definition. */
export type FieldValues<F extends Fields> = Flatten<
  { readonly [K in keyof F as F[K] extends When<unknown> ? never : K]: F[K] extends Type<infer T> ? T : never } & {
    readonly [K in keyof F as F[K] extends When<unknown> ? K : never]?: F[K] extends When<infer T> ? T : never
  }
>

/** The fields alone: what a bare value is, since a bare value has no id on the wire and no `_` in memory. */
export type FieldsOf<D> = D extends { readonly body: Type<infer T> } ? T : never

/** The value of a definition. Of a constructor: boxed, `_` is its name. Of a union: one of its members, boxed. */
export type ValueOf<D> =
  D extends Ctor<infer N, infer T>
    ? Flatten<{ readonly _: N } & T>
    : D extends { readonly body: Type<infer V> }
      ? V
      : D extends Type<infer T>
        ? T
        : never
