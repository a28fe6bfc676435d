/** A slice of the mutations on every run. The long one is in snp.long.test.ts. */
import { expect, test } from 'vitest'
import { fuzzSnpParser, mutateSnp, SNP_REGIONS } from './snp.ts'

test.each(SNP_REGIONS)('of 1,000 reports and chains with a change in %s, none verifies', async (region) => {
  const codes = await mutateSnp(20_261_121, region, 1000)
  expect(Object.values(codes).reduce((sum, n) => sum + n, 0)).toBe(1000)
  // A mutator that only hits lengths and tags would test the parsers, not the signatures.
  const late = codes['attestation.snp-report-signature'] ?? codes['attestation.snp-chain'] ?? 0
  expect(region === 'root' ? (codes['attestation.snp-root-untrusted'] ?? 0) : late).toBeGreaterThan(100)
})

test('20,000 damaged reports are refused with a code and an offset, or parse', () => {
  const parsed = fuzzSnpParser(1, 20_000)
  expect(parsed).toBeGreaterThan(500)
  expect(parsed).toBeLessThan(19_000)
})
