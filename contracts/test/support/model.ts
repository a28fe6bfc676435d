/**
 * What proxy, clients and workers should do, in a few lines of TypeScript, and a player that sends them anything: hostile
 * senders, forged, replayed and stale signatures, too little money, odd return addresses, plain transfers, time, and payouts
 * that cross each other. After every step each contract must store what the model says, owners must have received exactly
 * what they are owed, and every nanoTON must be somewhere.
 */
import { Address, beginCell, type Cell } from '@ton/core'
import { expect } from 'vitest'
import {
  changeSecret,
  type Excess,
  increaseClientStake,
  increaseProxyStake,
  OP,
  orderPayload,
  plain,
  registerClient,
  signed,
  text,
  topUp,
  topUpWithSecret,
  totalPayload,
} from './messages.ts'
import {
  account,
  burnt,
  createDeployedWorld,
  keyOf,
  messageTo,
  NOW,
  type Outcome,
  outcomeOf,
  PROXY_KEY,
  PROXY_OWNER,
  received,
  type Send,
  STRANGER,
  TON,
  type World,
} from './world.ts'

const FEES = TON / 10n
const RENT = (TON * 11n) / 100n
const RENT_FLOOR = TON / 100n
const HOP = TON / 500n
const DAY = 86_400
const GRACE = 30 * DAY
/** More than any contract here pays for storage in a year. */
const YEARLY_RENT = TON / 20n

interface Client {
  readonly owner: Address
  readonly address: Address
  state: number
  balance: bigint
  stake: bigint
  tokensUsed: bigint
  unlockTs: number
  secretHash: bigint
  /** nanoTON in and out since deployment: deposits = balance + charged + refunded, always. */
  deposited: bigint
  charged: bigint
  refunded: bigint
}

interface Worker {
  readonly owner: Address
  readonly address: Address
  state: number
  tokens: bigint
  paid: bigint
}

interface Proxy {
  state: number
  balance: bigint
  stake: bigint
  unlockTs: number
}

