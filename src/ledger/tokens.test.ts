import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { adjust, adjustUsage, type AdjustedTokens, judgeUsage, NO_TOKENS, upperBound } from './index.ts'

const flat = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }

test.each([
  [9, 1000, 10_000, 9n],
  [100, 1500, 10_000, 150n],
  [7, 1100, 10_000, 7n],
  [3, 1000, 3000, 0n],
  [1000, 1234, 2500, 308n],
  [1, 999, 10_000, 0n],
  [29, 1100, 10_000, 31n],
  [123_456_789, 1000, 80_000, 987_654_312n],
])('%i tokens at coefficient %i and multiplier %i are %i adjusted tokens', (n, coefficient, multiplier, expected) => {
  expect(adjust(n, coefficient, multiplier)).toBe(expected)
})

/**
 * The rule is stated in doubles. Each of the four factors and products is rounded to 2⁻⁵³, so the result is the exact
 * rational's integer part, or its neighbour where the exact value lies within the rounding error of an integer.
 */
test('the double arithmetic stays within its rounding error of the exact rule', () => {
  const counts = fc.integer({ min: 0, max: 2 ** 31 })
  fc.assert(
    fc.property(counts, fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 100_000 }), (n, c, m) => {
      const exact = BigInt(n) * BigInt(c) * BigInt(m)
      const scale = 10_000_000n
      const got = adjust(n, c, m)
      const slack = exact / (1n << 50n) + 1n
      expect(got * scale <= exact + slack).toBe(true)
      expect((got + 1n) * scale > exact - slack).toBe(true)
    }),
  )
})

test('no usage within the limits costs more than the upper bound', () => {
  const size = fc.integer({ min: 0, max: 1_000_000 })
  const coefficient = fc.integer({ min: 0, max: 20_000 })
  const multiplier = fc.integer({ min: 0, max: 40_000 })
  fc.assert(
    fc.property(
      size,
      size,
      coefficient,
      fc.tuple(multiplier, multiplier, multiplier, multiplier),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (maxTokens, queryBytes, c, [prompt, cached, completion, reasoning], share) => {
        const multipliers = { prompt, cached, completion, reasoning }
        const raw = {
          promptTokens: queryBytes,
          cachedTokens: Math.floor(queryBytes * share),
          completionTokens: maxTokens,
          reasoningTokens: Math.floor(maxTokens * share),
        }
        expect(adjustUsage(raw, c, multipliers).total).toBeLessThanOrEqual(
          upperBound(maxTokens, queryBytes, c, multipliers),
        )
      },
    ),
  )
})

describe('a usage report', () => {
  const bounds = {
    reserved: 10_000n,
    coefficient: 1000,
    multipliers: flat,
    maxTokens: 1000,
    queryBytes: 400,
    answerBytes: 300,
  }
  const report = (classes: Partial<AdjustedTokens>): AdjustedTokens => {
    const r = { ...NO_TOKENS, ...classes }
    return { ...r, total: classes.total ?? r.prompt + r.cached + r.completion + r.reasoning }
  }
  test.each([
    ['is accepted within its limits', report({ prompt: 30n, completion: 200n }), {}, null],
    ['of nothing is accepted', report({}), {}, null],
    ['with a negative class is refused', report({ prompt: -1n, completion: 5n }), {}, 'negative'],
    ['with a negative total is refused', report({ total: -4n }), {}, 'negative'],
    ['whose total is not the sum is refused', report({ prompt: 1n, total: 3n }), {}, 'sum'],
    [
      'above its reservation is refused',
      report({ prompt: 30n, completion: 200n }),
      { reserved: 200n },
      'above-reservation',
    ],
    [
      'above the limit at the worker’s own price is refused',
      report({ completion: 1913n }),
      { answerBytes: 9000 },
      'above-limit',
    ],
    [
      'of more tokens than its answer has bytes is refused',
      report({ completion: 900n }),
      { answerBytes: 3 },
      'implausible',
    ],
    ['of more prompt tokens than the request has bytes is refused', report({ prompt: 913n }), {}, 'implausible'],
  ] as const)('%s', (_, used, over, expected) => {
    expect(judgeUsage(used, { ...bounds, ...over })).toBe(expected)
  })
})
