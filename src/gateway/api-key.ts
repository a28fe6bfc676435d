/**
 * API keys: `ck_ID_SECRET`, with 48 random bits that name the key and 256 that prove it. Only a hash is kept, so the key is
 * shown once, when it is made.
 */
import { createHash } from 'node:crypto'
import { type Random, toHex } from '../util/index.ts'

const ID_BYTES = 6
const SECRET_BYTES = 32
const FORM = /^ck_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/

/** @param random must be secure */
export function makeApiKey(random: Random): { readonly id: string; readonly key: string; readonly hash: string } {
  const id = toHex(random.bytes(ID_BYTES))
  const key = `ck_${id}_${Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url')}`
  return { id, key, hash: hashApiKey(key) }
}

/** Hex. Looking a hash up in a map tells an attacker nothing: he cannot choose the hash of a guess. */
export const hashApiKey = (key: string): string => createHash('sha256').update(key).digest('hex')

/** Whether a text can be a key at all: what cannot is not worth a hash. */
export const isApiKey = (text: string): boolean => FORM.test(text)
