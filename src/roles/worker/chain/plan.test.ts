import { expect, test } from 'vitest'
import { type CollectView, decideCollecting } from './plan.ts'

const TON = 1_000_000_000n
const HOUR_MS = 3_600_000
const view: CollectView = {
  state: 'normal',
  signed: 0n,
  paid: 0n,
  pricePerToken: 20n,
  workerFeePerToken: 18n,
  potNano: 100n * TON,
  owedSinceMs: 0,
  nowMs: HOUR_MS,
  isOutdated: false,
  collectAtNano: 20n * TON,
  collectAfterMs: 24 * HOUR_MS,
}
/** Tokens that earn so many thousandths of a TON. */
const earning = (milliTon: bigint): bigint => (milliTon * TON) / 1000n / 18n + 1n

test.each([
  ['nothing owed is not collected', {}, 'wait'],
  ['what the proxy will pay soon is not collected', { signed: earning(19_000n) }, 'wait'],
  ['what is worth the fees is', { signed: earning(20_000n) }, 'collect'],
  [
    'tokens are not TON: many cheap ones are not worth it',
    { signed: 10n ** 10n, workerFeePerToken: 1n, pricePerToken: 1n },
    'wait',
  ],
  ['what has been owed for long is', { signed: earning(200n), nowMs: 24 * HOUR_MS }, 'collect'],
  ['what fees would eat up is not, however old', { signed: earning(100n), nowMs: 24 * HOUR_MS }, 'wait'],
  ['at the end of a contract little is enough', { signed: earning(10n), isOutdated: true }, 'collect'],
  ['from a pot that cannot pay nothing is asked', { signed: earning(20_000n), potNano: 20n * TON }, 'pot-too-small'],
  ['a closed contract pays nothing', { signed: earning(20_000n), state: 'closed' }, 'wait'],
] as const)('%s', (_, over, decision) => {
  expect(decideCollecting({ ...view, ...over })).toBe(decision)
})
