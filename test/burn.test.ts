/** The table of docs/payments.md is what fees and defaults give now. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { burnTable } from '../bench/burn.ts'

test('docs/payments.md says what a million requests burn at today’s fees and default thresholds', () => {
  const document = readFileSync(new URL('../docs/payments.md', import.meta.url), 'utf8')
  expect(document).toContain(burnTable())
})
