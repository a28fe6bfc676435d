/** The long run: new seeds every time, printed on a find. COCOON_FUZZ_SEED repeats one. */
import { expect, test } from 'vitest'
import { FUZZED_PARSERS, fuzzGpuParser, GPU_REGIONS, mutateGpu, mutateManifests } from './gpu.ts'

const firstSeed = Number(process.env.COCOON_FUZZ_SEED ?? Date.now() % 0x7fffffff)

test.each(GPU_REGIONS)(`from seed ${firstSeed} on: of 100,000 with a change in %s, none verifies`, async (region) => {
  const codes = await mutateGpu(firstSeed, region, 100_000)
  expect(Object.values(codes).reduce((sum, n) => sum + n, 0)).toBe(100_000)
})

test(`from seed ${firstSeed} on: of 100,000 manifests with a change, none says something else`, async () => {
  const { refused, sameContent } = await mutateManifests(firstSeed, 100_000)
  expect(Object.values(refused).reduce((sum, n) => sum + n, 0) + sameContent).toBe(100_000)
})

test.each(FUZZED_PARSERS)(`from seed ${firstSeed} on: a million damaged inputs of %s are refused or parse`, (which) => {
  for (let round = 0; round < 20; round++) expect(fuzzGpuParser(firstSeed + round, which, 50_000)).toBeLessThan(50_000)
})
