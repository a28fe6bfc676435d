/** The ledger's process dies (SIGKILL) at every write and at random instants; ledger-kills.ts says what must hold then. */
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/util/index.ts'
import { dieAtEveryWrite, startKilling } from './ledger-kills.ts'

const SEED = 1
const KILLS_UNDER_LOAD = 20
/** Half a minute on an idle machine. */
const BUSY = { timeout: 180_000 }

test.concurrent(
  'killed at every write, from the creation of the file to its close, a ledger knows all that was told',
  BUSY,
  async () => {
    expect(await dieAtEveryWrite(SEED)).toBeGreaterThan(30)
  },
)

test.concurrent(
  `killed ${KILLS_UNDER_LOAD} times at random instants of one life, a ledger knows all that was told`,
  BUSY,
  async () => {
    const ledger = startKilling(10_000_000)
    const random = seededRandom(SEED)
    let settled = 0
    for (let i = 0; i < KILLS_UNDER_LOAD; i++) {
      await ledger.dieUnderLoad(random)
      settled = ledger.expectNothingLost()
    }
    expect(settled).toBeGreaterThan(100)
    ledger.remove()
  },
)

test.concurrent('a ledger that another process holds is refused with its pid, and free when that process is gone', async () => {
  const ledger = startKilling(10_000_000)
  await ledger.whileUnderLoad((open, pid) => {
    const message = expect.stringContaining(`pid ${pid}`)
    expect(open).toThrowError(expect.objectContaining({ code: 'config.ledger-in-use', message }))
  })
  ledger.expectNothingLost()
  ledger.remove()
})
