/** A client's money: what it must never meet. */
import { expect } from 'vitest'
import { CLIENT_OWNER, ELSEWHERE, NOW, STRANGER, TON } from '../support/world.ts'
import type { Regression } from './regression.ts'
import { createScene, gainOf, NOWHERE, paidTo, tokensWorth } from './scene.ts'

const CLOSING_PAYS_ALL = `refund = kept - RENT_FLOOR;
                kept = RENT_FLOOR;
                st.balance = 0;`

const GRANT_PAYS_ALL = `refund = kept - paid - RENT_FLOOR;
            kept = RENT_FLOOR;`

const OF_CLIENT =
  'assert (in.senderAddress == clientAddress(msg.owner, st.proxyPublicKey, st.params)) throw ERR_NOT_DERIVED;'

const LAST_EXCESS = `        }).send(SEND_MODE_PAY_FEES_SEPARATELY | SEND_MODE_BOUNCE_ON_ACTION_FAIL);
    }
    returnExcess(queryId, excess);`

export const CLIENT_REGRESSIONS: readonly Regression[] = [
  {
    holds: 'a client whose proxy is silent gets everything back after the delay, whatever the operator has staked',
    edits: [{ file: 'client.tolk', from: CLOSING_PAYS_ALL, to: CLOSING_PAYS_ALL.replace('kept - RENT_FLOOR', '0') }],
    scenario: async (codes) => {
      const s = await createScene(codes)
      await s.topUp(15n)
      const first = await s.requestRefund()
      s.world.chain.now = NOW + 43_201
      expect(paidTo(CLIENT_OWNER, first, await s.requestRefund())).toBeGreaterThanOrEqual(15n * TON)
    },
  },
  {
    holds: 'a closed client contract has returned its rent, all but 0.01 TON',
    edits: [{ file: 'client.tolk', from: CLOSING_PAYS_ALL, to: CLOSING_PAYS_ALL.replaceAll('RENT_FLOOR', 'RENT') }],
    scenario: async (codes) => {
      const s = await createScene(codes)
      await s.topUp(15n)
      await s.requestRefund()
      s.world.chain.now = NOW + 43_201
      await s.requestRefund()
      expect((await s.world.clientState()).state).toBe(2)
      expect(await s.world.balance(s.client)).toBeLessThanOrEqual(TON / 100n)
    },
  },
  {
    holds: 'whoever delivers a granted refund gains nothing of the client’s',
    edits: [
      {
        file: 'client.tolk',
        from: GRANT_PAYS_ALL,
        to: GRANT_PAYS_ALL.replace('kept - paid - RENT_FLOOR', 'st.balance'),
      },
    ],
    scenario: async (codes) => {
      const s = await createScene(codes)
      await s.topUp(15n)
      const outcome = await s.grant(0n, ELSEWHERE)
      expect(gainOf(ELSEWHERE, outcome)).toBeLessThan((7n * TON) / 10n)
      expect(paidTo(CLIENT_OWNER, outcome)).toBeGreaterThan((155n * TON) / 10n)
    },
  },
  {
    holds: 'a refund delivered with a return address that cannot receive is not lost',
    // The money travels through the proxy contract, with the return address in the message.
    edits: [
      {
        file: 'client.tolk',
        from: GRANT_PAYS_ALL,
        to: 'toProxy = paid + st.balance + ATTACHED / 2; refund = 0; kept = kept - paid - st.balance;',
      },
      { file: 'client.tolk', from: LAST_EXCESS, to: LAST_EXCESS.replace('queryId, excess', 'queryId, parties.owner') },
      {
        file: 'proxy.tolk',
        from: OF_CLIENT,
        to: `${OF_CLIENT}
            val payload = msg.payload;
            if (payload == null) { return; }
            var order = payload.beginParse();
            if (order.loadUint(32) != 0xc68ebc7b) { return; }
            val amount = order.loadCoins();
            settle(msg.queryId, contract.getOriginalBalance() - in.valueCoins, msg.owner, amount, order.loadAddress());`,
      },
    ],
    scenario: async (codes) => {
      const s = await createScene(codes)
      await s.topUp(15n)
      expect(paidTo(CLIENT_OWNER, await s.grant(0n, NOWHERE), await s.grant(0n))).toBeGreaterThanOrEqual(15n * TON)
    },
  },
  {
    holds:
      'what a charge could not take is still owed after the next top up, and tokens are counted as paid only when they are',
    edits: [
      {
        file: 'client.tolk',
        from: `val paid = self.balance - rest;
    self.tokensUsed += bought;
    self.balance = rest;`,
        to: `val paid = self.balance;
    self.tokensUsed = tokens;
    self.balance = 0;`,
      },
    ],
    scenario: async (codes) => {
      const s = await createScene(codes)
      await s.topUp(15n)
      await s.charge(tokensWorth(20n))
      await s.topUp(15n)
      await s.charge(tokensWorth(20n))
      const refund = paidTo(CLIENT_OWNER, await s.grant(tokensWorth(20n)))
      expect(refund).toBeGreaterThanOrEqual(10n * TON)
      expect(refund).toBeLessThan(11n * TON)
    },
  },
  {
    holds: 'a top up while the proxy contract is closing is not both credited and paid back',
    edits: [
      { file: 'client.tolk', from: 'const NOTICE = 1\n', to: 'const NOTICE = ton("0.1")\n' },
      {
        file: 'proxy.tolk',
        from: OF_CLIENT,
        to: `${OF_CLIENT}
            val payload = msg.payload;
            if (payload == null) { return; }
            var order = payload.beginParse();
            if ((order.loadUint(32) != 0x5cfc6b87) | (st.state == STATE_NORMAL)) { return; }
            val amount = order.loadCoins();
            val kept = contract.getOriginalBalance() - in.valueCoins - amount;
            settle(msg.queryId, kept, msg.owner, amount, order.loadAddress());`,
      },
    ],
    scenario: async (codes) => {
      const s = await createScene(codes)
      await s.topUp(15n)
      await s.charge(tokensWorth(12n))
      await s.close()
      const brought = (8n + 10n) * TON
      const back = [await s.topUp(7n), await s.topUp(9n), await s.grant(tokensWorth(12n))]
      // 3 TON of the first top up, what the deployment left, and these two.
      expect(gainOf(CLIENT_OWNER, ...back)).toBeLessThan(brought + 4n * TON)
    },
  },
  {
    holds: 'a stranger who imitates a client’s notice gets his coins back',
    edits: [{ file: 'proxy.tolk', from: OF_CLIENT, to: `if (msg.payload == null) { return; } ${OF_CLIENT}` }],
    scenario: async (codes) => {
      const s = await createScene(codes)
      const { beginCell } = await import('@ton/core')
      const body = beginCell().storeUint(0x65448ff4, 32).storeUint(1, 64).storeAddress(CLIENT_OWNER)
      const state = beginCell()
        .storeUint(0, 2 + 4 + 4 + 64 + 256)
        .endCell()
      const message = { from: STRANGER, value: TON, body: body.storeRef(state).storeBit(0).endCell() }
      expect(gainOf(STRANGER, await s.world.send(s.proxy, message))).toBeGreaterThan((9n * TON) / 10n)
    },
  },
]
