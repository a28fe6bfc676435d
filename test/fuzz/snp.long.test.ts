/** The long run: new seeds every time, printed on a find. COCOON_FUZZ_SEED repeats one. */
import { expect, test } from 'vitest'
import { fuzzSnpParser, mutateSnp, SNP_REGIONS } from './snp.ts'

const firstSeed = Number(process.env.COCOON_FUZZ_SEED ?? Date.now() % 0x7fffffff)

test.each(SNP_REGIONS)(`from seed ${firstSeed} on: of 100,000 with a change in %s, none verifies`, async (region) => {
  const codes = await mutateSnp(firstSeed, region, 100_000)
  expect(Object.values(codes).reduce((sum, n) => sum + n, 0)).toBe(100_000)
})

test(`from seed ${firstSeed} on: 5 million damaged reports are refused with a code and an offset, or parse`, () => {
  for (let round = 0; round < 50; round++) expect(fuzzSnpParser(firstSeed + round, 100_000)).toBeLessThan(100_000)
})
