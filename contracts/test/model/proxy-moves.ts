/** The operator's orders, forged requests, and money or words that mean nothing. */
import { Address, beginCell, type Cell } from '@ton/core'
import { expect } from 'vitest'
import { type Excess, head, increaseProxyStake, OP, orderPayload, plain, signed, text } from '../support/messages.ts'
import { keyOf, type Outcome, PROXY_KEY, PROXY_OWNER, received, STRANGER, TON } from '../support/world.ts'
import { someExcess } from './envelopes.ts'
import { attempt, EMPTY, FEES, type Game, GRACE, isDeliverable, must, type Operator, RENT_FLOOR } from './game.ts'

type Rule = (draft: Operator, own: bigint, outcome: Outcome) => bigint

export async function proxyTurn(game: Game): Promise<void> {
  const { random, world, proxy } = game
  const excess = someExcess(game)
  const amount = random.pick(0n, 1n, TON, 15n * TON)
  const value = random.pick(FEES - 1n, FEES, TON, TON, TON + amount, FEES + amount)
  const from = random.pick(PROXY_OWNER, PROXY_OWNER, STRANGER)
  const byOwner = from.equals(PROXY_OWNER)
  const { address } = world.proxy
  const go = async (body: Cell, back: Excess, rule: Rule): Promise<void> => {
    await attempt(game, address, { from, value, body }, (own, outcome) => {
      must(back !== 'none', 9)
      const draft = { ...proxy }
      const paid = rule(draft, own, outcome)
      if (!isDeliverable(back, outcome)) return
      const got = received(outcome, PROXY_OWNER, OP.payout).reduce((sum, a) => sum + a.value, 0n)
      expect(got, 'the operator receives').toBe(paid)
      Object.assign(proxy, draft)
    })
  }
  const begin = (draft: Operator): bigint => {
    must(proxy.state === 0, 1006)
    Object.assign(draft, { state: 1, unlockTs: game.now + world.params.proxyDelayBeforeCloseS })
    return 0n
  }
  const payOperator = (draft: Operator, own: bigint): bigint => {
    const free = own > RENT_FLOOR ? own - RENT_FLOOR : 0n
    const above = free > proxy.stake ? free - proxy.stake : 0n
    let paid = proxy.balance < above ? proxy.balance : above
    if (proxy.state === 2) {
      if (proxy.unlockTs < game.now) paid = free
      must(paid > 0n, 1006)
    }
    draft.balance = proxy.balance > paid ? proxy.balance - paid : 0n
    return paid
  }
  const complete = (draft: Operator, own: bigint): bigint => {
    const free = own > RENT_FLOOR ? own - RENT_FLOOR : 0n
    const owed = proxy.balance + proxy.stake
    const paid = owed < free ? owed : free
    Object.assign(draft, { state: 2, unlockTs: game.now + GRACE, balance: owed - paid, stake: 0n })
    return paid
  }
  const delayIsOver = (): boolean => proxy.state === 1 && proxy.unlockTs < game.now

  const order = random.pick('stake', 'payout', 'payout', 'signed', 'signed', 'w', 'w', 'c', 'ownerClose')
  // Closing ends a game early, so it is rare.
  if ((order === 'c' || order === 'ownerClose') && !random.once(5)) return nobodysTurn(game)
  if (order === 'stake')
    return go(increaseProxyStake(1n, amount, excess), excess, (draft) => {
      must(value >= FEES + amount, 1003)
      must(proxy.state !== 2, 1006)
      draft.stake += amount
      return 0n
    })
  if (order === 'payout')
    return go(plain(OP.requestPayout, 1n, excess), excess, (draft, own) => {
      must(value >= FEES, 1003)
      return payOperator(draft, own)
    })
  if (order === 'ownerClose')
    return go(plain(OP.ownerClose, 1n, excess), excess, (draft) => {
      must(value >= FEES, 1003)
      must(proxy.state === 0, 1006)
      must(byOwner, 1010)
      return begin(draft)
    })
  if (order === 'c' || order === 'w')
    return go(text(order), STRANGER, (draft, own) => {
      must(byOwner, 1010)
      must(value >= FEES, 1003)
      if (order === 'c') return begin(draft)
      return delayIsOver() ? complete(draft, own) : payOperator(draft, own)
    })
  const op = random.once(6) ? OP.closeSigned : OP.closeCompleteSigned
  const flaw = random.below(12)
  const target = flaw === 0 ? STRANGER : address
  const inner = flaw === 1 ? OP.charge : op
  const body = signed(op, 4n, excess, orderPayload(inner, 4n, target), flaw === 2 ? keyOf(9) : PROXY_KEY)
  return go(body, excess, (draft, own) => {
    must(flaw !== 2, 1007)
    must(flaw !== 1, 1005)
    must(value >= FEES, 1003)
    must(proxy.state === (op === OP.closeSigned ? 0 : 1), 1006)
    must(flaw !== 0, 1015)
    if (op === OP.closeSigned) return begin(draft)
    must(delayIsOver(), 1011)
    return complete(draft, own)
  })
}

/** Money without words, checkpoints, words without meaning, and requests in the name of others. */
export async function nobodysTurn(game: Game): Promise<void> {
  const { random, world, clients, workers } = game
  const proxy = world.proxy.address
  const [c, w] = [random.pick(...clients), random.pick(...workers)]
  const anyContract = random.pick(proxy, c.address, w.address)
  const from = random.pick(STRANGER, PROXY_OWNER, c.owner, w.owner, new Address(-1, w.address.hash))
  const nothing = (): void => undefined
  switch (random.below(6)) {
    case 0:
      await attempt(game, anyContract, { from: STRANGER, value: random.pick(1n, TON), body: EMPTY }, nothing)
      return
    case 1: {
      const body = head(OP.doNotProcess, 1n).storeUint(0x53109c0f, 32).storeUint(5, 32).storeUint(77, 256).endCell()
      await attempt(game, proxy, { from: PROXY_OWNER, value: random.pick(1n, TON / 100n), body }, nothing)
      return
    }
    case 2: {
      const body = random.once(2) ? head(0x12345678, 1n).endCell() : beginCell().storeUint(5, 16).endCell()
      const isClosedWorker = anyContract.equals(w.address) && w.state === 2
      await attempt(game, anyContract, { from: STRANGER, value: TON, body }, () =>
        must(false, isClosedWorker ? 1006 : 1012),
      )
      return
    }
    case 3: {
      const grant = beginCell().storeUint(OP.clientRefundGranted, 32).storeCoins(TON).storeAddress(STRANGER).endCell()
      const state = beginCell()
        .storeUint(0, 2 + 4 + 4 + 64 + 256)
        .endCell()
      const owner = random.pick(c.owner, STRANGER)
      const body = head(OP.clientRequest, 1n).storeAddress(owner).storeRef(state)
      await attempt(game, proxy, { from, value: TON, body: body.storeMaybeRef(grant).endCell() }, () =>
        must(false, 1014),
      )
      return
    }
    default: {
      const payload = beginCell().storeUint(OP.workerPayout, 32).storeCoins(TON).storeCoins(0).storeAddress(STRANGER)
      const body = head(OP.workerRequest, 1n).storeAddress(random.pick(w.owner, STRANGER)).storeUint(0, 2)
      body.storeUint(5, 64).storeMaybeRef(random.once(3) ? null : payload.endCell())
      await attempt(game, proxy, { from, value: TON, body: body.endCell() }, () => must(false, 1014))
    }
  }
}
