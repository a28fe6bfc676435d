/** Orders to a client contract, and when each makes sense. Refused here with words, before money is sent for a refusal there. */
import { type Address, type ClientState, clientMessages, type Order } from '../../chain/index.ts'
import { CocoonError, formatTon, NANO_PER_TON } from '../../util/index.ts'
import type { ClientAccount } from './read.ts'

/** With every order: what the contract asks for, and rent to fill up. What is not used comes back. */
const ORDER_NANO = (3n * NANO_PER_TON) / 10n
/** The first one also leaves rent for years. */
const FIRST_NANO = (5n * NANO_PER_TON) / 10n
/** Numbers of queries tell orders of one kind apart in no way that matters here: each is known by its body and its time. */
const QUERY_ID = 1n

/** Deploys the contract where it is not there yet. Throws `payment.account`. */
export function topUpOrder(account: ClientAccount, amountNano: bigint, excess: Address): Order {
  const { proxy, state, address, init } = account
  if (!proxy.isCurrent)
    throw refuse(
      'the network has changed its parameters since this proxy contract was made: pay into the new one, and close this account',
    )
  if (proxy.state.state !== 'normal') throw refuse(`the proxy contract is ${proxy.state.state}: pay into another proxy`)
  if (state !== null && state.state !== 'normal')
    throw refuse(`the account is ${state.state}, and an account that was closed stays so: use another proxy`)
  return {
    label: `top up ${formatTon(amountNano)} TON`,
    to: address,
    valueNano: amountNano + (state === null ? FIRST_NANO : ORDER_NANO),
    body: clientMessages.topUp.build({ queryId: QUERY_ID, amount: amountNano, excess }),
    ...(state === null ? { init } : {}),
  }
}

/** Throws `payment.account`. */
export function stakeOrder(account: ClientAccount, stakeNano: bigint, excess: Address): Order {
  const state = open(account)
  if (stakeNano <= state.stake)
    throw refuse(
      `the stake is ${formatTon(state.stake)} TON and can only be raised: it comes back when the account is closed`,
    )
  const body = clientMessages.increaseStake.build({ queryId: QUERY_ID, newStake: stakeNano, excess })
  return { label: `raise the stake to ${formatTon(stakeNano)} TON`, to: account.address, valueNano: ORDER_NANO, body }
}

/** What is above the stake. Throws `payment.account`. */
export function withdrawOrder(account: ClientAccount, excess: Address): Order {
  const state = open(account)
  if (state.state !== 'normal')
    throw refuse('the account is closing: what is above the stake has been paid out, the rest comes with the end')
  if (state.balance <= state.stake)
    throw refuse(
      `the balance of ${formatTon(state.balance)} TON is not above the stake of ${formatTon(state.stake)} TON: to get all of it, close the account`,
    )
  const body = clientMessages.withdraw.build({ queryId: QUERY_ID, excess })
  return {
    label: `withdraw ${formatTon(state.balance - state.stake)} TON`,
    to: account.address,
    valueNano: ORDER_NANO,
    body,
  }
}

/** Begins to close, or ends it once the delay is over; `unlockTs` says when. */
export function closeOrder(account: ClientAccount, excess: Address): Order {
  const state = open(account)
  const body = clientMessages.requestRefund.build({ queryId: QUERY_ID, excess })
  const label = state.state === 'normal' ? 'begin to close the account' : `close the account`
  return { label, to: account.address, valueNano: ORDER_NANO, body }
}

/** Throws `payment.account` for an account that is not there, or is closed. */
export function open({ state }: ClientAccount): ClientState {
  if (state === null) throw refuse('there is no account with this proxy yet: `cocoon account top-up` opens one')
  if (state.state === 'closed') throw refuse('the account is closed; everything in it was paid out')
  return state
}

const refuse = (message: string): CocoonError => new CocoonError('payment.account', { message })
