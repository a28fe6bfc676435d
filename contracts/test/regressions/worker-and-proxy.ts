/** Earnings of workers and operator, and the end of a proxy: what must not happen to them. */
import { expect } from 'vitest'
import { text } from '../support/messages.ts'
import { account, CLIENT_OWNER, ELSEWHERE, NOW, PROXY_OWNER, TON, WORKER_OWNER } from '../support/world.ts'
import type { Regression } from './regression.ts'
import { createScene, gainOf, NOWHERE, paidTo, tokensWorth, workerPartOf } from './scene.ts'

const DAY = 86_400
const NO_BOUNCE = {
  file: 'worker.tolk',
  from: 'bounce: BounceMode.RichBounce',
  to: 'bounce: BounceMode.NoBounce',
} as const
const POT = 'assert (payout.workerPart + payout.proxyPart <= pot) throw ERR_LOW_BALANCE;'

export const WORKER_REGRESSIONS: readonly Regression[] = [
  {
    holds: 'whoever delivers a last payout gains nothing of the worker contract’s',
    edits: [{ file: 'worker.tolk', from: 'if (rent > 0) {', to: 'if (rent < 0) {' }],
    scenario: async (codes) => {
      const s = await createScene(codes)
      await s.topUp(15n)
      await s.charge(tokensWorth(10n))
      const outcome = await s.lastPayout(tokensWorth(10n), ELSEWHERE)
      expect(gainOf(ELSEWHERE, outcome)).toBeLessThan((7n * TON) / 10n)
      expect(paidTo(WORKER_OWNER, outcome)).toBeGreaterThan(workerPartOf(10n) + TON / 4n)
      expect(await s.world.balance(s.worker)).toBeLessThanOrEqual(TON / 100n)
    },
  },
  {
    holds: 'earnings delivered with a return address that cannot receive are not lost',
    edits: [NO_BOUNCE, { file: 'worker.tolk', from: '    excess.assertBasechain();\n', to: '' }],
    scenario: async (codes) => {
      const s = await createScene(codes)
      await s.topUp(15n)
      await s.charge(tokensWorth(10n))
      const outcomes = [await s.payout(tokensWorth(10n), NOWHERE), await s.payout(tokensWorth(10n))]
      expect(paidTo(WORKER_OWNER, ...outcomes)).toBe(workerPartOf(10n))
    },
  },
  {
    holds: 'a payout that the proxy contract cannot pay is owed until it can',
    edits: [NO_BOUNCE],
    scenario: async (codes) => {
      const s = await createScene(codes)
      const early = await s.payout(tokensWorth(10n))
      await s.topUp(15n)
      await s.charge(tokensWorth(10n))
      expect(paidTo(WORKER_OWNER, early, await s.payout(tokensWorth(10n)))).toBe(workerPartOf(10n))
    },
  },
  {
    holds: 'a worker is paid only out of what clients were charged: the money of one who used nothing stays',
    edits: [{ file: 'proxy.tolk', from: POT, to: '' }],
    scenario: async (codes) => {
      const s = await createScene(codes)
      const saver = account(0x24)
      const { address, init } = s.world.clientOf(saver)
      await s.world.send(address, { from: saver, value: TON, init, bounce: false })
      await s.topUp(15n)
      await s.topUp(15n, saver)
      await s.stake(15n)
      await s.charge(tokensWorth(1n))
      expect(paidTo(WORKER_OWNER, await s.payout(tokensWorth(10n)))).toBeLessThan(2n * TON)
      expect(paidTo(saver, await s.grant(0n, ELSEWHERE, address))).toBeGreaterThanOrEqual(15n * TON)
      expect(paidTo(CLIENT_OWNER, await s.grant(tokensWorth(1n)))).toBeGreaterThanOrEqual(14n * TON)
    },
  },
]

async function closing(codes: Parameters<Regression['scenario']>[0]) {
  const s = await createScene(codes)
  await s.topUp(15n)
  await s.stake(15n)
  await s.charge(tokensWorth(10n))
  await s.payout(tokensWorth(4n))
  await s.close()
  return s
}

export const PROXY_REGRESSIONS: readonly Regression[] = [
  {
    holds: 'a proxy contract closes only after the delay',
    edits: [
      {
        file: 'proxy.tolk',
        from: '            assert (st.unlockTs < blockchain.now()) throw ERR_LOCKED;\n            completeClosing',
        to: '            completeClosing',
      },
    ],
    scenario: async (codes) => {
      const s = await closing(codes)
      s.world.chain.now = NOW + DAY - 1
      await s.complete()
      expect((await s.world.proxyState()).state).toBe(1)
    },
  },
  {
    holds: 'at the end the operator gets stake and earned part, not what is owed to workers',
    edits: [{ file: 'proxy.tolk', from: 'val amount = min(owed, free);', to: 'val amount = free;' }],
    scenario: async (codes) => {
      const s = await closing(codes)
      s.world.chain.now = NOW + DAY + 1
      expect(paidTo(PROXY_OWNER, await s.complete())).toBe(15n * TON + TON / 5n)
    },
  },
  {
    holds: 'workers are paid by a closed proxy contract what was charged for them',
    edits: [{ file: 'proxy.tolk', from: POT, to: `assert (st.state != STATE_CLOSED) throw ERR_CLOSED;\n${POT}` }],
    scenario: async (codes) => {
      const s = await closing(codes)
      s.world.chain.now = NOW + DAY + 1
      await s.complete()
      expect((await s.world.proxyState()).state).toBe(2)
      expect(paidTo(WORKER_OWNER, await s.payout(tokensWorth(10n)))).toBe(workerPartOf(6n))
    },
  },
  {
    holds: 'an operator who types w into a wallet is paid',
    edits: [
      {
        file: 'proxy.tolk',
        from: '}).send(SEND_MODE_PAY_FEES_SEPARATELY | SEND_MODE_BOUNCE_ON_ACTION_FAIL);',
        to: '}).send(SEND_MODE_CARRY_ALL_BALANCE);',
      },
    ],
    scenario: async (codes) => {
      const s = await closing(codes)
      const outcome = await s.world.send(s.proxy, { from: PROXY_OWNER, value: TON, body: text('w') })
      expect(paidTo(PROXY_OWNER, outcome)).toBe(TON / 5n)
    },
  },
]
