/** What holds for every definition of the schema, with values drawn from the definition itself. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arbitraryBoxed } from '../../test/support/tl-arbitrary.ts'
import { codeOf } from '../../test/support/tl-code-of.ts'
import { allConstructors, decode, encode, encodeInto, sizeOf, x1Constructors } from './index.ts'

const RUNS = 30

describe.each([...allConstructors, ...x1Constructors].map((def) => ({ name: def.name, def })))('$name', ({ def }) => {
  const values = arbitraryBoxed(def)
  const holds = (check: (value: { readonly _: string }, at: number) => void): void =>
    fc.assert(fc.property(values, fc.nat(), check), { numRuns: RUNS })

  test('what is encoded decodes to an equal value, in as many bytes as measured', () => {
    holds((value) => {
      const wire = encode(def, value)
      expect(wire.length).toBe(sizeOf(def, value))
      expect(wire.length % 4).toBe(0)
      expect(decode(def, wire)).toStrictEqual(value)
    })
  })

  test('encoding into used memory writes the same bytes and no others', () => {
    holds((value, at) => {
      const wire = encode(def, value)
      const before = at % 9
      const used = new Uint8Array(before + wire.length + 5).fill(0xee)
      expect(encodeInto(used, before, def, value)).toBe(before + wire.length)
      expect(used.subarray(before, before + wire.length)).toEqual(wire)
      expect([...used.subarray(0, before), ...used.subarray(before + wire.length)]).toEqual(
        Array.from({ length: before + 5 }, () => 0xee),
      )
    })
  })

  test('every proper prefix is refused as truncated', () => {
    holds((value, at) => {
      const wire = encode(def, value)
      expect(codeOf(() => decode(def, wire.subarray(0, at % wire.length)))).toBe('tl.truncated')
    })
  })

  test('a byte after the last field is refused', () => {
    holds((value, at) => {
      const wire = encode(def, value)
      const longer = new Uint8Array(wire.length + 1 + (at % 8))
      longer.set(wire)
      expect(codeOf(() => decode(def, longer))).toBe('tl.trailing')
    })
  })

  test('too small a target is refused and nothing is written after it', () => {
    holds((value, at) => {
      const wire = encode(def, value)
      const memory = new Uint8Array(wire.length)
      const room = at % wire.length
      expect(codeOf(() => encodeInto(memory.subarray(0, room), 0, def, value))).toBe('bug.tl-space')
      expect(memory.subarray(room).every((byte) => byte === 0)).toBe(true)
    })
  })

  test('a changed byte is refused with a code of tl, or the bytes are those of another value', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, change) => {
        const wire = encode(def, value)
        const index = at % wire.length
        wire[index] = (wire[index] as number) ^ change
        let changed: { readonly _: string } | undefined
        const code = codeOf(() => void (changed = decode(def, wire)))
        if (changed !== undefined) expect(encode(def, changed)).toEqual(wire)
        else expect(code).toMatch(/^tl\./)
      }),
      { numRuns: RUNS },
    )
  })
})
