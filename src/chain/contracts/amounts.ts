/** How much TON goes along with orders to contracts, and what contracts keep. Source: spec/contracts.md, "Money". */
import { type Address, Cell } from '@ton/core'
import type { StateInit } from './deploy.ts'
import { internalMessage, type WalletTransfer } from './node-wallet.ts'

/**
 * With every order: 0.1 TON are asked for, some more where years of rent have to be filled up. What is not used comes back, so
 * this is lent and not spent.
 */
export const ORDER_NANO = 200_000_000n
/** With the first message to a contract: its rent for years stays there, the rest comes back. As the reference's nodes. */
export const DEPLOY_NANO = { proxy: 300_000_000n, worker: 300_000_000n, client: 800_000_000n } as const
/** What a contract never gives away. */
export const RENT_FLOOR_NANO = 10_000_000n
/** A checkpoint carries nothing. */
export const CHECKPOINT_NANO = 1n

/** The body of a message that only brings TON. */
export const EMPTY_CELL = Cell.EMPTY

export interface ContractOrder {
  readonly to: Address
  readonly body: Cell
  readonly valueNano: bigint
  /** Deploys the receiver where it is not there yet. */
  readonly init?: StateInit
}

/** An order as a wallet sends it: the whole value arrives, and comes back when the contract refuses. */
export const orderTransfer = ({ to, body, valueNano, init }: ContractOrder): WalletTransfer => ({
  mode: 1,
  message: internalMessage({ to, valueNano, body, bounce: true, ...(init === undefined ? {} : { init }) }),
})
