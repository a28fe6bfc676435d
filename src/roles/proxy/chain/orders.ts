/** Orders of plan.ts as transfers out of the proxy's wallet. */
import {
  type Address,
  DEPLOY_NANO,
  ORDER_NANO,
  orderTransfer,
  parseAddress,
  parseBoc,
  type PaymentKind,
  proxyMessages,
  type RootParams,
  signClosing,
  type SigningKey,
  signPayment,
  type WalletTransfer,
  workerStateInit,
} from '../../../chain/index.ts'
import { type Random, randomUint64 } from '../../../util/index.ts'
import type { Order } from './plan.ts'
import type { Standings } from './standings.ts'

export interface OrderContext {
  readonly random: Random
  readonly key: SigningKey
  readonly params: RootParams
  /** The proxy's contract, and the wallet that gets back what an order does not use. */
  readonly contract: Address
  readonly wallet: Address
  readonly standings: Standings
}

const PAYMENT_KINDS = {
  charge: 'charge',
  grant: 'refund',
  pay: 'payout',
  'pay-last': 'lastPayout',
} as const satisfies Readonly<Record<string, PaymentKind>>

export function transferFor(order: Order, context: OrderContext): WalletTransfer {
  const { random, key, params, contract, wallet, standings } = context
  const queryId = randomUint64(random)
  switch (order.do) {
    case 'charge':
    case 'grant':
    case 'pay':
    case 'pay-last': {
      const isClient = order.do === 'charge' || order.do === 'grant'
      const to = isClient ? standings.clientContract(order.owner) : standings.workerContract(order.owner)
      const payment = { kind: PAYMENT_KINDS[order.do], contract: to, tokens: order.tokens }
      const body = parseBoc(signPayment(payment, key, wallet, queryId), 'payment')
      if (isClient || standings.worker(order.owner)?.state !== 'absent')
        return orderTransfer({ to, body, valueNano: ORDER_NANO })
      const init = workerStateInit(params, {
        owner: parseAddress(order.owner, 'owner'),
        proxy: contract,
        proxyPublicKey: key.publicKey,
      })
      return orderTransfer({ to, body, valueNano: DEPLOY_NANO.worker, init })
    }
    case 'withdraw':
      return orderTransfer({
        to: contract,
        body: proxyMessages.requestPayout.build({ queryId, excess: wallet }),
        valueNano: ORDER_NANO,
      })
    case 'close':
    case 'complete': {
      const kind = order.do === 'close' ? 'close' : 'closeComplete'
      const body = parseBoc(signClosing({ kind, contract }, key, wallet, queryId), 'closing order')
      return orderTransfer({ to: contract, body, valueNano: ORDER_NANO })
    }
  }
}
