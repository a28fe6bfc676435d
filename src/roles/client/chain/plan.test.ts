import { expect, test } from 'vitest'
import { type AccountState, type AccountView, plan } from './plan.ts'

const TON = 1_000_000_000n
const SECRET = new Uint8Array(32).fill(5)
const account = (over: Partial<AccountState> = {}): AccountState => ({
  state: 'normal',
  balanceNano: TON,
  stakeNano: TON,
  charged: 0n,
  unlockTs: 0,
  secretHash: SECRET,
  ...over,
})
const viewWith = (over: Partial<AccountView> = {}): AccountView => ({
  account: account(),
  used: 0n,
  signed: 0n,
  pricePerToken: 20n,
  minStakeNano: TON,
  secretHash: SECRET,
  topsUp: true,
  isLeaving: false,
  nowS: 1_000,
  ...over,
})
/** Tokens that cost this share of the stake, in per cent. */
const share = (percent: bigint): bigint => (TON * percent) / 100n / 20n

test.each([
  ['a funded account needs nothing', {}, null],
  [
    'a missing contract is deployed with the stake',
    { account: account({ state: 'absent' }) },
    { do: 'deploy', amountNano: TON },
  ],
  [
    'a deposit is a whole number of tokens',
    { account: account({ state: 'absent' }), pricePerToken: 7n },
    { do: 'deploy', amountNano: TON - (TON % 7n) },
  ],
  ['nothing is deployed by whoever deposits by hand', { account: account({ state: 'absent' }), topsUp: false }, null],
  ['nothing is deployed to be left', { account: account({ state: 'absent' }), isLeaving: true }, null],
  [
    'another secret on chain is replaced',
    { account: account({ secretHash: new Uint8Array(32) }) },
    { do: 'set-secret' },
  ],
  [
    'an empty secret is never put on chain',
    { account: account({ secretHash: new Uint8Array(32) }), secretHash: null },
    null,
  ],
  ['half of the stake used, in money, is filled up', { used: share(51n) }, { do: 'top-up', amountNano: TON }],
  ['less than half is not', { used: share(50n) }, null],
  [
    'who has topped up frees its credit with the signed charge',
    { account: account({ balanceNano: 2n * TON }), used: share(51n), signed: share(40n) },
    { do: 'submit-charge' },
  ],
  [
    'a charge that was taken is not taken twice',
    { account: account({ balanceNano: 2n * TON, charged: share(40n) }), used: share(95n), signed: share(40n) },
    null,
  ],
  [
    'where nothing costs anything nothing is filled up',
    { account: account({ balanceNano: 0n }), pricePerToken: 0n, used: 10n ** 12n },
    null,
  ],
  ['who leaves asks for the rest', { isLeaving: true }, { do: 'request-refund' }],
  ['who waits for the rest waits for the delay', { account: account({ state: 'closing', unlockTs: 1_000 }) }, null],
  [
    'and takes it when the delay is over',
    { account: account({ state: 'closing', unlockTs: 999 }) },
    { do: 'request-refund' },
  ],
  ['a closed contract is left alone', { account: account({ state: 'closed' }), isLeaving: true }, null],
] as const)('%s', (_, over, order) => {
  expect(plan(viewWith(over as Partial<AccountView>))).toEqual(order)
})
