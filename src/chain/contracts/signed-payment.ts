/**
 * The proxy's word that a total is owed: `proxy.signedPayment.data`. Source: spec/wire.md, "Signed payments".
 *
 *   root:    op:u32 query_id:u64 excesses:addr signature:512 ^payload
 *   payload: op:u32 query_id:u64 tokens:u64 contract:addr
 *
 * The signature covers the payload's representation hash. Totals only grow and are bound to one contract.
 */
import { type Address, beginCell } from '@ton/core'
import { CocoonError, type ErrorInfo } from '../../util/index.ts'
import { parseBoc } from '../cell-hash.ts'
import { isSignatureValid, type SigningKey } from '../ed25519.ts'

/** A `charge` lets the proxy take from a client's contract; a `payout` lets a worker be paid. */
export type PaymentKind = 'charge' | 'payout'

const OP: Readonly<Record<PaymentKind, number>> = { charge: 0xbb63ff93, payout: 0xa040ad28 }
const MAX_TOTAL = (1n << 64n) - 1n

export interface Payment {
  readonly kind: PaymentKind
  /** Adjusted tokens in total since the contract was deployed. */
  readonly tokens: bigint
  readonly contract: Address
}

/** Bytes for `proxy.signedPayment.data`. */
export function signPayment(payment: Payment, key: SigningKey, excesses: Address, queryId: bigint): Uint8Array {
  if (payment.tokens < 0n || payment.tokens > MAX_TOTAL)
    throw new CocoonError('bug.signed-total', { tokens: payment.tokens })
  const op = OP[payment.kind]
  const payload = beginCell().storeUint(op, 32).storeUint(queryId, 64).storeUint(payment.tokens, 64)
  const signed = payload.storeAddress(payment.contract).endCell()
  const signature = key.sign(signed.hash())
  const root = beginCell().storeUint(op, 32).storeUint(queryId, 64).storeAddress(excesses)
  const cell = root.storeBuffer(Buffer.from(signature)).storeRef(signed).endCell()
  return new Uint8Array(cell.toBoc({ idx: false, crc32: false }))
}

/**
 * The total a payment is good for. Throws `chain.signed-payment` unless layout, kind, contract and signature are right.
 * @param expected what we must be: the receiver's own contract and the key of the proxy it talks to
 */
export function verifyPayment(
  data: Uint8Array,
  expected: { readonly kind: PaymentKind; readonly contract: Address; readonly proxyPublicKey: Uint8Array },
): Payment {
  const root = parseBoc(data, 'signed_payment')
  let tokens: bigint
  let contract: Address
  try {
    const outer = root.beginParse()
    const [op, queryId] = [outer.loadUint(32), outer.loadUintBig(64)]
    outer.loadAddress()
    const signature = outer.loadBuffer(64)
    const payload = outer.loadRef()
    outer.endParse()
    const inner = payload.beginParse()
    const [innerOp, innerQueryId] = [inner.loadUint(32), inner.loadUintBig(64)]
    tokens = inner.loadUintBig(64)
    contract = inner.loadAddress()
    inner.endParse()
    if (op !== OP[expected.kind]) throw refuse('op', { op, expected: OP[expected.kind] })
    if (innerOp !== op || innerQueryId !== queryId) throw refuse('copies')
    if (!isSignatureValid(expected.proxyPublicKey, payload.hash(), signature)) throw refuse('signature')
  } catch (cause) {
    if (cause instanceof CocoonError) throw cause
    throw new CocoonError('chain.signed-payment', { problem: 'layout' }, { cause })
  }
  if (!contract.equals(expected.contract)) throw refuse('contract')
  return { kind: expected.kind, tokens, contract }
}

const refuse = (problem: string, info: ErrorInfo = {}): CocoonError =>
  new CocoonError('chain.signed-payment', { problem, ...info })
