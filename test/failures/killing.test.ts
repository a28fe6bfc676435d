/** A short slice of killing.long.test.ts, in every run. */
import { expect, test } from 'vitest'
import { surviveKilling } from './expectations.ts'

/** A busy machine takes longer to start a killed worker again than callers wait; the long test has a machine to itself. */
const LEAST_SUCCESS = 0.9

test('nodes killed under load for twenty seconds leave no request hanging, and none is paid for twice', async () => {
  const { story } = await surviveKilling({ seed: 1, seconds: 20, leastSuccess: LEAST_SUCCESS })
  expect(Object.values(story.kills).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(3)
  expect(story.counts.answered).toBeGreaterThan(100)
}, 180_000)
