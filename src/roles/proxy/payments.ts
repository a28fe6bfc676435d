/** Signed payments of one proxy contract: what is committed for good, signed once per total and kept. */
import { type Address, type PaymentKind, type SigningKey, signPayment } from '../../chain/index.ts'
import type { SignedPayment } from '../../tl/index.ts'
import type { Random } from '../../util/index.ts'

export interface PaymentSigner {
  /** The proxy's word for `tokens` in total on `contract`. A total of zero is signed as well: workers insist on it. */
  signed(kind: PaymentKind, contract: Address, tokens: bigint): SignedPayment
}

export const NO_PAYMENT: SignedPayment = { _: 'proxy.signedPaymentEmpty' }

/** @param excesses where the rest of a message's value goes back to: the proxy's own account */
export function createPaymentSigner(key: SigningKey, excesses: Address, random: Random): PaymentSigner {
  const newest = new Map<string, { readonly tokens: bigint; readonly payment: SignedPayment }>()
  return {
    signed(kind, contract, tokens) {
      const name = `${kind} ${contract.toRawString()}`
      const kept = newest.get(name)
      if (kept !== undefined && kept.tokens === tokens) return kept.payment
      const queryId = new DataView(random.bytes(8).buffer).getBigUint64(0)
      const payment: SignedPayment = {
        _: 'proxy.signedPayment',
        data: signPayment({ kind, contract, tokens }, key, excesses, queryId),
      }
      newest.set(name, { tokens, payment })
      return payment
    },
  }
}
