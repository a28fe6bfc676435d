/** The long run: a new seed every time, printed on a find. COCOON_FUZZ_SEED repeats one. */
import { expect, test } from 'vitest'
import { mutateAnswers, mutateClaims } from './ocsp.ts'

const seed = Number(process.env.COCOON_FUZZ_SEED ?? Date.now() % 0x7fffffff)
const COUNT = 100_000
const sum = (codes: Readonly<Record<string, number>>): number => Object.values(codes).reduce((a, b) => a + b, 0)

test(`from seed ${seed}: of 100,000 answers about revocation with a change, none is believed`, async () => {
  expect(sum(await mutateAnswers(seed, COUNT))).toBe(COUNT)
})

test(`from seed ${seed}: of 100,000 claims with a change, none is believed`, async () => {
  expect(sum(await mutateClaims(seed, COUNT))).toBe(COUNT)
})
