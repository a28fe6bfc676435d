/** What a peer proved as one name, the same on every node: SHA-256 over certificate, claims and signature. */
import { createHash } from 'node:crypto'
import type { SignedClaims } from './types.ts'

/** @param claims null where it claimed nothing beside its certificate */
export function proofId(certificate: Uint8Array, claims: SignedClaims | null): Uint8Array {
  const hash = createHash('sha256').update(certificate)
  if (claims !== null) hash.update(claims.claims).update(claims.signature)
  return new Uint8Array(hash.digest())
}
