/** Keys on this disk: made on first use, readable by their owner only, never printed. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  Address,
  type CodeCell,
  nodeWalletAddress,
  ownCode,
  parseAddress,
  type SigningKey,
  signingKeyFromSeed,
} from '../chain/index.ts'
import { CocoonError, fromHex, type Random, toHex } from '../util/index.ts'
import { readPrivateFile, writePrivateFile } from '../disk/index.ts'

/**
 * `client` and `worker` spend from the node's wallet. `proxy` signs payments and is part of the proxy contract's address;
 * `proxy-wallet` spends from the proxy's wallet, so that a message for one can never pass for the other.
 */
export type KeyName = 'client' | 'proxy' | 'worker' | 'proxy-wallet'
export type NodeRole = 'client' | 'proxy' | 'worker'

export const keyPath = (home: string, name: KeyName): string => join(home, 'keys', `${name}.key`)

/** The node's signing key from `<home>/keys/NAME.key`; throws `config.key-file` when the file is unusable or others may read it. */
export function loadKey(home: string, name: KeyName, random: Random): SigningKey {
  const path = keyPath(home, name)
  const known = readPrivateFile(path)
  if (known !== null) return parseKey(known, path)
  const made = `${toHex(random.bytes(32))}\n`
  // Another process may have been faster: its key counts.
  return parseKey(writePrivateFile(path, made) ? made : (readPrivateFile(path) ?? ''), path)
}

/** As `loadKey`, for those who only look: null where the node has made none yet. */
export function findKey(home: string, name: KeyName): SigningKey | null {
  const path = keyPath(home, name)
  const known = readPrivateFile(path)
  return known === null ? null : parseKey(known, path)
}

function parseKey(text: string, path: string): SigningKey {
  const hex = text.trim()
  if (/^[0-9a-f]{64}$/i.test(hex)) return signingKeyFromSeed(fromHex(hex))
  throw new CocoonError('config.key-file', {
    message: `the key file ${path} cannot be used: it must hold 64 hex digits; restore it from a backup, since a new key is a new wallet`,
  })
}

/** The configured owner, or an account made from the key: no contract answers there, so only a network without a chain can use it. */
export function ownerOf(configured: string | undefined, key: SigningKey, setting: string): Address {
  if (configured !== undefined) return parseAddress(configured, setting)
  return new Address(0, createHash('sha256').update(key.publicKey).digest())
}

/** The wallet that a node pays from. */
export interface NodeWallet {
  readonly key: SigningKey
  /** Whoever may block the key and take the money out: an ordinary wallet, kept elsewhere. */
  readonly owner: Address
  readonly code: CodeCell
  readonly address: Address
}

export const walletKeyName = (role: NodeRole): KeyName => (role === 'proxy' ? 'proxy-wallet' : role)

/** Key and owner give the address. Throws `config.key-file`. */
export function loadNodeWallet(home: string, role: NodeRole, owner: Address, random: Random): NodeWallet {
  return nodeWallet(loadKey(home, walletKeyName(role), random), owner)
}

export function nodeWallet(key: SigningKey, owner: Address): NodeWallet {
  const code = ownCode('wallet')
  return { key, owner, code, address: nodeWalletAddress({ owner, publicKey: key.publicKey }, code) }
}
