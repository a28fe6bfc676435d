/** Parties and orders that the scenarios share. */
import { Address, type Cell } from '@ton/core'
import {
  type Excess,
  increaseProxyStake,
  OP,
  orderPayload,
  plain,
  signed,
  topUp,
  totalPayload,
} from '../support/messages.ts'
import {
  arrivals,
  CLIENT_OWNER,
  type Codes,
  createDeployedWorld,
  type Outcome,
  PROXY_KEY,
  PROXY_OWNER,
  received,
  STRANGER,
  TON,
  type World,
} from '../support/world.ts'

/** In a workchain that does not exist: no message can be sent there. */
export const NOWHERE = new Address(7, Buffer.alloc(32, 7))

/** Price and the worker's part of it, for `n` TON worth of tokens. */
export const tokensWorth = (ton: bigint): bigint => (ton * TON) / 20n
export const workerPartOf = (ton: bigint): bigint => (ton * TON * 19n) / 20n

export interface Scene {
  readonly world: World
  readonly client: Address
  readonly worker: Address
  readonly proxy: Address
  topUp(ton: bigint, owner?: Address): Promise<Outcome>
  stake(ton: bigint): Promise<Outcome>
  requestRefund(): Promise<Outcome>
  /** A total signed by the proxy's key, delivered by a stranger with 0.7 TON. */
  charge(tokens: bigint, excess?: Excess): Promise<Outcome>
  grant(tokens: bigint, excess?: Excess, of?: Address): Promise<Outcome>
  payout(tokens: bigint, excess?: Excess): Promise<Outcome>
  lastPayout(tokens: bigint, excess?: Excess): Promise<Outcome>
  close(): Promise<Outcome>
  complete(): Promise<Outcome>
}

export async function createScene(codes: Codes): Promise<Scene> {
  const world = await createDeployedWorld({}, codes)
  const [client, worker, proxy] = [world.client.address, world.worker.address, world.proxy.address]
  const deliver = (to: Address, body: Cell) => world.send(to, { from: STRANGER, value: (7n * TON) / 10n, body })
  const total = (op: number, of: Address, tokens: bigint, excess: Excess): Promise<Outcome> =>
    deliver(of, signed(op, 6n, excess, totalPayload(op, 6n, tokens, of), PROXY_KEY))
  const order = (op: number): Promise<Outcome> =>
    deliver(proxy, signed(op, 6n, STRANGER, orderPayload(op, 6n, proxy), PROXY_KEY))
  return {
    world,
    client,
    worker,
    proxy,
    topUp: (ton, owner = CLIENT_OWNER) =>
      world.send(world.clientOf(owner).address, {
        from: owner,
        value: (ton + 1n) * TON,
        body: topUp(1n, ton * TON, owner),
      }),
    stake: (ton) =>
      world.send(proxy, {
        from: PROXY_OWNER,
        value: (ton + 1n) * TON,
        body: increaseProxyStake(1n, ton * TON, PROXY_OWNER),
      }),
    requestRefund: () =>
      world.send(client, { from: CLIENT_OWNER, value: TON, body: plain(OP.requestRefund, 1n, CLIENT_OWNER) }),
    charge: (tokens, excess = STRANGER) => total(OP.charge, client, tokens, excess),
    grant: (tokens, excess = STRANGER, of = client) => total(OP.grantRefund, of, tokens, excess),
    payout: (tokens, excess = STRANGER) => total(OP.workerPayoutSigned, worker, tokens, excess),
    lastPayout: (tokens, excess = STRANGER) => total(OP.workerLastPayoutSigned, worker, tokens, excess),
    close: () => order(OP.closeSigned),
    complete: () => order(OP.closeCompleteSigned),
  }
}

/** nanoTON that owner payouts brought to this account. */
export const paidTo = (to: Address, ...outcomes: readonly Outcome[]): bigint =>
  outcomes.flatMap((o) => received(o, to, OP.payout)).reduce((sum, a) => sum + a.value, 0n)

/** nanoTON that arrived at this account in any message. */
export const gainOf = (to: Address, ...outcomes: readonly Outcome[]): bigint =>
  outcomes
    .flatMap(arrivals)
    .filter((a) => a.to.equals(to))
    .reduce((sum, a) => sum + a.value, 0n)
