/** The long run: a new seed every round, printed on a find. COCOON_FUZZ_SEED repeats one. */
import { expect, test } from 'vitest'
import { fuzzTl } from './tl.ts'

const ROUNDS = 200
const CASES_A_ROUND = 100_000
const firstSeed = Number(process.env.COCOON_FUZZ_SEED ?? Date.now() % 0x7fffffff)

test(`20 million damaged messages from seed ${firstSeed} on are refused with a code of tl or are other messages`, () => {
  for (let round = 0; round < ROUNDS; round++) {
    const { accepted, refusedByCode } = fuzzTl(firstSeed + round, CASES_A_ROUND)
    expect(accepted + Object.values(refusedByCode).reduce((sum, n) => sum + n, 0)).toBe(CASES_A_ROUND)
  }
})
