/**
 * The proxy's word that a total is owed: `proxy.signedPayment.data`. Source: spec/wire.md, "Signed payments".
 *
 *   root:    op:u32 query_id:u64 excesses:addr signature:512 ^payload
 *   payload: op:u32 query_id:u64 tokens:u64 contract:addr
 *
 * The signature covers the payload's representation hash. Totals only grow and are bound to one contract.
 */
import { type Address, beginCell, type Builder, type Cell } from '@ton/core'
import { CocoonError, type ErrorInfo } from '../../util/index.ts'
import { parseBoc } from '../cell-hash.ts'
import { isSignatureValid, type SigningKey } from '../ed25519.ts'

/**
 * A `charge` lets the proxy take from a client's contract; a `payout` lets a worker be paid. `refund` and `lastPayout` do
 * the same for the last time: they close the contract.
 */
export type PaymentKind = 'charge' | 'payout' | 'refund' | 'lastPayout'

const OP: Readonly<Record<PaymentKind, number>> = {
  charge: 0xbb63ff93,
  payout: 0xa040ad28,
  refund: 0xefd711e1,
  lastPayout: 0xf5f26a36,
}
const CLOSING_OP = { close: 0x636a4391, closeComplete: 0xe511abc7 } as const
const ADD_PUBLIC_KEY_OP = 0x9e0e1821
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
  return envelope(OP[payment.kind], queryId, excesses, key, (payload) =>
    payload.storeUint(payment.tokens, 64).storeAddress(payment.contract),
  )
}

/** The proxy's order to its own contract to begin closing, or to end it. Bytes as `signPayment`. */
export function signClosing(
  order: { readonly kind: keyof typeof CLOSING_OP; readonly contract: Address },
  key: SigningKey,
  excesses: Address,
  queryId: bigint,
): Uint8Array {
  return envelope(CLOSING_OP[order.kind], queryId, excesses, key, (payload) => payload.storeAddress(order.contract))
}

/** The key manager's word, to the root contract, that a key is in use until then. Bytes as `signPayment`. */
export function signPublicKey(
  registration: { readonly publicKey: Uint8Array; readonly keyType: number; readonly expiresAtS: number },
  managerKey: SigningKey,
  excesses: Address,
  queryId: bigint,
): Uint8Array {
  const { publicKey, keyType, expiresAtS } = registration
  return envelope(ADD_PUBLIC_KEY_OP, queryId, excesses, managerKey, (payload) =>
    payload.storeBuffer(Buffer.from(publicKey), 32).storeUint(keyType, 8).storeUint(expiresAtS, 32),
  )
}

function envelope(
  op: number,
  queryId: bigint,
  excesses: Address,
  key: SigningKey,
  fill: (payload: Builder) => Builder,
): Uint8Array {
  const signed = fill(beginCell().storeUint(op, 32).storeUint(queryId, 64)).endCell()
  const signature = key.sign(signed.hash())
  return serialize(envelopeCell({ op, queryId, excesses, signature, payload: signed }))
}

interface Envelope {
  readonly op: number
  readonly queryId: bigint
  readonly excesses: Address
  readonly signature: Uint8Array
  readonly payload: Cell
}

const envelopeCell = ({ op, queryId, excesses, signature, payload }: Envelope): Cell =>
  beginCell()
    .storeUint(op, 32)
    .storeUint(queryId, 64)
    .storeAddress(excesses)
    .storeBuffer(Buffer.from(signature))
    .storeRef(payload)
    .endCell()

const serialize = (cell: Cell): Uint8Array => new Uint8Array(cell.toBoc({ idx: false, crc32: false }))

function loadEnvelope(root: Cell): Envelope {
  const outer = root.beginParse()
  const [op, queryId, excesses] = [outer.loadUint(32), outer.loadUintBig(64), outer.loadAddress()]
  const [signature, payload] = [new Uint8Array(outer.loadBuffer(64)), outer.loadRef()]
  outer.endParse()
  return { op, queryId, excesses, signature, payload }
}

/**
 * The same signed word as a message body that sends what is left to `excesses`: the address is not signed, and whoever
 * submits the message wants the rest back. Verify first.
 */
export function redirectExcesses(data: Uint8Array, excesses: Address): Cell {
  try {
    return envelopeCell({ ...loadEnvelope(parseBoc(data, 'signed_payment')), excesses })
  } catch (cause) {
    if (cause instanceof CocoonError) throw cause
    throw new CocoonError('chain.signed-payment', { problem: 'layout' }, { cause })
  }
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
    const { op, queryId, signature, payload } = loadEnvelope(root)
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
