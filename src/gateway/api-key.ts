/**
 * Credentials: `ck_ID_SECRET` is an API key, `cm_ID_SECRET` that of a project's member. 48 random bits name it and 256 prove it. Only
 * a hash is kept, so each is shown once, when it is made.
 */
import { hash } from 'node:crypto'
import { type Random, toHex } from '../util/index.ts'

const ID_BYTES = 6
const SECRET_BYTES = 32
const FORM = /^c[km]_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/

export type CredentialKind = 'ck' | 'cm'

/** @param random must be secure */
export function makeCredential(
  kind: CredentialKind,
  random: Random,
): { readonly id: string; readonly key: string; readonly hash: string } {
  const id = toHex(random.bytes(ID_BYTES))
  const key = `${kind}_${id}_${Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url')}`
  return { id, key, hash: hashCredential(key) }
}

/** Hex. Looking a hash up in a map tells an attacker nothing: he cannot choose the hash of a guess. */
export const hashCredential = (key: string): string => hash('sha256', key)

/** Whether a text can be such a credential at all: what cannot is not worth a hash. */
export const isCredential = (kind: CredentialKind, text: string): boolean => FORM.test(text) && text.startsWith(kind)
