/** Orders to a proxy contract, and when each makes sense. Refused here with words, before money is sent for a refusal there. */
import { type Address, type Order, proxyMessages, textCommand } from '../../chain/index.ts'
import { CocoonError, formatTon, NANO_PER_TON } from '../../util/index.ts'
import type { ProxyOnChain } from '../account/read.ts'

/** With every order: what the contract asks for, and rent to fill up. What is not used comes back. */
const ORDER_NANO = (3n * NANO_PER_TON) / 10n
const QUERY_ID = 1n
/** A text message of one letter that only the owner may send: pays what is the operator's, or ends a closing. */
const TEXT_WITHDRAW = 119

/** A deposit that stays until the end. Throws `payment.account`. */
export function stakeOrder({ address, state }: ProxyOnChain, amountNano: bigint, excess: Address): Order {
  if (state.state === 'closed')
    throw refuse('the proxy contract is closed: a stake belongs into the one that serves now')
  return {
    label: `stake ${formatTon(amountNano)} TON more`,
    to: address,
    valueNano: amountNano + ORDER_NANO,
    body: proxyMessages.increaseStake.build({ queryId: QUERY_ID, amount: amountNano, excess }),
  }
}

/** What was earned, to the owner. Throws `payment.account`. */
export function withdrawOrder({ address, state }: ProxyOnChain, excess: Address): Order {
  if (state.balance === 0n)
    throw refuse('nothing has been earned since the last time: earnings come with each payout to a worker')
  return {
    label: `withdraw ${formatTon(state.balance)} TON`,
    to: address,
    valueNano: ORDER_NANO,
    body: proxyMessages.requestPayout.build({ queryId: QUERY_ID, excess }),
  }
}

/** From then on the proxy serves nobody, and gives everybody what is theirs. Throws `payment.account`. */
export function closeOrder({ address, state }: ProxyOnChain, excess: Address): Order {
  if (state.state !== 'normal') throw refuse(`the proxy contract is ${state.state} already`)
  return {
    label: 'begin to close the proxy contract',
    to: address,
    valueNano: ORDER_NANO,
    body: proxyMessages.ownerClose.build({ queryId: QUERY_ID, excess }),
  }
}

/** After the delay: stake and earnings to the owner. */
export const completeOrder = ({ address }: ProxyOnChain): Order => ({
  label: 'close the proxy contract',
  to: address,
  valueNano: ORDER_NANO,
  body: textCommand.build({ command: TEXT_WITHDRAW }),
})

const refuse = (message: string): CocoonError => new CocoonError('payment.account', { message })
