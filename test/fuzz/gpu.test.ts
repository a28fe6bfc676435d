/** A slice of the mutations on every run. The long one is in gpu.long.test.ts. */
import { expect, test } from 'vitest'
import { FUZZED_PARSERS, fuzzGpuParser, GPU_REGIONS, mutateGpu, mutateManifests } from './gpu.ts'

test.each(GPU_REGIONS)('of 1,000 GPU proofs with a change in %s, none verifies', async (region) => {
  const codes = await mutateGpu(20_261_121, region, 1000)
  expect(Object.values(codes).reduce((sum, n) => sum + n, 0)).toBe(1000)
  const late = region === 'certificates' ? 'attestation.gpu-chain' : 'attestation.gpu-report-signature'
  expect(codes[late] ?? 0).toBeGreaterThan(100)
})

test('of 1,000 manifests with a change, none verifies that says something else', async () => {
  const { refused, sameContent } = await mutateManifests(20_261_121, 1000)
  expect(Object.values(refused).reduce((sum, n) => sum + n, 0) + sameContent).toBe(1000)
  expect(refused['attestation.gpu-rim-digest'] ?? 0).toBeGreaterThan(100)
  expect(sameContent).toBeLessThan(100)
})

test.each(FUZZED_PARSERS)('3,000 damaged inputs of %s are refused with a code and an offset, or parse', (which) => {
  expect(fuzzGpuParser(1, which, 3000)).toBeLessThan(2900)
})
