/** Each code with bytes or a value that must bring it, and what an error may say. */
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../test/support/tl-code-of.ts'
import { CocoonError, fromHex } from '../util/index.ts'
import {
  bare,
  bool,
  bytes,
  ctor,
  decode,
  decodeOneOf,
  double,
  encode,
  encodeInto,
  encodeUnion,
  flags,
  int,
  int256,
  latin1,
  long,
  string,
  TL_ERRORS,
  type Type,
  union,
  vector,
  when,
} from './index.ts'

const text = ctor('t.text', { value: string({ max: 300 }) }, 't.T')
const oneByte = ctor('t.oneByte', { value: latin1({ max: 300 }) }, 't.T')
const raw = ctor('t.raw', { value: bytes({ max: 300 }) }, 't.T')
const key = ctor('t.key', { value: int256 }, 't.T')
const number = ctor('t.number', { value: int }, 't.T')
const wide = ctor('t.wide', { value: long }, 't.T')
const time = ctor('t.time', { value: double }, 't.T')
const yes = ctor('t.yes', { value: bool }, 't.T')
const list = ctor('t.list', { value: vector(int, { max: 3 }) }, 't.T')
const optional = ctor('t.optional', { flags, value: when(0, int) }, 't.T')
const either = union('t.T', [text, number])
const outer = ctor('t.outer', { inner: bare(number), value: string({ max: 300 }) }, 't.T')

/** The fields' bytes after the id of `def`. */
const wire = (def: { readonly id: number }, hex: string): Uint8Array => {
  const fields = fromHex(hex.replaceAll(' ', ''))
  const out = new Uint8Array(4 + fields.length)
  new DataView(out.buffer).setUint32(0, def.id, true)
  out.set(fields, 4)
  return out
}
const nest = (depth: number): Type<unknown> =>
  depth === 0 ? int : bare(ctor(`t.nest${depth}`, { inner: nest(depth - 1) }, 't.T'))

