/** A text under a passphrase: scrypt makes the key, AES-256-GCM seals. The cost of one guess is about half a second and 128 MiB. */
import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto'
import { z } from 'zod'
import { fromHex, type Random, reveal, type Secret, toHex } from '../../util/index.ts'

const hex = (bytes: number): z.ZodString => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`))
export const sealedSchema = z.strictObject({
  kdf: z.literal('scrypt'),
  /** Bounded, so that a file cannot ask for all of a machine's memory. */
  n: z
    .int()
    .min(2 ** 14)
    .max(2 ** 20),
  r: z.literal(8),
  p: z.literal(1),
  salt: hex(16),
  nonce: hex(12),
  /** Ciphertext and tag. */
  box: z.string().regex(/^[0-9a-f]{32,4096}$/),
})
export type Sealed = z.output<typeof sealedSchema>

const COST = 2 ** 17
const TAG_BYTES = 16

/** @param about bound to the box: a box does not open beside other words */
export async function seal(text: string, passphrase: Secret<string>, about: string, random: Random): Promise<Sealed> {
  const [salt, nonce] = [random.bytes(16), random.bytes(12)]
  const cipher = createCipheriv('aes-256-gcm', await keyOf(passphrase, salt, COST), nonce)
  cipher.setAAD(Buffer.from(about))
  const box = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return { kdf: 'scrypt', n: COST, r: 8, p: 1, salt: toHex(salt), nonce: toHex(nonce), box: toHex(box) }
}

/** Null when it is another passphrase, or the box was changed. */
export async function unseal(sealed: Sealed, passphrase: Secret<string>, about: string): Promise<string | null> {
  const box = fromHex(sealed.box)
  const key = await keyOf(passphrase, fromHex(sealed.salt), sealed.n)
  const decipher = createDecipheriv('aes-256-gcm', key, fromHex(sealed.nonce))
  decipher.setAAD(Buffer.from(about))
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(box.subarray(0, box.length - TAG_BYTES)), decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}

function keyOf(passphrase: Secret<string>, salt: Uint8Array, n: number): Promise<Buffer> {
  // The same letters typed on another system may be other code points.
  const text = reveal(passphrase).normalize('NFKC')
  return new Promise((resolve, reject) => {
    scrypt(text, salt, 32, { N: n, r: 8, p: 1, maxmem: 256 * n * 8 }, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}