/** Seeded numbers (mulberry32), so that a find repeats. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

class Refusal extends Error {
  readonly exit: number
  constructor(exit: number) {
    super(`exit ${exit}`)
    this.exit = exit
  }
}

function must(condition: boolean, exit: number): void {
  if (!condition) throw new Refusal(exit)
}

/** Plays one game of `steps` messages. Throws at the first difference, with seed and step in the message. */
export async function play(seed: number, steps: number): Promise<{ readonly done: number; readonly refused: number }> {
  const random = randomFrom(seed)
  const pick = <T>(...of: readonly T[]): T => of[random(of.length)] as T
  const world = await createDeployedWorld()
  const { params } = world
  const price = params.pricePerToken
  const clients = [account(0x22), account(0x23)].map((owner) => newClient(owner, world))
  const workers = [account(0x33), account(0x34)].map((owner) => newWorker(owner, world))
  const proxy: Proxy = { state: 0, balance: 0n, stake: 0n, unlockTs: 0 }
  const people = [...clients.map((c) => c.owner), ...workers.map((w) => w.owner), PROXY_OWNER, STRANGER]
  const accounts = [...people, ...clients.map((c) => c.address), ...workers.map((w) => w.address), world.proxy.address]
  for (const party of [...clients.map((c) => world.clientOf(c.owner)), ...workers.map((w) => world.workerOf(w.owner))])
    await world.send(party.address, { from: STRANGER, value: TON, init: party.init, bounce: false })
  let now = NOW
  const tally = { done: 0, refused: 0 }

  for (let step = 0; step < steps; step++) {
    if (random(6) === 0) now += pick(1, 3_600, 43_199, 43_201, DAY, DAY + 1, 3 * DAY)
    if (random(60) === 0) now += GRACE
    world.chain.now = now
    try {
      await turn()
      await compare()
    } catch (cause) {
      throw new Error(`seed ${seed}, step ${step}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
  }
  return tally

  async function turn(): Promise<void> {
    const kind = random(20)
    if (kind < 10) return clientTurn(pick(...clients))
    if (kind < 15) return workerTurn(pick(...workers))
    if (kind < 16) return crossing(pick(...workers))
    return proxyTurn()
  }

  /** Sends, predicts, and checks that refusals store and keep nothing. */
  async function attempt(
    to: Address,
    message: Send,
    predict: (whole: bigint, outcome: Outcome) => void,
  ): Promise<Outcome> {
    const held = await Promise.all(accounts.map((a) => world.balance(a)))
    const outcome = await world.send(to, message)
    expect(await sum(), 'every nanoTON is somewhere').toBe(
      held.reduce((a, b) => a + b, 0n) + message.value - burnt(outcome),
    )
    const fee = storageFee(outcome)
    const before = (held[accounts.findIndex((a) => a.equals(to))] ?? 0n) - fee
    const whole = before + message.value
    try {
      predict(whole, outcome)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      expect(outcome.exit).toBe(error.exit)
      expect(await world.balance(to), 'a refusal keeps nothing').toBe(before)
      tally.refused++
      return outcome
    }
    expect([outcome.exit, outcome.action]).toEqual([0, 0])
    tally.done++
    return outcome
  }

  async function sum(): Promise<bigint> {
    return (await Promise.all(accounts.map((a) => world.balance(a)))).reduce((a, b) => a + b, 0n)
  }

  function excess(): Excess {
    return random(12) === 0 ? pick<Excess>('none', new Address(7, Buffer.alloc(32, 7))) : STRANGER
  }

  /** A signed total: right, forged, for another contract, or under another op; and the code of the first failing check. */
  function envelopeFor(op: number, tokens: bigint, of: Address, back: Excess) {
    const flaw = random(16)
    const key = flaw === 0 ? keyOf(9) : PROXY_KEY
    const target = flaw === 1 ? pick(...accounts.filter((a) => !a.equals(of))) : of
    const inner = flaw === 2 ? pick(OP.charge, OP.grantRefund, OP.workerPayoutSigned, OP.workerLastPayoutSigned) : op
    const body = signed(op, 6n, back, totalPayload(inner, 6n, tokens, target), key)
    const early = flaw === 0 ? 1007 : inner !== op ? 1005 : 0
    return { body, early, foreign: !target.equals(of) }
  }

  function kept(whole: bigint, value: bigint, balance: bigint, amount = 0n): bigint {
    must(value >= FEES + amount, 1003)
    const stay = whole - value > balance + RENT ? whole - value : balance + RENT
    must(stay + FEES + amount <= whole, 1001)
    return stay
  }

  /** An excess that is no address at all is refused while parsing; one in a missing workchain undoes the whole order. */
  function deliverable(back: Excess, outcome: Outcome): boolean {
    if (back === 'none' || back.workChain === 0) return true
    expect(outcome.action, 'an undeliverable excess undoes the order').not.toBe(0)
    return false
  }

  async function clientTurn(c: Client): Promise<void> {
    const back = excess()
    const amount = pick(0n, 1n, TON, 15n * TON, BigInt(random(1_000_000_000)) * 20n)
    const from = pick(c.owner, c.owner, c.owner, c.owner, c.owner, STRANGER, PROXY_OWNER)
    const value = pick(
      FEES - 1n,
      FEES,
      TON,
      TON + amount,
      TON + amount,
      TON + amount,
      FEES + amount,
      FEES + RENT + amount,
    )
    const tokens =
      c.tokensUsed +
      pick(0n, 1n, BigInt(random(1_000_000_000)), 2n ** 60n) -
      (random(8) === 0 && c.tokensUsed > 0n ? 1n : 0n)
    const order = pick(
      'topUp',
      'topUp',
      'secretTopUp',
      'register',
      'secret',
      'stake',
      'withdraw',
      'refund',
      'charge',
      'charge',
      'charge',
      random(4) === 0 ? 'grant' : 'charge',
    )
    const owner = from.equals(c.owner)
    const draft = structuredCloneOf(c)
    const apply = (): void => void Object.assign(c, draft)
    const go = async (body: Cell, run: (whole: bigint, outcome: Outcome) => bigint | null): Promise<void> => {
      const to = c.address
      const held = await world.balance(to)
      let undone = false
      await attemptOrUndone(to, { from, value, body }, (whole, outcome) => {
        if (back === 'none') throw new Refusal(9)
        const refund = run(whole, outcome)
        if (!deliverable(back, outcome)) {
          undone = true
          return
        }
        const got = received(outcome, c.owner, OP.payout).reduce((a, m) => a + m.value, 0n)
        expect(got, 'the owner receives').toBe(refund ?? 0n)
        apply()
      })
      if (undone) expect(await world.balance(to)).toBeLessThanOrEqual(held)
    }
    const charge = (whole: bigint, payable: bigint): bigint => {
      const cost = (payable - c.tokensUsed) * price
      const paid = cost <= c.balance ? cost : (c.balance / price) * price
      draft.tokensUsed = c.tokensUsed + paid / price
      draft.balance = c.balance - paid
      draft.charged += paid
      return whole >= 0n ? paid : 0n
    }
    const hopIs = (outcome: Outcome, paid: bigint): void => {
      if (back !== 'none' && back.workChain !== 0) return
      const [notice] = received(outcome, world.proxy.address, OP.clientRequest)
      expect(notice?.value, 'the proxy contract receives').toBe(paid > 0n ? paid + HOP : 1n)
    }

    if (order === 'topUp')
      return go(topUp(1n, amount, back), (whole) => {
        must(c.state === 0, 1006)
        kept(whole, value, c.balance, amount)
        draft.balance += amount
        draft.deposited += amount
        return 0n
      })
    if (order === 'secretTopUp')
      return go(topUpWithSecret(1n, amount, BigInt(random(1000)) + 1n, back), (whole) => {
        must(c.state !== 2, 1006)
        kept(whole, value, c.balance, amount)
        must(owner, 1010)
        draft.balance += amount
        draft.deposited += amount
        draft.secretHash = -1n
        return 0n
      })
    if (order === 'register')
      return go(registerClient(1n, 5n, back), (whole) => {
        must(c.state !== 2, 1006)
        kept(whole, value, c.balance)
        must(owner, 1010)
        return 0n
      })
    if (order === 'secret')
      return go(changeSecret(1n, 77n, back), (whole) => {
        must(c.state !== 2, 1006)
        kept(whole, value, c.balance)
        must(owner, 1010)
        draft.secretHash = 77n
        return 0n
      })
    if (order === 'stake') {
      const stake = c.stake + pick(0n, 1n, TON)
      return go(increaseClientStake(1n, stake, back), (whole) => {
        must(c.state !== 2, 1006)
        kept(whole, value, c.balance)
        must(owner, 1010)
        must(stake > c.stake, 1003)
        draft.stake = stake
        return 0n
      })
    }
    if (order === 'withdraw')
      return go(plain(OP.withdraw, 1n, back), (whole) => {
        must(c.state === 0, 1006)
        kept(whole, value, c.balance)
        must(owner, 1009)
        must(c.balance > c.stake, 1001)
        draft.refunded += c.balance - c.stake
        draft.balance = c.stake
        return c.balance - c.stake
      })
    if (order === 'refund')
      return go(plain(OP.requestRefund, 1n, back), (whole) => {
        must(c.state !== 2, 1006)
        const stay = kept(whole, value, c.balance)
        must(owner, 1009)
        if (c.state === 0) {
          const surplus = c.balance > c.stake ? c.balance - c.stake : 0n
          draft.state = 1
          draft.unlockTs = now + params.clientDelayBeforeCloseS
          draft.balance -= surplus
          draft.refunded += surplus
          return surplus
        }
        must(c.unlockTs < now, 1011)
        draft.state = 2
        draft.balance = 0n
        draft.refunded += c.balance
        return stay - RENT_FLOOR
      })
    const op = order === 'charge' ? OP.charge : OP.grantRefund
    const { body, early, foreign } = envelopeFor(op, tokens, c.address, back)
    return go(body, (whole, outcome) => {
      must(early === 0, early)
      must(c.state !== 2, 1006)
      const stay = kept(whole, value, c.balance)
      must(order === 'charge' ? tokens > c.tokensUsed : tokens >= c.tokensUsed, 1000)
      must(!foreign, 1015)
      const paid = charge(whole, tokens)
      if (order === 'charge') {
        must(paid > 0n, 1002)
        hopIs(outcome, paid)
        return 0n
      }
      hopIs(outcome, paid)
      draft.refunded += draft.balance
      draft.balance = 0n
      draft.state = 2
      draft.unlockTs = 0
      return stay - paid - RENT_FLOOR
    })
  }

  /** As attempt, where the prediction itself has noticed an action phase that undid everything. */
  async function attemptOrUndone(
    to: Address,
    message: Send,
    predict: (whole: bigint, outcome: Outcome) => void,
  ): Promise<void> {
    const before = await world.data(to)
    const held = await world.balance(to)
    const total = await sum()
    const outcome = await world.send(to, message)
    expect(await sum(), 'every nanoTON is somewhere').toBe(total + message.value - burnt(outcome))
    const own = held - storageFee(outcome)
    try {
      predict(own + message.value, outcome)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      expect(outcome.exit).toBe(error.exit)
      expect(await world.balance(to), 'a refusal keeps nothing').toBe(own)
      expect((await world.data(to)).equals(before)).toBe(true)
      tally.refused++
      return
    }
    expect(outcome.exit).toBe(0)
    if (outcome.action === 0) tally.done++
    else {
      expect((await world.data(to)).equals(before)).toBe(true)
      expect(await world.balance(to)).toBe(own)
      tally.refused++
    }
  }

  function payoutParts(w: Worker, tokens: bigint) {
    const earned = tokens - w.tokens
    return { workerPart: earned * params.workerFeePerToken, proxyPart: earned * (price - params.workerFeePerToken) }
  }

  async function workerTurn(w: Worker): Promise<void> {
    const last = random(8) === 0
    const op = last ? OP.workerLastPayoutSigned : OP.workerPayoutSigned
    const value = pick(FEES, FEES + 1n, TON, TON, TON)
    const back = excess()
    const tokens = w.tokens + pick(0n, 1n, BigInt(random(500_000_000)), BigInt(random(50_000_000)), 2n ** 50n)
    const { body, early, foreign } = envelopeFor(op, tokens, w.address, back)
    const from = pick(STRANGER, w.owner, PROXY_OWNER)
    const total = await sum()
    const held = await world.balance(w.address)
    const pot = (await world.balance(world.proxy.address)) - proxy.balance - proxy.stake - RENT_FLOOR
    const before = await world.data(w.address)
    const outcome = await world.send(w.address, { from, value, body })
    expect(await sum(), 'every nanoTON is somewhere').toBe(total + value - burnt(outcome))
    const own = held - storageFee(outcome)
    try {
      must(w.state !== 2, 1006)
      must(back !== 'none' || early !== 1007, 9)
      must(back !== 'none', 9)
      must(early === 0, early)
      must(value > FEES, 1003)
      if (!last) must(own + value - (own > RENT ? own : RENT) > FEES, 1001)
      must(!foreign, 1015)
      must(last ? tokens >= w.tokens : tokens > w.tokens, 1000)
      must(back === 'none' || back.workChain === 0, 1100)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      expect(outcome.exit).toBe(error.exit)
      expect(await world.balance(w.address)).toBe(own)
      expect((await world.data(w.address)).equals(before)).toBe(true)
      tally.refused++
      return
    }
    expect([outcome.exit, outcome.action]).toEqual([0, 0])
    tally.done++
    const hop = outcome.transactions.find((t) => t.inMessage?.info.dest?.toString() === world.proxy.address.toString())
    const { workerPart, proxyPart } = payoutParts(w, tokens)
    const rent = last && own > RENT_FLOOR ? own - RENT_FLOOR : 0n
    const got = received(outcome, w.owner, OP.payout).reduce((a, m) => a + m.value, 0n)
    const atProxy = hop?.description.type === 'generic' ? hop.description : undefined
    const potThen = pot - (atProxy?.storagePhase?.storageFeesCollected ?? 0n)
    if (workerPart + proxyPart <= potThen) {
      expect(got, 'the worker receives').toBe(workerPart + rent)
      proxy.balance += proxyPart
      w.tokens = tokens
      w.paid += workerPart
      if (last) w.state = 2
    } else {
      expect(got, 'nothing is paid out of other money').toBe(rent)
    }
  }

  /** Two payouts under way at once: the first is booked, the second passes or not, then the first arrives at the proxy. */
  async function crossing(w: Worker): Promise<void> {
    if (w.state === 2) return
    const first = w.tokens + BigInt(random(300_000_000)) + 1n
    const second = first + BigInt(random(300_000_000)) + 1n
    const send = (tokens: bigint): Send => ({
      from: STRANGER,
      value: TON,
      body: signed(
        OP.workerPayoutSigned,
        6n,
        STRANGER,
        totalPayload(OP.workerPayoutSigned, 6n, tokens, w.address),
        PROXY_KEY,
      ),
    })
    const steps = await world.chain.sendMessageIter(messageTo(w.address, send(first)), { allowParallel: true })
    const transactions = []
    const booked = await steps.next()
    if (!booked.done) transactions.push(booked.value)
    const inner = await world.send(w.address, send(second))
    for await (const t of steps) transactions.push(t)
    const outer = outcomeOf({ transactions, events: [], externals: [] })
    const paid = (o: Outcome): bigint => received(o, w.owner, OP.payout).reduce((a, m) => a + m.value, 0n)
    const deltas = [first - w.tokens, second - first]
    const fee = params.workerFeePerToken
    for (const [i, o] of [outer, inner].entries()) {
      const delta = deltas[i] as bigint
      const got = paid(o)
      expect([0n, delta * fee]).toContain(got)
      if (got === 0n) continue
      w.tokens += delta
      w.paid += got
      proxy.balance += delta * (price - fee)
    }
    tally.done++
  }

  async function proxyTurn(): Promise<void> {
    const back = excess()
    const amount = pick(0n, 1n, TON, 15n * TON)
    const value = pick(FEES - 1n, FEES, TON, TON, TON + amount, FEES + amount)
    const from = pick(PROXY_OWNER, PROXY_OWNER, STRANGER)
    const owner = from.equals(PROXY_OWNER)
    const address = world.proxy.address
    const order = pick(
      'stake',
      'payout',
      'payout',
      random(6) === 0 ? 'close' : 'payout',
      'complete',
      'w',
      random(6) === 0 ? 'c' : 'w',
      'plain',
      'forged',
    )
    const draft = { ...proxy }
    const go = (body: Cell, back2: Excess, run: (before: bigint, outcome: Outcome) => bigint) =>
      attemptOrUndone(address, { from, value, body }, (whole, outcome) => {
        if (back2 === 'none') throw new Refusal(9)
        const paid = run(whole - value, outcome)
        if (!deliverable(back2, outcome)) return
        const got = received(outcome, PROXY_OWNER, OP.payout).reduce((a, m) => a + m.value, 0n)
        expect(got, 'the operator receives').toBe(paid)
        Object.assign(proxy, draft)
      })
    const operator = (before: bigint): bigint => {
      const free = before > RENT_FLOOR ? before - RENT_FLOOR : 0n
      const above = free > proxy.stake ? free - proxy.stake : 0n
      let paid = proxy.balance < above ? proxy.balance : above
      if (proxy.state === 2) {
        if (proxy.unlockTs < now) paid = free
        must(paid > 0n, 1006)
      }
      draft.balance = proxy.balance > paid ? proxy.balance - paid : 0n
      return paid
    }
    const completion = (before: bigint): bigint => {
      const free = before > RENT_FLOOR ? before - RENT_FLOOR : 0n
      const owed = proxy.balance + proxy.stake
      const paid = owed < free ? owed : free
      Object.assign(draft, { state: 2, unlockTs: now + GRACE, balance: owed - paid, stake: 0n })
      return paid
    }
    const closing = (): bigint => {
      Object.assign(draft, { state: 1, unlockTs: now + params.proxyDelayBeforeCloseS })
      return 0n
    }
    if (order === 'plain') {
      // Money without words: it joins the pot.
      await attempt(address, { from: STRANGER, value: TON, body: beginCell().endCell() }, () => undefined)
      return
    }
    if (order === 'forged') {
      const w = pick(...workers)
      const payload = beginCell()
        .storeUint(OP.workerPayout, 32)
        .storeCoins(TON)
        .storeCoins(0)
        .storeAddress(STRANGER)
        .endCell()
      const body = beginCell().storeUint(OP.workerRequest, 32).storeUint(1, 64).storeAddress(pick(w.owner, STRANGER))
      body.storeUint(0, 2).storeUint(5, 64).storeMaybeRef(payload)
      await attempt(address, { from, value: TON, body: body.endCell() }, () => must(false, 1014))
      return
    }
    if (order === 'stake')
      return go(increaseProxyStake(1n, amount, back), back, () => {
        must(value >= FEES + amount, 1003)
        must(proxy.state !== 2, 1006)
        draft.stake += amount
        return 0n
      })
    if (order === 'payout')
      return go(plain(OP.requestPayout, 1n, back), back, (before) => {
        must(value >= FEES, 1003)
        return operator(before)
      })
    if (order === 'c' || order === 'w')
      return go(text(order), STRANGER, (before) => {
        must(owner, 1010)
        must(value >= FEES, 1003)
        if (order === 'w') return proxy.state === 1 && proxy.unlockTs < now ? completion(before) : operator(before)
        must(proxy.state === 0, 1006)
        return closing()
      })
    const op = order === 'close' ? OP.closeSigned : OP.closeCompleteSigned
    const foreign = random(8) === 0
    const key = random(8) === 0 ? keyOf(9) : PROXY_KEY
    const body = signed(op, 4n, back, orderPayload(op, 4n, foreign ? STRANGER : address), key)
    return go(body, back, (before) => {
      must(key === PROXY_KEY, 1007)
      must(value >= FEES, 1003)
      must(proxy.state === (order === 'close' ? 0 : 1), 1006)
      must(!foreign, 1015)
      if (order === 'close') return closing()
      must(proxy.unlockTs < now, 1011)
      return completion(before)
    })
  }

  /** Stored states are the model's; money is conserved; everyone can be paid. */
  async function compare(): Promise<void> {
    const spent = (YEARLY_RENT * BigInt(now - NOW)) / BigInt(365 * DAY)
    for (const c of clients) {
      const stored = await world.clientState(c.address)
      const { state, balance, stake, tokensUsed, unlockTs } = c
      expect(stored).toMatchObject({ state, balance, stake, tokensUsed, unlockTs })
      if (c.secretHash !== -1n) expect(stored.secretHash).toBe(c.secretHash)
      else c.secretHash = stored.secretHash
      expect(c.balance + c.charged + c.refunded, 'a client’s money').toBe(c.deposited)
      expect(c.charged, 'what was charged is what was used').toBe(c.tokensUsed * price)
      const held = await world.balance(c.address)
      expect(held + spent, 'a client contract is solvent').toBeGreaterThanOrEqual(
        c.balance + (c.state === 2 ? RENT_FLOOR : RENT),
      )
    }
    for (const w of workers) {
      expect(await world.workerState(w.address)).toEqual({ state: w.state, tokens: w.tokens })
      expect(w.paid, 'what a worker was paid is what it worked').toBe(w.tokens * params.workerFeePerToken)
    }
    const { state, balance, stake, unlockTs } = await world.proxyState()
    expect({ state, balance, stake, unlockTs }).toEqual(proxy)
    expect((await world.balance(world.proxy.address)) + spent, 'the proxy contract is solvent').toBeGreaterThanOrEqual(
      proxy.balance + proxy.stake,
    )
  }
}

function newClient(owner: Address, world: World): Client {
  const { address } = world.clientOf(owner)
  const money = { balance: 0n, deposited: 0n, charged: 0n, refunded: 0n }
  return {
    owner,
    address,
    state: 0,
    stake: world.params.minClientStakeNano,
    tokensUsed: 0n,
    unlockTs: 0,
    secretHash: 0n,
    ...money,
  }
}

function newWorker(owner: Address, world: World): Worker {
  return { owner, address: world.workerOf(owner).address, state: 0, tokens: 0n, paid: 0n }
}

const structuredCloneOf = (c: Client): Client => ({ ...c })

function storageFee(outcome: Outcome): bigint {
  const description = outcome.transactions[0]?.description
  return description?.type === 'generic' ? (description.storagePhase?.storageFeesCollected ?? 0n) : 0n
}
