/**
 * The little cryptography that verifying evidence needs, as an argument. `T | Promise<T>` because Node answers at once and
 * browsers later; callers `await`. Browser-safe; `crypto-node.ts` is the form without promises, for Node.
 */

export type SignatureScheme = 'ecdsa-p256-sha256' | 'ecdsa-p384-sha384' | 'rsa-pss-sha384' | 'ed25519'

export type Eventually<T> = T | Promise<T>

/** A public key that was imported once, for one scheme. */
export interface VerifyKey {
  /**
   * Whether `signature` is this key's over `message`. ECDSA: r ‖ s, each as long as the curve, any s. RSA-PSS: salt of 48
   * bytes, MGF1 with SHA-384. Ed25519: 64 bytes. Malformed signatures are false, never an error.
   */
  verify(signature: Uint8Array, message: Uint8Array): Eventually<boolean>
}

export interface VerifyCrypto {
  sha256(bytes: Uint8Array): Eventually<Uint8Array>
  sha384(bytes: Uint8Array): Eventually<Uint8Array>
  sha512(bytes: Uint8Array): Eventually<Uint8Array>
  /** Imports a SubjectPublicKeyInfo; null when it is no key for that scheme, for one because the point is off the curve. */
  importKey(scheme: SignatureScheme, spki: Uint8Array): Eventually<VerifyKey | null>
}

/** Over WebCrypto: browsers, and everything else that has `crypto.subtle`. */
export function webVerifyCrypto(subtle: typeof crypto.subtle = crypto.subtle): VerifyCrypto {
  return {
    sha256: async (bytes) => new Uint8Array(await subtle.digest('SHA-256', owned(bytes))),
    sha384: async (bytes) => new Uint8Array(await subtle.digest('SHA-384', owned(bytes))),
    sha512: async (bytes) => new Uint8Array(await subtle.digest('SHA-512', owned(bytes))),
    async importKey(scheme, spki) {
      const { key: keyParameters, signature: signatureParameters, bytes } = WEB_PARAMETERS[scheme]
      try {
        const key = await subtle.importKey('spki', owned(spki), keyParameters, false, ['verify'])
        return {
          verify: async (signature, message) =>
            (bytes === null || signature.length === bytes) &&
            (await subtle.verify(signatureParameters, key, owned(signature), owned(message))),
        }
      } catch {
        return null
      }
    },
  }
}

const WEB_PARAMETERS = {
  'ecdsa-p256-sha256': {
    key: { name: 'ECDSA', namedCurve: 'P-256' },
    signature: { name: 'ECDSA', hash: 'SHA-256' },
    bytes: 64,
  },
  'ecdsa-p384-sha384': {
    key: { name: 'ECDSA', namedCurve: 'P-384' },
    signature: { name: 'ECDSA', hash: 'SHA-384' },
    bytes: 96,
  },
  'rsa-pss-sha384': {
    key: { name: 'RSA-PSS', hash: 'SHA-384' },
    signature: { name: 'RSA-PSS', saltLength: 48 },
    bytes: null,
  },
  ed25519: { key: { name: 'Ed25519' }, signature: { name: 'Ed25519' }, bytes: 64 },
} as const

/** WebCrypto's types refuse views of shared memory; ours never are. */
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => bytes as Uint8Array<ArrayBuffer>
