/** Whether a certificate or CRL is signed with a key. Browser-safe. */
import { equalBytes, fromHex } from '../../util/index.ts'
import { DerReader, TAG } from './der.ts'
import { x509Error } from './errors.ts'
import type { SignatureScheme, VerifyCrypto, VerifyKey } from './crypto.ts'

/** What certificates and CRLs have in common. */
export interface Signed {
  readonly tbs: Uint8Array
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
}

/** SHA-384, MGF1 with SHA-384, salt of 48. */
const PSS_PARAMETERS =
  'a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130'

/** AlgorithmIdentifiers as DER, whole: parameters included, since they are part of what is agreed on. */
const SCHEMES: readonly { readonly scheme: SignatureScheme; readonly algorithm: Uint8Array; readonly half: number }[] =
  [
    { scheme: 'ecdsa-p256-sha256', algorithm: fromHex('300a06082a8648ce3d040302'), half: 32 },
    { scheme: 'ecdsa-p384-sha384', algorithm: fromHex('300a06082a8648ce3d040303'), half: 48 },
    { scheme: 'rsa-pss-sha384', algorithm: fromHex(`304106092a864886f70d01010a3034${PSS_PARAMETERS}`), half: 0 },
    // The same with the trailer field's default written out, which DER forbids and AMD does.
    {
      scheme: 'rsa-pss-sha384',
      algorithm: fromHex(`304606092a864886f70d01010a3039${PSS_PARAMETERS}a303020101`),
      half: 0,
    },
  ]

/** The scheme that made the signature; null when it is none that is known here. */
export function schemeOf(signed: Signed): SignatureScheme | null {
  return SCHEMES.find(({ algorithm }) => equalBytes(algorithm, signed.signatureAlgorithm))?.scheme ?? null
}

/**
 * Whether the owner of `issuerSpki` signed this. False for unknown algorithms, for a key of another kind than the
 * signature's, and for signatures that are no strict DER.
 */
export async function isSignedBy(crypto: VerifyCrypto, signed: Signed, issuerSpki: Uint8Array): Promise<boolean> {
  const scheme = schemeOf(signed)
  if (scheme === null) return false
  const key = await crypto.importKey(scheme, issuerSpki)
  return key !== null && isSignedWith(key, scheme, signed)
}

/** The same with a key that was imported for `scheme`. */
export async function isSignedWith(key: VerifyKey, scheme: SignatureScheme, signed: Signed): Promise<boolean> {
  if (schemeOf(signed) !== scheme) return false
  const half = SCHEMES.find((one) => one.scheme === scheme)?.half ?? 0
  if (half === 0) return key.verify(signed.signature, signed.tbs)
  let raw: Uint8Array
  try {
    raw = ecdsaRaw(signed.signature, half)
  } catch {
    return false
  }
  return key.verify(raw, signed.tbs)
}

/** SEQUENCE { r, s } to r ‖ s of `half` bytes each. Throws `attestation.signature-malformed`. */
export function ecdsaRaw(der: Uint8Array, half: number): Uint8Array {
  const raw = new Uint8Array(2 * half)
  try {
    const fields = DerReader.inside(der, TAG.sequence, 'signature')
    for (const end of [half, 2 * half]) {
      const { content } = fields.read(TAG.integer)
      const [first = 0x80, second = 0x80] = content
      const isPadded = first === 0 && content.length > 1
      if (first >= 0x80 || (isPadded && second < 0x80)) throw x509Error('attestation.signature-malformed')
      const number = isPadded ? content.subarray(1) : content
      if (number.length > half) throw x509Error('attestation.signature-malformed')
      raw.set(number, end - number.length)
    }
    fields.end()
  } catch {
    throw x509Error('attestation.signature-malformed')
  }
  return raw
}
