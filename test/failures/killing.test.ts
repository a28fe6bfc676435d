/** A short slice of killing.long.test.ts, in every run. */
import { expect, test } from 'vitest'
import { surviveKilling } from './expectations.ts'

test('nodes killed under load for twenty seconds leave no request hanging, and none is paid for twice', async () => {
  const { story } = await surviveKilling({ seed: 1, seconds: 20 })
  expect(Object.values(story.kills).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(3)
  expect(story.counts.answered).toBeGreaterThan(100)
}, 180_000)
