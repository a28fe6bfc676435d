/** Keys on this disk: made on first use, readable by their owner only, never printed. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Address, parseAddress, type SigningKey, signingKeyFromSeed } from '../chain/index.ts'
import { CocoonError, fromHex, type Random, toHex } from '../util/index.ts'

export type KeyName = 'client' | 'proxy' | 'worker'

/** The node's signing key from `<home>/keys/NAME.key`; throws `config.key-file` when the file is unusable or others may read it. */
export function loadKey(home: string, name: KeyName, random: Random): SigningKey {
  const path = join(home, 'keys', `${name}.key`)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(path, (error as Error).message, error)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    text = `${toHex(random.bytes(32))}\n`
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
  }
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
    throw unusable(path, `others may read it; run: chmod 600 ${path}`)
  const hex = text.trim()
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw unusable(path, 'it must hold 64 hex digits')
  return signingKeyFromSeed(fromHex(hex))
}

/** The configured owner, or an account made from the key: no contract answers there, so only a network without a chain can use it. */
export function ownerOf(configured: string | undefined, key: SigningKey, setting: string): Address {
  if (configured !== undefined) return parseAddress(configured, setting)
  return new Address(0, createHash('sha256').update(key.publicKey).digest())
}

const unusable = (path: string, why: string, cause?: unknown): CocoonError =>
  new CocoonError('config.key-file', { message: `the key file ${path} cannot be used: ${why}` }, { cause })
