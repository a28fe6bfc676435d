/** Orders to client contracts: what each should do, in a few lines. */
import type { Cell } from '@ton/core'
import { expect } from 'vitest'
import {
  changeSecret,
  type Excess,
  increaseClientStake,
  OP,
  plain,
  registerClient,
  topUp,
  topUpWithSecret,
} from '../support/messages.ts'
import { type Outcome, PROXY_OWNER, received, STRANGER, TON } from '../support/world.ts'
import { someEnvelope, someExcess } from './envelopes.ts'
import { attempt, type Client, FEES, type Game, isDeliverable, must, RENT, RENT_FLOOR } from './game.ts'

/** What the proxy contract gets beside a charge, to run. */
const HOP = TON / 500n

/** What the order makes of `draft`, and what the owner is paid. Throws the refusal. */
type Rule = (draft: Client, own: bigint, outcome: Outcome) => bigint

export async function clientTurn(game: Game): Promise<void> {
  const { random, world } = game
  const c = random.pick(...game.clients)
  const amount = random.pick(0n, 1n, TON, 15n * TON, random.ton(20))
  const from = random.pick(c.owner, c.owner, c.owner, c.owner, c.owner, STRANGER, PROXY_OWNER)
  const byOwner = from.equals(c.owner)
  const enough = TON + amount
  const value = random.pick(FEES - 1n, FEES, TON, enough, enough, enough, FEES + amount, FEES + RENT + amount)
  const excess = someExcess(game)

  /** TON that stays if nothing moves. */
  const kept = (own: bigint, added = 0n): bigint => {
    must(value >= FEES + added, 1003)
    const stays = own > c.balance + RENT ? own : c.balance + RENT
    must(stays + FEES + added <= own + value, 1001)
    return stays
  }
  const open = (): void => must(c.state !== 2, 1006)
  const ownersOrder = (own: bigint, added = 0n): void => {
    open()
    kept(own, added)
    must(byOwner, 1010)
  }
  const go = async (body: Cell, back: Excess, early: number, rule: Rule): Promise<void> => {
    await attempt(game, c.address, { from, value, body }, (own, outcome) => {
      must(early === 0, early)
      const draft = { ...c }
      const paid = rule(draft, own, outcome)
      if (!isDeliverable(back, outcome)) return
      expect(ownerGot(outcome), 'the owner receives').toBe(paid)
      Object.assign(c, draft)
    })
  }
  const ownerGot = (outcome: Outcome): bigint =>
    received(outcome, c.owner, OP.payout).reduce((sum, a) => sum + a.value, 0n)
  const order = (body: Cell, rule: Rule): Promise<void> => go(body, excess, excess === 'none' ? 9 : 0, rule)

  switch (random.below(14)) {
    case 0:
    case 1:
      return order(topUp(1n, amount, excess), (draft, own) => {
        must(c.state === 0, 1006)
        kept(own, amount)
        draft.balance += amount
        draft.deposited += amount
        return 0n
      })
    case 2: {
      const hash = BigInt(random.below(1000))
      return order(topUpWithSecret(1n, amount, hash, excess), (draft, own) => {
        ownersOrder(own, amount)
        draft.balance += amount
        draft.deposited += amount
        draft.secretHash = hash
        return 0n
      })
    }
    case 3:
      return order(registerClient(1n, 5n, excess), (_draft, own) => {
        ownersOrder(own)
        return 0n
      })
    case 4: {
      const hash = BigInt(random.below(1000))
      return order(changeSecret(1n, hash, excess), (draft, own) => {
        ownersOrder(own)
        draft.secretHash = hash
        return 0n
      })
    }
    case 5: {
      const stake = random.once(9) ? 2n ** 64n : c.stake + random.pick(0n, 1n, TON)
      return order(increaseClientStake(1n, stake, excess), (draft, own) => {
        ownersOrder(own)
        must(stake > c.stake, 1003)
        must(stake < 2n ** 64n, 1101)
        draft.stake = stake
        return 0n
      })
    }
    case 6:
      return order(plain(OP.withdraw, 1n, excess), (draft, own) => {
        must(c.state === 0, 1006)
        kept(own)
        must(byOwner, 1009)
        must(c.balance > c.stake, 1001)
        const paid = c.balance - c.stake
        draft.refunded += paid
        draft.balance = c.stake
        return paid
      })
    case 7:
      return order(plain(OP.requestRefund, 1n, excess), (draft, own) => {
        open()
        const stays = kept(own)
        must(byOwner, 1009)
        if (c.state === 1) {
          must(c.unlockTs < game.now, 1011)
          draft.state = 2
          draft.balance = 0n
          draft.refunded += c.balance
          return stays - RENT_FLOOR
        }
        const surplus = c.balance > c.stake ? c.balance - c.stake : 0n
        draft.state = 1
        draft.unlockTs = game.now + world.params.clientDelayBeforeCloseS
        draft.balance -= surplus
        draft.refunded += surplus
        return surplus
      })
    default: {
      const op = random.once(20) ? OP.grantRefund : OP.charge
      const price = world.params.pricePerToken
      const more = random.pick(0n, 1n, random.ton(20) / price, 2n ** 60n)
      const behind = random.once(8) && c.tokensUsed > 0n ? 1n : 0n
      const envelope = someEnvelope(game, op, c.address, c.tokensUsed + more - behind)
      return go(envelope.body, envelope.excess, envelope.early, (draft, own, outcome) => {
        open()
        const stays = kept(own)
        must(op === OP.charge ? envelope.tokens > c.tokensUsed : envelope.tokens >= c.tokensUsed, 1000)
        must(!envelope.foreign, 1015)
        const cost = (envelope.tokens - c.tokensUsed) * price
        const paid = cost <= c.balance ? cost : (c.balance / price) * price
        must(op === OP.grantRefund || paid > 0n, 1002)
        draft.tokensUsed += paid / price
        draft.balance -= paid
        draft.charged += paid
        if (isDeliverable(envelope.excess, outcome)) {
          const [notice] = received(outcome, world.proxy.address, OP.clientRequest)
          expect(notice?.value, 'the proxy contract receives').toBe(paid > 0n ? paid + HOP : 1n)
        }
        if (op === OP.charge) return 0n
        draft.refunded += draft.balance
        Object.assign(draft, { balance: 0n, state: 2, unlockTs: 0 })
        return stays - paid - RENT_FLOOR
      })
    }
  }
}
