/** Values that several conversations share. Source: spec/tl-constructors.json. */
import {
  bool,
  bytes,
  ctor,
  flags,
  int,
  int256,
  long,
  string,
  union,
  when,
  type FieldsOf,
  type ValueOf,
} from '../lang.ts'
import { MAX_ADDRESS_BYTES, MAX_PAYMENT_BYTES } from './limits.ts'

/** Tokens of one request, already weighted by the network's multipliers. */
export const tokensUsed = ctor(
  'tokensUsed',
  {
    promptTokensUsed: long,
    cachedTokensUsed: long,
    completionTokensUsed: long,
    reasoningTokensUsed: long,
    totalTokensUsed: long,
  },
  'TokensUsed',
)
export type TokensUsed = FieldsOf<typeof tokensUsed>

/** A payment message signed by the proxy, as a bag of cells: whoever holds it may deliver it. */
export const proxySignedPayment = ctor(
  'proxy.signedPayment',
  { data: bytes({ max: MAX_PAYMENT_BYTES }) },
  'proxy.SignedPayment',
)

/** No payment has been signed yet. */
export const proxySignedPaymentEmpty = ctor('proxy.signedPaymentEmpty', {}, 'proxy.SignedPayment')

export const signedPayments = union('proxy.SignedPayment', [proxySignedPayment, proxySignedPaymentEmpty])
export type SignedPayment = ValueOf<typeof signedPayments>

/** What a proxy says about itself to either kind of peer. */
export const proxyParams = ctor(
  'proxy.params',
  {
    flags,
    /** Of the key that signs payments; not the key of the TLS certificate. */
    proxyPublicKey: int256,
    proxyOwnerAddress: string({ max: MAX_ADDRESS_BYTES }),
    proxyScAddress: string({ max: MAX_ADDRESS_BYTES }),
    isTest: when(0, bool),
    /** The version chosen from the peer's range; absent means 0. */
    protoVersion: when(1, int),
  },
  'proxy.Params',
  { id: 0xd5c5609f },
)
export type ProxyParams = FieldsOf<typeof proxyParams>
