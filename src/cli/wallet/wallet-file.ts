/**
 * An owner's wallet on this disk, `<home>/wallets/NAME.json`: 24 words, under a passphrase or as they are, in a file that only
 * its owner may read. The words leave it through `cocoon wallet backup` and no other way.
 */
import { join } from 'node:path'
import { mnemonicNew, mnemonicToPrivateKey, mnemonicValidate } from '@ton/crypto'
import { z } from 'zod'
import { type SigningKey, signingKeyFromSeed } from '../../chain/index.ts'
import { CocoonError, type Random, reveal, Secret, toHex } from '../../util/index.ts'
import { readPrivateFile, writePrivateFile } from '../../disk/index.ts'
import { seal, sealedSchema, unseal } from './sealed.ts'

const walletFile = z.strictObject({
  version: z.literal(1),
  kind: z.literal('v5r1'),
  /** Shown without the passphrase; what is opened must have it. */
  publicKey: z.string().regex(/^[0-9a-f]{64}$/),
  words: z.string().optional(),
  sealed: sealedSchema.optional(),
})
type WalletFile = z.output<typeof walletFile>

export interface StoredWallet {
  readonly name: string
  readonly path: string
  readonly publicKey: Uint8Array
  readonly isSealed: boolean
}

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/
const WORDS = 24

export function walletPath(home: string, name: string): string {
  if (NAME.test(name)) return join(home, 'wallets', `${name}.json`)
  throw new CocoonError('config.wallet', {
    message: `a wallet's name has up to 32 of a-z, 0-9 and dashes; "${name}" does not`,
  })
}

/** Null where there is none. Throws `config.key-file`, `config.wallet`. */
export function findWallet(home: string, name: string): StoredWallet | null {
  const path = walletPath(home, name)
  const file = read(path)
  if (file === null) return null
  return { name, path, publicKey: Buffer.from(file.publicKey, 'hex'), isSealed: file.sealed !== undefined }
}

/** New words, from the system's randomness. */
export const newWords = async (): Promise<Secret<string>> => new Secret((await mnemonicNew(WORDS)).join(' '))

/** Words as people type them. Throws `config.wallet` when they are not a wallet's. */
export async function parseWords(text: string): Promise<Secret<string>> {
  const words = text
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter(Boolean)
  if (words.length !== WORDS)
    throw new CocoonError('config.wallet', { message: `a wallet has ${WORDS} words, these are ${words.length}` })
  if (!(await mnemonicValidate(words)))
    throw new CocoonError('config.wallet', {
      message: 'these words do not fit together: one of them is misspelt, missing or in another place',
    })
  return new Secret(words.join(' '))
}

/** Throws `config.wallet` when there is one of that name: keys are never replaced. */
export async function storeWallet(
  home: string,
  name: string,
  words: Secret<string>,
  passphrase: Secret<string> | null,
  random: Random,
): Promise<StoredWallet> {
  const path = walletPath(home, name)
  const publicKey = toHex((await keyOf(words)).publicKey)
  const file: WalletFile = {
    version: 1,
    kind: 'v5r1',
    publicKey,
    ...(passphrase === null
      ? { words: reveal(words) }
      : { sealed: await seal(reveal(words), passphrase, publicKey, random) }),
  }
  if (!writePrivateFile(path, `${JSON.stringify(file, null, 2)}\n`))
    throw new CocoonError('config.wallet', {
      message: `there is a wallet at ${path} already, and it is left as it is: choose another --name, or move that file away`,
    })
  return { name, path, publicKey: Buffer.from(publicKey, 'hex'), isSealed: passphrase !== null }
}

/** @param ask is called when there is a passphrase to give. Throws `config.passphrase`, `config.wallet`. */
export async function openWords(wallet: StoredWallet, ask: () => Promise<Secret<string>>): Promise<Secret<string>> {
  const file = read(wallet.path)
  if (file === null) throw unusable(wallet.path, 'it is gone')
  let words = file.words
  if (file.sealed !== undefined) {
    words = (await unseal(file.sealed, await ask(), file.publicKey)) ?? undefined
    if (words === undefined)
      throw new CocoonError('config.passphrase', {
        message: `the passphrase does not open ${wallet.path}`,
      })
  }
  if (words === undefined) throw unusable(wallet.path, 'it holds no words')
  const secret = new Secret(words)
  if (toHex((await keyOf(secret)).publicKey) !== file.publicKey)
    throw unusable(wallet.path, 'its words are of another key than it says')
  return secret
}

export async function keyOf(words: Secret<string>): Promise<SigningKey> {
  const { secretKey } = await mnemonicToPrivateKey(reveal(words).split(' '))
  const seed = new Uint8Array(secretKey.subarray(0, 32))
  try {
    return signingKeyFromSeed(seed)
  } finally {
    seed.fill(0)
    secretKey.fill(0)
  }
}

function read(path: string): WalletFile | null {
  const text = readPrivateFile(path)
  if (text === null) return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw unusable(path, 'it is not JSON')
  }
  const parsed = walletFile.safeParse(value)
  if (!parsed.success) throw unusable(path, `${parsed.error.issues[0]?.path.join('.') ?? ''} is wrong`)
  return parsed.data
}

const unusable = (path: string, why: string): CocoonError =>
  new CocoonError('config.wallet', { message: `the wallet ${path} cannot be used: ${why}; restore it from its words` })