const CASES: readonly (readonly [code: keyof typeof TL_ERRORS, what: string, run: () => unknown])[] = [
  ['tl.truncated', 'no bytes at all', () => decode(number, new Uint8Array())],
  ['tl.truncated', 'half an int', () => decode(number, wire(number, '0100'))],
  ['tl.truncated', 'a length of more than there is', () => decode(text, wire(text, '04 616263'))],
  ['tl.truncated', 'a string without its padding', () => decode(text, wire(text, '01 61 00'))],
  ['tl.truncated', 'half a long length', () => decode(text, wire(text, 'fe 0001'))],
  [
    'tl.truncated',
    'a count of more items than there are bytes for',
    () => decode(list, wire(list, '03000000 01000000')),
  ],
  ['tl.too-long', 'a length above the maximum', () => decode(text, wire(text, 'fe 2d0100'))],
  ['tl.too-long', 'a text to send above the maximum', () => encode(text, { value: 'a'.repeat(301) })],
  ['tl.too-long', 'a text that only its UTF-8 makes too long', () => encode(text, { value: 'é'.repeat(151) })],
  ['tl.too-long', 'one-byte text to send above the maximum', () => encode(oneByte, { value: 'a'.repeat(301) })],
  ['tl.too-long', 'bytes to send above the maximum', () => encode(raw, { value: new Uint8Array(301) })],
  ['tl.count', 'a count above the maximum', () => decode(list, wire(list, '04000000'))],
  ['tl.count', 'a count that is no length of any array', () => decode(list, wire(list, 'ffffffff'))],
  ['tl.count', 'too many items to send', () => encode(list, { value: [1, 2, 3, 4] })],
  ['tl.length-form', 'three bytes of length for 253', () => decode(raw, wire(raw, `fe fd0000 ${'00'.repeat(256)}`))],
  ['tl.length-form', 'seven bytes of length', () => decode(raw, wire(raw, 'ff 01000000000000 61000000'))],
  ['tl.padding', 'a byte in the padding', () => decode(text, wire(text, '01 61 00 01'))],
  ['tl.trailing', 'a byte after the last field', () => decode(number, wire(number, '01000000 00'))],
  ['tl.unknown-constructor', 'another id than the one asked for', () => decode(number, wire(text, '00000000'))],
  ['tl.unknown-constructor', 'an id of no member', () => decodeOneOf(either, wire(key, ''))],
  ['tl.bool', 'a Bool of 1', () => decode(yes, wire(yes, '01000000'))],
  ['tl.flags', 'a flags word with the top bit', () => decode(optional, wire(optional, '00000080'))],
  ['tl.nan', 'a double that is no number', () => decode(time, wire(time, '000000000000f87f'))],
  ['tl.nan', 'no number to send', () => encode(time, { value: Number.NaN })],
  ['tl.utf8', 'a byte that is no UTF-8, short', () => decode(text, wire(text, '01 ff 0000'))],
  ['tl.utf8', 'a byte that is no UTF-8, long', () => decode(text, wire(text, `64 ${'61'.repeat(99)}ff 000000`))],
  ['tl.utf8', 'half a surrogate pair to send', () => encode(text, { value: 'a\ud800b' })],
  ['tl.utf8', 'the other half', () => encode(text, { value: '\udc00' })],
  ['tl.utf8', 'half a pair at the end', () => encode(text, { value: 'a\ud83d' })],
  ['tl.latin1', 'a character of two bytes in an HTTP text', () => encode(oneByte, { value: 'a€' })],
  ['bug.tl-value', 'an int of 2^31', () => encode(number, { value: 2 ** 31 })],
  ['bug.tl-value', 'an int with a fraction', () => encode(number, { value: 0.5 })],
  ['bug.tl-value', 'a long of 2^63', () => encode(wide, { value: 2n ** 63n })],
  ['bug.tl-value', '31 bytes for 32', () => encode(key, { value: new Uint8Array(31) })],
  ['bug.tl-value', 'a Bool that is none', () => encode(yes, { value: 1 as unknown as boolean })],
  ['bug.tl-value', 'no member of the union', () => encodeUnion(either, { _: 't.none', value: 1 } as never)],
  ['bug.tl-flags', 'a bit without its field', () => encode(optional, { flags: 1 })],
  ['bug.tl-flags', 'a field without its bit', () => encode(optional, { flags: 2, value: 1 })],
  ['bug.tl-flags', 'a flags word with the top bit to send', () => encode(optional, { flags: 2 ** 31 })],
  ['bug.tl-space', 'a target too small', () => encodeInto(new Uint8Array(7), 0, number, { value: 1 })],
  ['bug.tl-definition', 'an optional field before flags', () => ctor('t.bad', { value: when(0, int), flags }, 't.T')],
  ['bug.tl-definition', 'a flags word of another name', () => ctor('t.bad', { mode: flags }, 't.T')],
  ['bug.tl-definition', 'a field called flags that is none', () => ctor('t.bad', { flags: int }, 't.T')],
  ['bug.tl-definition', 'the top bit as a condition', () => when(31, int)],
  ['bug.tl-definition', 'a maximum above three bytes', () => bytes({ max: 2 ** 24 })],
  ['bug.tl-definition', 'a vector of nothing', () => vector(bare(ctor('t.empty', {}, 't.T')), { max: 1 })],
  ['bug.tl-definition', 'two members of one id', () => union('t.T', [number, ctor('t.other', {}, 't.T', number)])],
  ['bug.tl-definition', 'objects nine deep', () => nest(9)],
]

test.each(CASES)('%s: %s', (code, _what, run) => {
  expect(codeOf(run)).toBe(code)
})

test('every code has a case above', () => {
  expect(new Set(CASES.map(([code]) => code))).toEqual(new Set(Object.keys(TL_ERRORS)))
})

describe('what an error says', () => {
  const errorOf = (run: () => unknown): CocoonError => {
    try {
      run()
    } catch (error) {
      if (error instanceof CocoonError) return error
      throw error
    }
    throw new Error('nothing was thrown')
  }

  test('the constructor, the field and the offset where decoding stopped', () => {
    const { info } = errorOf(() => decode(outer, wire(outer, '01000000 05 6869')))
    expect(info).toMatchObject({ constructor: 't.outer', field: 'value', offset: 8 })
    expect(info.message).toBe('the bytes end before the value does in t.outer.value at byte 8')
  })

  test('the constructor and the field within, where the fault is within', () => {
    expect(errorOf(() => decode(outer, wire(outer, '0100'))).info).toMatchObject({
      constructor: 't.number',
      field: 'value',
      offset: 4,
    })
    expect(errorOf(() => encode(outer, { inner: { value: 0.5 }, value: '' })).info).toMatchObject({
      constructor: 't.number',
      field: 'value',
    })
  })

  test('nothing of the value, which may be a prompt', () => {
    const secret = 'my secret prompt'
    const errors = [
      errorOf(() => encode(text, { value: secret.repeat(30) })),
      errorOf(() => encode(text, { value: `${secret}\ud800` })),
      errorOf(() => decode(text, wire(text, `10 ${'73'.repeat(16)} 000001`))),
    ]
    for (const error of errors) expect(JSON.stringify([error.message, error.info])).not.toMatch(/secret|sss/)
  })
})
