/** A slice of the mutations on every run. The long one is in ocsp.long.test.ts. */
import { expect, test } from 'vitest'
import { mutateAnswers, mutateClaims } from './ocsp.ts'

test('of 2,000 answers about revocation with a change, none is believed that says something else', async () => {
  const codes = await mutateAnswers(20_261_121, 2000)
  expect(codes['same'] ?? 0).toBeLessThan(200)
  for (const late of ['signature', 'responder', 'other-certificate'])
    expect(codes[`attestation.ocsp-${late}`] ?? 0).toBeGreaterThan(20)
})

test('of 1,000 claims with a change, none is believed', async () => {
  const codes = await mutateClaims(20_261_121, 1000)
  expect(codes['attestation.claims-signature'] ?? 0).toBeGreaterThan(100)
})
