import { describe, expect, test } from 'vitest'
import { utf8 } from '../../../util/index.ts'
import { MAX_SIGNED_JSON_BYTES, readSignedJson } from './json.ts'

const CODE = 'attestation.tcb-info-format'
const HEX = 'ab'.repeat(64)
const read = (text: string): string => new TextDecoder().decode(readSignedJson(utf8(text), 'tcbInfo', CODE).signed)

describe('the signed object', () => {
  test.each([
    ['as Intel delivers it', `{"tcbInfo":{"a":1},"signature":"${HEX}"}`, '{"a":1}'],
    ['the signature first', `{"signature":"${HEX}","tcbInfo":{"a":1}}`, '{"a":1}'],
    [
      'white space around it, which is not signed',
      `\n{ "tcbInfo" : {"a" :1} ,\t"signature" : "${HEX}" }\n`,
      '{"a" :1}',
    ],
    [
      'brackets and quotes in strings',
      `{"tcbInfo":{"a":"}],{\\"","b":["\\\\"]},"signature":"${HEX}"}`,
      '{"a":"}],{\\"","b":["\\\\"]}',
    ],
    ['letters of other scripts', `{"tcbInfo":{"a":"ж"},"signature":"${HEX}"}`, '{"a":"ж"}'],
  ])('%s is cut out as it stands', (_, text, signed) => {
    expect(read(text)).toBe(signed)
  })

  test.each([
    ['nothing', ''],
    ['no object', '[]'],
    ['an object without members', '{}'],
    ['another name', `{"enclaveIdentity":{},"signature":"${HEX}"}`],
    ['the name twice', `{"tcbInfo":{},"tcbInfo":{"a":1},"signature":"${HEX}"}`],
    ['a signature that is short', `{"tcbInfo":{},"signature":"${HEX.slice(2)}"}`],
    ['a signature that is no hex', `{"tcbInfo":{},"signature":"${HEX.slice(1)}g"}`],
    ['a signature that is a number', `{"tcbInfo":{},"signature":12}`],
    ['a string for the object', `{"tcbInfo":"x","signature":"${HEX}"}`],
    ['a list for the object', `{"tcbInfo":[],"signature":"${HEX}"}`],
    ['null for the object', `{"tcbInfo":null,"signature":"${HEX}"}`],
    ['a comma too many', `{"tcbInfo":{},"signature":"${HEX}",}`],
    ['a comma too few', `{"tcbInfo":{} "signature":"${HEX}"}`],
    ['a bracket too many', `{"tcbInfo":{}},"signature":"${HEX}"}`],
    ['a bracket too few', `{"tcbInfo":{"a":{},"signature":"${HEX}"}`],
    ['brackets of two kinds', `{"tcbInfo":{"a":[}],"signature":"${HEX}"}`],
    ['a string without an end', `{"tcbInfo":{"a":"},"signature":"${HEX}"}`],
    ['text behind', `{"tcbInfo":{},"signature":"${HEX}"}x`],
    ['two objects', `{"tcbInfo":{},"signature":"${HEX}"}{}`],
    ['an escaped name', `{"tcb\\u0049nfo":{},"signature":"${HEX}"}`],
  ])('%s is refused', (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: CODE }))
  })

  test('bytes that are not UTF-8, and too many of them, are refused', () => {
    for (const bytes of [Uint8Array.of(0x7b, 0xff, 0x7d), new Uint8Array(MAX_SIGNED_JSON_BYTES + 1).fill(0x20)])
      expect(() => readSignedJson(bytes, 'tcbInfo', CODE)).toThrow(expect.objectContaining({ code: CODE }))
  })

  test('errors name the field by its path', () => {
    const { body } = readSignedJson(utf8(`{"tcbInfo":{"a":[{"b":1},{"b":-1}]},"signature":"${HEX}"}`), 'tcbInfo', CODE)
    expect(() => body.list('a', 2).map((one) => one.integer('b', 9))).toThrow(
      expect.objectContaining({ info: expect.objectContaining({ field: 'tcbInfo.a[1].b' }) }),
    )
    expect(() => body.list('a', 1)).toThrow(expect.objectContaining({ code: CODE }))
    expect(() => body.integer('toString', 9)).toThrow(expect.objectContaining({ code: CODE }))
  })
})
