/**
 * The state of a game: a chain, what its contracts should store, and every nanoTON that went in. Moves predict what an order
 * does; `attempt` holds the chain against the prediction, `compare` everything else.
 */
import { Address, beginCell } from '@ton/core'
import { expect } from 'vitest'
import { storageFee } from '../support/expectations.ts'
import type { Excess } from '../support/messages.ts'
import {
  account,
  burnt,
  createDeployedWorld,
  NOW,
  type Outcome,
  PROXY_OWNER,
  type Send,
  STRANGER,
  TON,
  type World,
} from '../support/world.ts'
import type { Envelope } from './envelopes.ts'
import { type Random, randomFrom } from './random.ts'

export const FEES = TON / 10n
export const RENT = (TON * 11n) / 100n
export const RENT_FLOOR = TON / 100n
export const DAY = 86_400
export const GRACE = 30 * DAY
/** More than any contract here pays for storage in a year. */
const YEARLY_RENT = TON / 20n

export interface Client {
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

export interface Worker {
  readonly owner: Address
  readonly address: Address
  state: number
  tokens: bigint
  paid: bigint
}

export interface Operator {
  state: number
  balance: bigint
  stake: bigint
  unlockTs: number
}

export interface Game {
  readonly random: Random
  readonly world: World
  readonly clients: readonly Client[]
  readonly workers: readonly Worker[]
  readonly proxy: Operator
  /** Everyone who can hold TON. */
  readonly accounts: readonly Address[]
  /** Signed totals under way or delivered, for replays. */
  readonly envelopes: Envelope[]
  readonly tally: { done: number; refused: number; undone: number }
  /** nanoTON that senders put in since the game began, and that nobody has any more. */
  readonly flows: { injected: bigint; burnt: bigint }
  now: number
}

export async function createGame(seed: number): Promise<Game> {
  const random = randomFrom(seed)
  const [pricePerToken, workerFeePerToken] = random.pick<readonly [bigint, bigint]>(
    [20n, 19n],
    [20n, 19n],
    [1n, 1n],
    [7n, 0n],
    [1_000_000_007n, 999_999_999n],
  )
  const world = await createDeployedWorld({
    pricePerToken,
    workerFeePerToken,
    structVersion: random.pick(3, 4, 4, 5),
    minClientStakeNano: random.pick(15n * TON, 15n * TON, TON, 0n),
    clientDelayBeforeCloseS: random.pick(43_200, 43_200, 60),
    proxyDelayBeforeCloseS: random.pick(DAY, DAY, 60),
  })
  const clients = [account(0x22), account(0x23)].map((owner) => newClient(owner, world))
  const workers = [account(0x33), account(0x34)].map((owner) => newWorker(owner, world))
  const parties = [...clients, ...workers].flatMap((p) => [p.owner, p.address])
  const lookalikes = workers.map((w) => new Address(-1, w.address.hash))
  const game: Game = {
    random,
    world,
    clients,
    workers,
    proxy: { state: 0, balance: 0n, stake: 0n, unlockTs: 0 },
    accounts: [...parties, ...lookalikes, world.proxy.address, PROXY_OWNER, STRANGER],
    envelopes: [],
    tally: { done: 0, refused: 0, undone: 0 },
    flows: { injected: 0n, burnt: 0n },
    now: NOW,
  }
  game.flows.injected = await heldBy(game, game.accounts)
  for (const { owner } of clients) await deploy(game, world.clientOf(owner))
  for (const { owner } of workers) await deploy(game, world.workerOf(owner))
  return game
}

const deploy = (game: Game, { address, init }: ReturnType<World['clientOf']>): Promise<Outcome> =>
  send(game, address, { from: STRANGER, value: TON, init, bounce: false })

/** Sends, and counts what went in and what was burnt. */
export async function send(game: Game, to: Address, message: Send): Promise<Outcome> {
  const outcome = await game.world.send(to, message)
  count(game, message.value, outcome)
  return outcome
}

export function count(game: Game, value: bigint, outcome: Outcome): void {
  game.flows.injected += value
  game.flows.burnt += burnt(outcome)
}

export async function heldBy(game: Game, of: readonly Address[]): Promise<bigint> {
  return (await Promise.all(of.map((a) => game.world.balance(a)))).reduce((a, b) => a + b, 0n)
}

/** The order should be refused with this code. */
export class Refusal extends Error {
  readonly exit: number
  constructor(exit: number) {
    super(`exit ${exit}`)
    this.exit = exit
  }
}

export function must(condition: boolean, exit: number): void {
  if (!condition) throw new Refusal(exit)
}

/**
 * Sends an order and lets `predict` say what should have come of it: it throws a Refusal, or notes the new state. Refusals
 * and undone orders store nothing and keep nothing. `own` is what the contract held before, storage fees paid.
 */
export async function attempt(
  game: Game,
  to: Address,
  message: Send,
  predict: (own: bigint, outcome: Outcome) => void,
): Promise<Outcome> {
  const { world, tally } = game
  const before = await world.data(to)
  const held = await world.balance(to)
  const outcome = await send(game, to, message)
  const own = held - storageFee(outcome)
  const expectNothingHappened = async (): Promise<void> => {
    expect((await world.data(to)).equals(before)).toBe(true)
    expect(await world.balance(to), 'a refusal keeps nothing').toBe(own)
  }
  try {
    predict(own, outcome)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    expect(outcome.exit).toBe(error.exit)
    await expectNothingHappened()
    tally.refused++
    return outcome
  }
  // A message of a few nanoTON is not even looked at.
  expect(message.value < 1_000_000n ? 0 : outcome.exit).toBe(0)
  if ((outcome.action ?? 0) === 0) tally.done++
  else {
    await expectNothingHappened()
    tally.undone++
  }
  return outcome
}

/** An excess that no message can reach undoes the whole order. */
export function isDeliverable(excess: Excess, outcome: Outcome): boolean {
  if (excess === 'none' || excess.workChain === 0) return true
  expect(outcome.action, 'an undeliverable excess undoes the order').not.toBe(0)
  return false
}

/** Stored states are the model's; money is conserved; everyone can be paid. */
export async function compare(game: Game): Promise<void> {
  const { world, clients, workers, proxy, flows } = game
  const { pricePerToken, workerFeePerToken } = world.params
  expect(await heldBy(game, game.accounts), 'every nanoTON is somewhere').toBe(flows.injected - flows.burnt)
  const spent = (YEARLY_RENT * BigInt(game.now - NOW)) / BigInt(365 * DAY)
  for (const c of clients) {
    const { state, balance, stake, tokensUsed, unlockTs, secretHash } = c
    expect(await world.clientState(c.address)).toEqual({ state, balance, stake, tokensUsed, unlockTs, secretHash })
    expect(c.balance + c.charged + c.refunded, 'a client’s money').toBe(c.deposited)
    expect(c.charged, 'what was charged is what was used').toBe(c.tokensUsed * pricePerToken)
    const held = await world.balance(c.address)
    const owed = c.balance + (c.state === 2 ? RENT_FLOOR : RENT)
    expect(held + spent, 'a client contract is solvent').toBeGreaterThanOrEqual(owed)
  }
  for (const w of workers) {
    expect(await world.workerState(w.address)).toEqual({ state: w.state, tokens: w.tokens })
    expect(w.paid, 'what a worker was paid is what it worked').toBe(w.tokens * workerFeePerToken)
  }
  expect(await world.proxyState()).toEqual(proxy)
  const held = await world.balance(world.proxy.address)
  expect(held + spent, 'the proxy contract is solvent').toBeGreaterThanOrEqual(proxy.balance + proxy.stake)
}

export const EMPTY = beginCell().endCell()

const newClient = (owner: Address, world: World): Client => ({
  owner,
  address: world.clientOf(owner).address,
  state: 0,
  balance: 0n,
  stake: world.params.minClientStakeNano,
  tokensUsed: 0n,
  unlockTs: 0,
  secretHash: 0n,
  deposited: 0n,
  charged: 0n,
  refunded: 0n,
})

const newWorker = (owner: Address, world: World): Worker => ({
  owner,
  address: world.workerOf(owner).address,
  state: 0,
  tokens: 0n,
  paid: 0n,
})
