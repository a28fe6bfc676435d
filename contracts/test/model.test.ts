import { expect, test } from 'vitest'
import { missingFrom, play } from './model/play.ts'
import { playRoot } from './model/root-game.ts'
import { playWallet } from './model/wallet-game.ts'

/** The long version plays thousands of games: model.long.test.ts. */
test.each([1, 2, 3])('game %i: nobody is paid, stored or kept other than the model says', async (seed) => {
  const { done, refused, conservation } = await play(seed, 80)
  expect(done).toBeGreaterThan(10)
  expect(refused).toBeGreaterThan(10)
  expect(missingFrom(conservation)).toBe(0n)
})

test.each([1, 2, 3, 4])('root game %i: nodes can parse what the model says, whoever sends what', async (seed) => {
  const { done, refused } = await playRoot(seed, 120)
  expect(done).toBeGreaterThan(30)
  expect(refused).toBeGreaterThan(20)
})

test.each([1, 2])('wallet game %i: an order counts once, and only the key’s and the owner’s', async (seed) => {
  const { accepted, refused } = await playWallet(seed, 150)
  expect(accepted).toBeGreaterThan(10)
  expect(refused).toBeGreaterThan(20)
})
