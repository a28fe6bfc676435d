/** As ledger.test.ts, hundreds of times: `npm run test:long`. A failure names its seed. */
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/util/index.ts'
import { dieAtEveryWrite, startKilling } from './ledger-kills.ts'

const LIVES = [1, 2, 3, 4, 5, 6, 7, 8]
const KILLS_IN_A_LIFE = 50
const SEEDS = [11, 12, 13, 14]

test.each(LIVES)(
  `killed ${KILLS_IN_A_LIFE} times at random instants of life %i, a ledger knows all that was told`,
  async (seed) => {
    // Every other life lets old entries go.
    const ledger = startKilling(seed % 2 === 0 ? 1_000 : 10_000_000)
    const random = seededRandom(seed)
    for (let i = 0; i < KILLS_IN_A_LIFE; i++) {
      await ledger.dieUnderLoad(random)
      ledger.expectNothingLost()
    }
    ledger.remove()
  },
)

test.each(SEEDS)('killed at every write of script %i, a ledger knows all that was told', async (seed) => {
  expect(await dieAtEveryWrite(seed)).toBeGreaterThan(30)
})
