import { expect, test } from 'vitest'
import { play } from './support/model.ts'

const GAMES = Number(process.env['COCOON_GAMES'] ?? 2_000)
const FIRST = Number(process.env['COCOON_SEED'] ?? 1_000)

test(`${GAMES} games of 150 messages: nobody is paid, stored or kept other than the model says`, async () => {
  let messages = 0
  for (let seed = FIRST; seed < FIRST + GAMES; seed++) {
    const { done, refused } = await play(seed, 150)
    messages += done + refused
  }
  expect(messages).toBeGreaterThan(GAMES * 100)
})
