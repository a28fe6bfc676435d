/** Ten minutes of nodes killed at random under continuous load; the figures are printed. A failure names its seed. */
import { test } from 'vitest'
import { surviveKilling } from './expectations.ts'

const SECONDS = 600
const SEEDS = [1, 2]
const LEAST_SUCCESS = 0.999

test.each(SEEDS)('seed %i: ten minutes of killed nodes', async (seed) => {
  const { story, totals, chargedUnsaid } = await surviveKilling({ seed, seconds: SECONDS, leastSuccess: LEAST_SUCCESS })
  const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
  process.stdout.write(`${JSON.stringify({ seed, ...story, totals, chargedUnsaid }, text, 1)}\n`)
})
