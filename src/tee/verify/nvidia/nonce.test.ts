import { expect, test } from 'vitest'
import { fromHex, toHex } from '../../../util/index.ts'
import { nodeVerifyCrypto } from '../../x509/crypto-node.ts'
import { gpuNonceFor } from './nonce.ts'

const key = fromHex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f')

test('the nonce is what another implementation computes', async () => {
  expect(toHex(await gpuNonceFor(nodeVerifyCrypto, key, 3))).toBe(
    '94e68f7e98bda9ae94343cc2c72aab037ca5879c61cb648d9ef3aca9912b8dd2',
  )
})

test('every GPU and every key has a nonce of its own', async () => {
  const nonces = await Promise.all([0, 1, 255].map((i) => gpuNonceFor(nodeVerifyCrypto, key, i)))
  nonces.push(await gpuNonceFor(nodeVerifyCrypto, key.toReversed(), 0))
  expect(new Set(nonces.map(toHex)).size).toBe(4)
})

test.each([-1, 256, 0.5])('an index of %f is our mistake', async (index) => {
  await expect(gpuNonceFor(nodeVerifyCrypto, key, index)).rejects.toMatchObject({ code: 'bug.gpu-nonce' })
})
