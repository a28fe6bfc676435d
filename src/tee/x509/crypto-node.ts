/** `VerifyCrypto` on Node's own cryptography: answers at once, on this thread. Node only. */
import { constants, createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import type { SignatureScheme, VerifyCrypto, VerifyKey } from './crypto.ts'

export const nodeVerifyCrypto: VerifyCrypto = {
  sha256: (bytes) => digest('sha256', bytes),
  sha384: (bytes) => digest('sha384', bytes),
  sha512: (bytes) => digest('sha512', bytes),
  importKey(scheme, spki) {
    try {
      const key = createPublicKey({ key: spki as Buffer, format: 'der', type: 'spki' })
      return isFor(scheme, key) ? VERIFIERS[scheme](key) : null
    } catch {
      return null
    }
  },
}

const digest = (name: string, bytes: Uint8Array): Uint8Array => new Uint8Array(hash(name, bytes, 'buffer'))

function isFor(scheme: SignatureScheme, key: KeyObject): boolean {
  if (scheme === 'rsa-pss-sha384') return key.asymmetricKeyType === 'rsa'
  if (scheme === 'ed25519') return key.asymmetricKeyType === 'ed25519'
  const curve = scheme === 'ecdsa-p256-sha256' ? 'prime256v1' : 'secp384r1'
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve
}

const VERIFIERS: Readonly<Record<SignatureScheme, (key: KeyObject) => VerifyKey>> = {
  'ecdsa-p256-sha256': (key) => ecdsa(key, 'sha256', 64),
  'ecdsa-p384-sha384': (key) => ecdsa(key, 'sha384', 96),
  'rsa-pss-sha384': (key) => ({
    verify: (signature, message) =>
      verify('sha384', message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }, signature),
  }),
  ed25519: (key) => ({ verify: (signature, message) => verify(null, message, key, signature) }),
}

const ecdsa = (key: KeyObject, hashName: string, bytes: number): VerifyKey => ({
  verify: (signature, message) =>
    signature.length === bytes && verify(hashName, message, { key, dsaEncoding: 'ieee-p1363' }, signature),
})
