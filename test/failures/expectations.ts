/** What must be true of a network after any number of killed nodes. */
import { expect } from 'vitest'
import { seededRandom } from '../../src/util/index.ts'
import { killUnderLoad, type Story } from './killing.ts'
import { COST_NANO, startMortalNetwork, type Totals } from './network.ts'

export interface Outcome {
  readonly story: Story
  readonly totals: Totals
  /** Charged by a proxy that was lost before it could say so, of requests that failed: `unsettled` in their receipts. */
  readonly chargedUnsaid: bigint
}

/** @param options.leastSuccess of requests that had not delivered anything when something failed under them */
export async function surviveKilling(options: {
  readonly seed: number
  readonly seconds: number
  readonly leastSuccess: number
}): Promise<Outcome> {
  await using network = await startMortalNetwork()
  await network.whole()
  const random = seededRandom(options.seed)
  const story = await killUnderLoad(network, { random, seconds: options.seconds, callers: 12 })
  await network.whole()
  await network.quiet()
  const totals = await network.totals()
  const { answered, failed, cut } = story.counts
  const { chargedNano, paidNano } = totals

  expect(story.oddities).toEqual([])
  expect(answered / (answered + failed), JSON.stringify(story.failures)).toBeGreaterThanOrEqual(options.leastSuccess)
  expect(totals.receipts).toBe(answered + failed + cut)
  expect(totals.dearestNano).toBe(COST_NANO)
  expect(paidNano).toBeGreaterThanOrEqual(BigInt(answered) * COST_NANO)
  expect(chargedNano).toBeGreaterThanOrEqual(paidNano)
  expect(chargedNano).toBeLessThanOrEqual(paidNano + totals.unsettledNano)
  expect(totals.chargedTwice).toBe(0)
  return { story, totals, chargedUnsaid: (chargedNano - paidNano) / COST_NANO }
}
