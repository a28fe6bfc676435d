/**
 * Values of the wire language written down as JSON, for vectors: a long is a decimal text, raw bytes are hex, and bytes that
 * contain an object may stand as that object. Reading goes by the definition, so a vector cannot be vague about a type.
 */
import { allConstructors, type AnyCtor, encode, type Field, type Type } from '../../src/tl/index.ts'
import { fromHex } from '../../src/util/index.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

export const constructorNamed = (name: Json | undefined): AnyCtor => {
  const def = allConstructors.find((one) => one.name === name)
  if (def === undefined) throw new Error(`no constructor ${JSON.stringify(name)}`)
  return def
}

/** A boxed value: `_` names its constructor. */
export const boxedFromJson = (json: JsonObject): { readonly _: string } => ({
  _: String(json._),
  ...fieldsFromJson(constructorNamed(json._).layout, json),
})

/** The bytes of a boxed value. */
export const encodeJson = (json: JsonObject): Uint8Array => encode(constructorNamed(json._), boxedFromJson(json))

function fieldsFromJson(layout: readonly Field[], json: JsonObject): object {
  const known = new Set(layout.map((field) => field.name))
  for (const key of Object.keys(json)) if (key !== '_' && !known.has(key)) throw new Error(`no field ${key}`)
  return Object.fromEntries(
    layout.flatMap(({ name, type }) => (json[name] === undefined ? [] : [[name, fromJson(type, json[name])]])),
  )
}

function fromJson(type: Type<unknown>, json: Json): unknown {
  const { shape } = type
  switch (shape.is) {
    case 'long':
      return BigInt(json as string)
    case 'raw':
      return fromHex(json as string)
    case 'bytes':
      return typeof json === 'string' ? fromHex(json) : encodeJson(json as JsonObject)
    case 'vector':
      return (json as readonly Json[]).map((one) => fromJson(shape.item, one))
    case 'bare':
      return fieldsFromJson(shape.of.layout, json as JsonObject)
    case 'boxed':
      return boxedFromJson(json as JsonObject)
    default:
      return json
  }
}
