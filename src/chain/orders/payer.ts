/** Whoever pays for orders: a wallet that sends them itself, or one that has another wallet send them. */
import type { Address, Cell } from '@ton/core'
import { NANO_PER_TON } from '../../util/index.ts'
import type { StateInit } from '../contracts/deploy.ts'
import { internalMessage, walletMessages } from '../contracts/node-wallet.ts'
import type { SendOutcome } from '../sender/journal.ts'
import type { WalletSender } from '../sender/sender.ts'

/** A message to a contract, and what it carries. */
export interface Order {
  /** What people read: `top up`. */
  readonly label: string
  readonly to: Address
  /** Arrives in full; fees of sending are paid besides. */
  readonly valueNano: bigint
  readonly body: Cell
  /** Deploys the receiver where it is not there yet. */
  readonly init?: StateInit
  /** Whether the money comes back when nobody can take it; true unless the receiver is an account without code. */
  readonly bounce?: boolean
}

/** One message on the way of an order. */
export interface Hop {
  readonly from: Address
  readonly to: Address
  readonly body: Cell
  /** Whether an account without code is a fine receiver. */
  readonly isPlain: boolean
}

export interface Payer {
  /** Whom the receiver sees as the sender. */
  readonly address: Address
  /** From the wallet that pays to the receiver. */
  hops(order: Order): readonly Hop[]
  /** Excesses and refunds of orders go there. */
  readonly excess: Address
  /** One to four orders; as `WalletSender.send`. */
  send(id: string, orders: readonly Order[], signal?: AbortSignal): Promise<SendOutcome>
}

const messageOf = ({ to, valueNano, body, init, bounce = true }: Order): Cell =>
  internalMessage({ to, valueNano, body, bounce, ...(init === undefined ? {} : { init }) })
const hop = (from: Address, { to, body, bounce = true }: Order): Hop => ({ from, to, body, isPlain: !bounce })

/** The wallet pays and is the sender. */
export const payFrom = (sender: Pick<WalletSender, 'address' | 'send'>): Payer => ({
  address: sender.address,
  excess: sender.address,
  hops: (order) => [hop(sender.address, order)],
  send: (id, orders, signal) =>
    sender.send({
      id,
      transfers: orders.map((order) => ({ mode: 1, message: messageOf(order) })),
      ...(signal === undefined ? {} : { signal }),
    }),
})

/** Pays for the wallet's own work and for carrying the message on, out of what is sent along; the rest stays there. */
const THROUGH_WALLET_NANO = NANO_PER_TON / 20n

/**
 * The owner's wallet pays, and orders a node's wallet to be the sender: what only that may do is done without its key, also
 * while its node runs.
 */
export function payThroughWallet(owner: Pick<WalletSender, 'address' | 'send'>, nodeWallet: Address): Payer {
  const direct = payFrom(owner)
  const wrapped = (order: Order): Order => ({
    label: order.label,
    to: nodeWallet,
    valueNano: order.valueNano + THROUGH_WALLET_NANO,
    body: walletMessages.sendMessage.build({ queryId: queryIdOf(order), mode: 1, message: messageOf(order) }),
  })
  return {
    address: nodeWallet,
    excess: owner.address,
    hops: (order) => [...direct.hops(wrapped(order)), hop(nodeWallet, order)],
    send: (id, orders, signal) => direct.send(id, orders.map(wrapped), signal),
  }
}

/** Any number will do; the same order gets the same one. */
const queryIdOf = (order: Order): bigint => messageOf(order).hash().readBigUInt64BE(0)
