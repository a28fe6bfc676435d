import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTokenText } from './token-text.ts'

/** A vocabulary where every token is some bytes. */
function show(pieces: readonly Uint8Array[]): readonly string[] {
  const text = createTokenText((tokens) => Buffer.concat(tokens.map((t) => pieces[t] as Uint8Array)).toString('utf8'))
  return pieces.map((_, token) => text.push(token))
}

describe('tokens to text', () => {
  test('any text cut into bytes anywhere comes out whole, without a replacement character on the way', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 60, maxLength: 60 }),
        (text, sizes) => {
          const bytes = Buffer.from(text)
          const pieces: Uint8Array[] = []
          let at = 0
          for (const size of sizes.concat(sizes, sizes, sizes, sizes)) {
            if (at < bytes.length) pieces.push(bytes.subarray(at, at + size))
            at += size
          }
          fc.pre(at >= bytes.length)
          const shown = show(pieces)
          expect(shown.join('')).toBe(text)
          expect(shown.join('').includes('\uFFFD')).toBe(text.includes('\uFFFD'))
        },
      ),
    )
  })

  test('a character that never ends is never shown', () => {
    expect(show([...Buffer.from('a😀').subarray(0, 4)].map((b) => Uint8Array.of(b))).join('')).toBe('a')
  })

  test('bytes that are no text do not hold up the rest', () => {
    const shown = show([
      Uint8Array.of(0x80),
      Uint8Array.of(0xff),
      ...[...Buffer.from('ok 😀')].map((b) => Uint8Array.of(b)),
    ])
    expect(shown.join('')).toMatch(/ok 😀$/)
  })
})
