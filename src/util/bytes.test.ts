import { describe, expect, test } from 'vitest'
import { fromBase64, fromHex, seededRandom, toBase64, toHex } from './index.ts'

const RANDOM = seededRandom(1)
const SAMPLES = Array.from({ length: 300 }, (_, length) => RANDOM.bytes(length % 100))

describe('Base64', () => {
  test('of any bytes is read as it was written, url-safe and without its padding too', () => {
    for (const bytes of SAMPLES) {
      const text = toBase64(bytes)
      expect(text).toBe(Buffer.from(bytes).toString('base64'))
      for (const form of [text, text.replaceAll('=', ''), text.replaceAll('+', '-').replaceAll('/', '_')])
        expect(fromBase64(form)).toEqual(bytes)
    }
  })

  test('bits that are left over at the end are not looked at', () => {
    expect(fromBase64('QR==')).toEqual(fromBase64('QQ'))
  })

  test.each([
    'A',
    'AAAAA',
    'AA=',
    'A===',
    '=',
    '==',
    '====',
    'AAA==',
    'AA=A',
    'AA A',
    'AAA\n',
    'AAAé',
    'AAAŁ',
    'AA\u0000A',
  ])('%j is none', (text) => {
    expect(() => fromBase64(text)).toThrow(RangeError)
  })
})

describe('hex', () => {
  test('of any bytes is read as it was written, in either case', () => {
    for (const bytes of SAMPLES) {
      const text = toHex(bytes)
      expect(text).toBe(Buffer.from(bytes).toString('hex'))
      expect(fromHex(text)).toEqual(bytes)
      expect(fromHex(text.toUpperCase())).toEqual(bytes)
    }
  })

  test.each(['0', '0g', 'G0', ' 0', '0x', '٠٠'])('%j is none', (text) => {
    expect(() => fromHex(text)).toThrow(RangeError)
  })
})
