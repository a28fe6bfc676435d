import { expect, test } from 'vitest'
import { play } from './support/model.ts'

/** The long version plays thousands of games: model.long.test.ts. */
test.each([1, 2, 3])('game %i: nobody is paid, stored or kept other than the model says', async (seed) => {
  const { done, refused } = await play(seed, 80)
  expect(done).toBeGreaterThan(10)
  expect(refused).toBeGreaterThan(10)
})
