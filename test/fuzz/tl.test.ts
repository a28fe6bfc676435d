/** A short slice of the fuzzing on every run. The long one is in tl.long.test.ts. */
import { expect, test } from 'vitest'
import { fuzzTl } from './tl.ts'

const CASES = 10_000

/** Fixed, so that every run is the same; any find names its seed and its bytes. */
test.each([1, 20261121])(
  'seed %i: 10,000 damaged messages are refused with a code of tl or are other messages',
  (seed) => {
    const { accepted, refusedByCode } = fuzzTl(seed, CASES)
    const refused = Object.values(refusedByCode).reduce((sum, n) => sum + n, 0)
    expect(accepted + refused).toBe(CASES)
    // A mutator that is too gentle, or too rough, would test little.
    expect(accepted).toBeGreaterThan(CASES / 100)
    expect(Object.keys(refusedByCode)).toEqual(
      expect.arrayContaining([
        'tl.truncated',
        'tl.trailing',
        'tl.unknown-constructor',
        'tl.padding',
        'tl.too-long',
        'tl.length-form',
        'tl.bool',
        'tl.utf8',
      ]),
    )
  },
)

test('the same seed gives the same run', () => {
  expect(fuzzTl(7, 500)).toEqual(fuzzTl(7, 500))
})
