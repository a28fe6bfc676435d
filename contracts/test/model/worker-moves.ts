/** Payouts: one at a time, and two that cross on their way to the proxy contract. */
import { expect } from 'vitest'
import { OP, plain, signed, totalPayload } from '../support/messages.ts'
import {
  messageTo,
  type Outcome,
  outcomeOf,
  PROXY_KEY,
  PROXY_OWNER,
  received,
  type Send,
  STRANGER,
  TON,
} from '../support/world.ts'
import { someEnvelope, someExcess } from './envelopes.ts'
import { attempt, count, FEES, type Game, isDeliverable, must, RENT, RENT_FLOOR, send, type Worker } from './game.ts'

const paidTo = (w: Worker, outcome: Outcome): bigint =>
  received(outcome, w.owner, OP.payout).reduce((sum, a) => sum + a.value, 0n)

function mustBringFees(own: bigint, value: bigint): void {
  must(value > FEES, 1003)
  must(own + value - (own > RENT ? own : RENT) > FEES, 1001)
}

export async function workerTurn(game: Game): Promise<void> {
  const { random, world, proxy } = game
  const w = random.pick(...game.workers)
  const from = random.pick(STRANGER, w.owner, PROXY_OWNER)
  const value = random.pick(FEES, FEES + 1n, TON, TON, TON)
  if (random.once(6)) return register(game, w, { from, value })
  const { pricePerToken: price, workerFeePerToken: fee } = world.params
  const last = random.once(8)
  const more = random.pick(0n, 1n, random.ton(10) / price, random.ton(1) / price, 2n ** 50n)
  const op = last ? OP.workerLastPayoutSigned : OP.workerPayoutSigned
  const envelope = someEnvelope(game, op, w.address, w.tokens + more)
  const pot = (await world.balance(world.proxy.address)) - proxy.balance - proxy.stake - RENT_FLOOR

  // What stays at the worker is predicted after the proxy contract's answer, so `attempt` sees only refusals here.
  const message = { from, value, body: envelope.body }
  await attempt(game, w.address, message, (own, outcome) => {
    must(w.state !== 2, 1006)
    must(envelope.early === 0, envelope.early)
    if (last) must(value > FEES, 1003)
    else mustBringFees(own, value)
    must(!envelope.foreign, 1015)
    must(last ? envelope.tokens >= w.tokens : envelope.tokens > w.tokens, 1000)
    must(envelope.excess === 'none' || envelope.excess.workChain === 0, 1100)

    const proxyRent = rentOf(outcome, world.proxy.address.toString())
    const earned = envelope.tokens - w.tokens
    const ownRent = last && own > RENT_FLOOR ? own - RENT_FLOOR : 0n
    const got = paidTo(w, outcome)
    if (earned * price > pot - proxyRent) {
      expect(got, 'nothing is paid out of other money').toBe(ownRent)
      return
    }
    expect(got, 'the worker receives').toBe(earned * fee + ownRent)
    proxy.balance += earned * (price - fee)
    w.tokens = envelope.tokens
    w.paid += earned * fee
    if (last) w.state = 2
  })
}

async function register(game: Game, w: Worker, { from, value }: Pick<Send, 'from' | 'value'>): Promise<void> {
  const excess = someExcess(game)
  const body = plain(OP.registerWorker, 1n, excess)
  await attempt(game, w.address, { from, value, body }, (own, outcome) => {
    must(w.state !== 2, 1006)
    mustBringFees(own, value)
    must(from.equals(w.owner), 1010)
    must(excess !== 'none', 9)
    isDeliverable(excess, outcome)
  })
}

/** Two payouts under way at once: the first is booked, the second passes or not, then the first arrives at the proxy. */
export async function crossing(game: Game): Promise<void> {
  const { random, world } = game
  const w = random.pick(...game.workers)
  if (w.state === 2) return
  const { pricePerToken: price, workerFeePerToken: fee } = world.params
  const steps = [1n + random.ton(6) / price, 1n + random.ton(6) / price] as const
  const message = (tokens: bigint): Send => {
    const payload = totalPayload(OP.workerPayoutSigned, 6n, tokens, w.address)
    return { from: STRANGER, value: TON, body: signed(OP.workerPayoutSigned, 6n, STRANGER, payload, PROXY_KEY) }
  }
  const first = message(w.tokens + steps[0])
  const flow = await world.chain.sendMessageIter(messageTo(w.address, first), { allowParallel: true })
  const booked = await flow.next()
  const inner = await send(game, w.address, message(w.tokens + steps[0] + steps[1]))
  const transactions = booked.done ? [] : [booked.value]
  for await (const t of flow) transactions.push(t)
  const outer = outcomeOf({ transactions, events: [], externals: [] })
  count(game, first.value, outer)
  for (const [i, outcome] of [outer, inner].entries()) {
    const tokens = steps[i] as bigint
    const got = paidTo(w, outcome)
    const [request] = received(outcome, world.proxy.address, OP.workerRequest)
    const isBooked = request?.exit === 0
    expect(got, 'paid if booked, and only then').toBe(isBooked ? tokens * fee : 0n)
    if (!isBooked) continue
    w.tokens += tokens
    w.paid += got
    game.proxy.balance += tokens * (price - fee)
  }
  game.tally.done++
}

/** What an account paid for storage on the way. */
function rentOf(outcome: Outcome, address: string): bigint {
  const there = outcome.transactions.find((t) => t.inMessage?.info.dest?.toString() === address)
  const description = there?.description
  return description?.type === 'generic' ? (description.storagePhase?.storageFeesCollected ?? 0n) : 0n
}
