import { Address } from '@ton/core'
import { expect, test } from 'vitest'
import { signingKeyFromSeed } from '../ed25519.ts'
import { createPaymentVerifier } from './payment-verifier.ts'
import { signPayment } from './signed-payment.ts'

const key = signingKeyFromSeed(new Uint8Array(32).fill(1))
const otherKey = signingKeyFromSeed(new Uint8Array(32).fill(2))
const [contract, otherContract] = [0xaa, 0xbb].map((byte) => new Address(0, Buffer.alloc(32, byte))) as [
  Address,
  Address,
]
const receiver = { contract, proxyPublicKey: key.publicKey }
const payment = (tokens: bigint): Uint8Array => signPayment({ kind: 'charge', tokens, contract }, key, contract, 7n)

test('a payment that comes again gives the same total, also after its bytes were used for something else', () => {
  const verify = createPaymentVerifier('charge')
  const data = payment(5n)
  expect(verify(data, receiver).tokens).toBe(5n)
  const again = data.slice()
  data.fill(0)
  expect(verify(again, receiver).tokens).toBe(5n)
  expect(verify(payment(6n), receiver).tokens).toBe(6n)
})

test('one changed byte of a signature seen before is refused', () => {
  const verify = createPaymentVerifier('charge')
  const data = payment(5n)
  verify(data, receiver)
  // The signature begins in the middle of a byte, 57 bytes into the first cell, and is 64 bytes long.
  for (let at = 70; at < 110; at++) {
    const changed = data.slice()
    changed[at] = (changed[at] as number) ^ 1
    expect(() => verify(changed, receiver)).toThrow(expect.objectContaining({ code: 'chain.signed-payment' }))
  }
  expect(verify(data, receiver).tokens).toBe(5n)
})

test('a payment seen before is refused for another contract and from another proxy', () => {
  const verify = createPaymentVerifier('charge')
  const data = payment(5n)
  verify(data, receiver)
  for (const other of [
    { ...receiver, contract: otherContract },
    { ...receiver, proxyPublicKey: otherKey.publicKey },
  ])
    expect(() => verify(data, other)).toThrow(expect.objectContaining({ code: 'chain.signed-payment' }))
})
