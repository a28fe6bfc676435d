/**
 * Plays games against the contracts: hostile senders, forged, replayed and stale signatures, too little money, odd return
 * addresses, plain transfers, time, and payouts that cross each other. After every step each contract must store what the
 * model says, owners must have received exactly what they are owed, and every nanoTON must be somewhere.
 */
import { Address } from '@ton/core'
import { PROXY_OWNER, STRANGER } from '../support/world.ts'
import { clientTurn } from './client-moves.ts'
import { compare, createGame, DAY, type Game, GRACE, heldBy } from './game.ts'
import { nobodysTurn, proxyTurn } from './proxy-moves.ts'
import { crossing, workerTurn } from './worker-moves.ts'

/** Where every nanoTON of a game ended. `injected` is the sum of the others, to the nanoTON: compare() holds it. */
export interface Conservation {
  readonly injected: bigint
  readonly burnt: bigint
  readonly inClientContracts: bigint
  readonly inWorkerContracts: bigint
  readonly inProxyContract: bigint
  readonly withClientOwners: bigint
  readonly withWorkerOwners: bigint
  readonly withOperator: bigint
  readonly withStrangers: bigint
}

export interface Played {
  readonly done: number
  readonly refused: number
  readonly undone: number
  readonly conservation: Conservation
}

/** Plays one game of `steps` messages. Throws at the first difference, with seed and step in the message. */
export async function play(seed: number, steps: number): Promise<Played> {
  const game = await createGame(seed)
  for (let step = 0; step < steps; step++) {
    passTime(game)
    try {
      await turn(game)
      await compare(game)
    } catch (cause) {
      throw new Error(`seed ${seed}, step ${step}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
  }
  return { ...game.tally, conservation: await conservationOf(game) }
}

function passTime(game: Game): void {
  const { random, world } = game
  if (random.once(6)) game.now += random.pick(1, 3_600, 43_199, 43_201, DAY, DAY + 1, 3 * DAY)
  if (random.once(60)) game.now += GRACE
  world.chain.now = game.now
}

function turn(game: Game): Promise<void> {
  const kind = game.random.below(20)
  if (kind < 10) return clientTurn(game)
  if (kind < 15) return workerTurn(game)
  if (kind < 16) return crossing(game)
  if (kind < 17) return nobodysTurn(game)
  return proxyTurn(game)
}

async function conservationOf(game: Game): Promise<Conservation> {
  const { clients, workers, world, flows } = game
  return {
    ...flows,
    inClientContracts: await heldBy(
      game,
      clients.map((c) => c.address),
    ),
    inWorkerContracts: await heldBy(
      game,
      workers.map((w) => w.address),
    ),
    inProxyContract: await heldBy(game, [world.proxy.address]),
    withClientOwners: await heldBy(
      game,
      clients.map((c) => c.owner),
    ),
    withWorkerOwners: await heldBy(
      game,
      workers.map((w) => w.owner),
    ),
    withOperator: await heldBy(game, [PROXY_OWNER]),
    withStrangers: await heldBy(game, [STRANGER, ...workers.map((w) => new Address(-1, w.address.hash))]),
  }
}

export function addConservation(a: Conservation, b: Conservation): Conservation {
  const keys = Object.keys(a) as (keyof Conservation)[]
  return Object.fromEntries(keys.map((k) => [k, a[k] + b[k]])) as unknown as Conservation
}

/** What is left of what was put in when everything that is somewhere is taken away: zero. */
export function missingFrom({ injected, ...places }: Conservation): bigint {
  return injected - Object.values(places).reduce((a, b) => a + b, 0n)
}
