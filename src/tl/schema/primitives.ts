/**
 * The schema's built-in declarations. None is an object on the wire except the two of `Bool`; they stand here so that the
 * whole table of ids is accounted for. Source: spec/tl-constructors.json, the first 13 rows.
 */
import { crc32 } from '../crc32.ts'

export interface Primitive {
  readonly name: string
  readonly id: number
  readonly result: string
  /** The declaration that the id is the CRC-32 of. */
  readonly line: string
}

const primitive = (name: string, rest: string, result: string): Primitive => {
  const line = [name, rest, '=', result].filter((part) => part !== '').join(' ')
  return { name, id: crc32(line), result, line }
}

export const primitives: readonly Primitive[] = [
  primitive('int', '?', 'Int'),
  primitive('long', '?', 'Long'),
  primitive('double', '?', 'Double'),
  primitive('string', '?', 'String'),
  primitive('object', '?', 'Object'),
  primitive('function', '?', 'Function'),
  primitive('bytes', 'data:string', 'Bytes'),
  primitive('true', '', 'True'),
  primitive('boolTrue', '', 'Bool'),
  primitive('boolFalse', '', 'Bool'),
  primitive('vector', 't:Type # [ t ]', 'Vector t'),
  primitive('int128', '4*[ int ]', 'Int128'),
  primitive('int256', '8*[ int ]', 'Int256'),
]
