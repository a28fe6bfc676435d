/** The long run: a new seed every time, printed on a find. COCOON_FUZZ_SEED repeats one. */
import { expect, test } from 'vitest'
import { fuzzDcapMutations, fuzzDcapParsers } from './dcap.ts'

const MUTATIONS = 100_000
const PARSES = 1_000_000
const seed = Number(process.env.COCOON_FUZZ_SEED ?? Date.now() % 0x7fffffff)

test(`100,000 damaged quotes and collateral sets from seed ${seed} are refused, or say the same`, async () => {
  const { refused } = await fuzzDcapMutations(seed, MUTATIONS)
  expect(Object.keys(refused).length).toBeGreaterThanOrEqual(17)
})

test(`1,000,000 damaged inputs from seed ${seed} are read or refused in time`, () => {
  const { read, refused } = fuzzDcapParsers(seed, PARSES)
  expect(read + refused).toBe(PARSES)
})
