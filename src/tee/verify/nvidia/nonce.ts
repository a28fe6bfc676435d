/** The nonce that ties a GPU's report to a TLS key: the report then answers a question only that key's owner asks. Browser-safe. */
import { CocoonError, concatBytes, utf8 } from '../../../util/index.ts'
import type { VerifyCrypto } from '../../x509/index.ts'

const TAG = utf8('cocoon-gpu')
const PUBLIC_KEY_BYTES = 32
const MAX_INDEX = 255

/** SHA-256("cocoon-gpu" ‖ public key of 32 bytes ‖ index of the GPU, one byte). */
export async function gpuNonceFor(crypto: VerifyCrypto, publicKey: Uint8Array, index: number): Promise<Uint8Array> {
  if (publicKey.length !== PUBLIC_KEY_BYTES || !Number.isInteger(index) || index < 0 || index > MAX_INDEX)
    throw new CocoonError('bug.gpu-nonce', { keyBytes: publicKey.length, index })
  return crypto.sha256(concatBytes(TAG, publicKey, Uint8Array.of(index)))
}
