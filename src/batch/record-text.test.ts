import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromText, toText } from './record-text.ts'

test('a record comes back as it was, amounts as amounts and texts as texts, whatever they look like', () => {
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('5n', '{"$nano":"5"}', '$nano'),
    fc.bigInt(),
    fc.integer(),
    fc.constant(null),
  )
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value), (record) => {
      expect(fromText(toText({ record }))).toEqual({ record })
    }),
  )
})
