/** Orders of plan.ts as transfers out of the client's wallet, which owns its contracts. */
import {
  type Address,
  clientMessages,
  clientStateInit,
  type ContractOrder,
  DEPLOY_NANO,
  ORDER_NANO,
  orderTransfer,
  redirectExcesses,
  type RootParams,
  type WalletTransfer,
} from '../../../chain/index.ts'
import type { Order } from './plan.ts'

export interface OrderContext {
  /** Makes an order another one than those before it. */
  readonly queryId: bigint
  readonly wallet: Address
  readonly params: RootParams
  readonly proxy: Address
  readonly proxyPublicKey: Uint8Array
  /** The client's contract at that proxy. */
  readonly contract: Address
  readonly secretHash: Uint8Array | null
  /** The newest signed charge. */
  readonly payment: Uint8Array | null
}

export function transferFor(order: Order, context: OrderContext): WalletTransfer | null {
  const { queryId, wallet: excess, contract: to, secretHash } = context
  const send = (body: ContractOrder['body'], valueNano = ORDER_NANO): WalletTransfer =>
    orderTransfer({ to, body, valueNano })
  switch (order.do) {
    case 'deploy': {
      const { amountNano: amount } = order
      const body =
        secretHash === null
          ? clientMessages.topUp.build({ queryId, amount, excess })
          : clientMessages.topUpWithSecret.build({ queryId, amount, secretHash, excess })
      const who = { owner: excess, proxy: context.proxy, proxyPublicKey: context.proxyPublicKey }
      return orderTransfer({
        to,
        body,
        valueNano: DEPLOY_NANO.client + amount,
        init: clientStateInit(context.params, who),
      })
    }
    case 'top-up': {
      const { amountNano: amount } = order
      return send(clientMessages.topUp.build({ queryId, amount, excess }), ORDER_NANO + amount)
    }
    case 'set-secret':
      return secretHash === null ? null : send(clientMessages.changeSecret.build({ queryId, secretHash, excess }))
    case 'submit-charge':
      return context.payment === null ? null : send(redirectExcesses(context.payment, excess))
    case 'request-refund':
      return send(clientMessages.requestRefund.build({ queryId, excess }))
  }
}

/** Answers a proxy's challenge on chain. On the wire a nonce has a sign, in the contract it has none. */
export const registration = (nonce: bigint, { queryId, wallet, contract }: OrderContext): WalletTransfer =>
  orderTransfer({
    to: contract,
    body: clientMessages.register.build({
      queryId,
      nonce: BigInt.asUintN(64, nonce),
      excess: wallet,
    }),
    valueNano: ORDER_NANO,
  })
