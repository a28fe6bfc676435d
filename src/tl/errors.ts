/** What can be wrong with bytes, or with a value about to become bytes. */
import { CocoonError } from '../util/index.ts'

/** Each code with its sentence. A test refuses a code that nothing throws. */
export const TL_ERRORS = {
  'tl.truncated': 'the bytes end before the value does',
  'tl.too-long': 'a length is above the maximum of its field',
  'tl.count': 'a vector has more items than its field allows',
  'tl.length-form': 'a length is not written in its shortest form',
  'tl.padding': 'padding after a string is not zero',
  'tl.trailing': 'bytes follow the last field',
  'tl.unknown-constructor': 'the constructor id is none that may stand here',
  'tl.bool': 'a Bool is neither boolTrue nor boolFalse',
  'tl.flags': 'the top bit of a flags word is set',
  'tl.nan': 'a double is not a number',
  'tl.utf8': 'a text is not valid Unicode',
  'tl.latin1': 'a one-byte text holds a character above U+00FF',
  'bug.tl-value': 'a value does not fit the definition of its field',
  'bug.tl-flags': 'the flags word and the optional fields disagree',
  'bug.tl-space': 'the target is too small for the encoded value',
  'bug.tl-definition': 'a definition breaks a rule of the TL language',
} as const

export type TlErrorCode = keyof typeof TL_ERRORS

/** Where in a message: never what stood there, since it may be a prompt, an answer or a key. */
export interface TlPlace {
  readonly constructorName?: string
  readonly field?: string
  /** Byte offset in the decoded input; absent when encoding. */
  readonly offset?: number
}

/** The error of `code`, with the place in `info.constructor`, `info.field` and `info.offset`. */
export function tlError(code: TlErrorCode, place: TlPlace = {}): CocoonError {
  const path = [place.constructorName, place.field].filter((part) => part !== undefined && part !== '').join('.')
  const at = [path === '' ? '' : ` in ${path}`, place.offset === undefined ? '' : ` at byte ${place.offset}`].join('')
  return new CocoonError(code, {
    message: `${TL_ERRORS[code]}${at}`,
    constructor: place.constructorName,
    field: place.field,
    offset: place.offset,
  })
}
