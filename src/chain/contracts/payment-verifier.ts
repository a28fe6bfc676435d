/** Verifying the same payment once: a proxy repeats its newest word with every request. */
import type { Address } from '@ton/core'
import { copyBytes, equalBytes } from '../../util/index.ts'
import { type Payment, type PaymentKind, verifyPayment } from './signed-payment.ts'

export interface PaymentReceiver {
  /** The receiver's own contract. */
  readonly contract: Address
  readonly proxyPublicKey: Uint8Array
}

/**
 * `verifyPayment` with a memory of one: the same bytes for the same receiver were good a moment ago and still are, since
 * nothing but them decides. Throws `chain.signed-payment`.
 */
export function createPaymentVerifier(kind: PaymentKind): (data: Uint8Array, receiver: PaymentReceiver) => Payment {
  let last: { readonly data: Uint8Array; readonly receiver: PaymentReceiver; readonly payment: Payment } | undefined
  return (data, receiver) => {
    if (last !== undefined && equalBytes(last.data, data) && isSame(last.receiver, receiver)) return last.payment
    const payment = verifyPayment(data, { kind, ...receiver })
    const proxyPublicKey = copyBytes(receiver.proxyPublicKey)
    last = { data: copyBytes(data), receiver: { contract: receiver.contract, proxyPublicKey }, payment }
    return payment
  }
}

const isSame = (a: PaymentReceiver, b: PaymentReceiver): boolean =>
  a.contract.equals(b.contract) && equalBytes(a.proxyPublicKey, b.proxyPublicKey)
