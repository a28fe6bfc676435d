import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { WalletContractV5R1 } from '@ton/ton'
import { mnemonicToPrivateKey } from '@ton/crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reveal, Secret, seededRandom } from '../../util/index.ts'
import { standardWalletAddress } from './standard-wallet.ts'
import { findWallet, keyOf, newWords, openWords, parseWords, storeWallet, walletPath } from './wallet-file.ts'

const home = mkdtempSync(join(tmpdir(), 'cocoon-wallets-'))
afterAll(() => rmSync(home, { recursive: true }))
const random = seededRandom(5)
const never = (): Promise<Secret<string>> => Promise.reject(new Error('asked'))
const passphrase = new Secret('Zug um Zug')
let words: Secret<string>
beforeAll(async () => void (words = await newWords()))

test('words make the key and the address that other wallet programs make of them', async () => {
  const { publicKey } = await mnemonicToPrivateKey(reveal(words).split(' '))
  const ours = await keyOf(words)
  expect(Buffer.from(ours.publicKey).equals(publicKey)).toBe(true)
  for (const [isTest, networkGlobalId] of [
    [false, -239],
    [true, -3],
  ] as const) {
    const theirs = WalletContractV5R1.create({ publicKey, walletId: { networkGlobalId } })
    expect(standardWalletAddress(publicKey, isTest).equals(theirs.address)).toBe(true)
  }
})

test('a wallet without a passphrase opens without asking; one with opens with that one only', async () => {
  const plain = await storeWallet(home, 'plain', words, null, random)
  expect(reveal(await openWords(plain, never))).toBe(reveal(words))
  const sealed = await storeWallet(home, 'sealed', words, passphrase, random)
  expect(reveal(await openWords(sealed, () => Promise.resolve(passphrase)))).toBe(reveal(words))
  const wrong = openWords(sealed, () => Promise.resolve(new Secret('zug um zug')))
  await expect(wrong).rejects.toMatchObject({ code: 'config.passphrase' })
  expect(readFileSync(sealed.path, 'utf8')).not.toContain(reveal(words).split(' ').slice(0, 2).join(' '))
  expect(inspect(sealed)).not.toContain(reveal(words).split(' ')[0])
})

test('a passphrase is the same however a keyboard spells its letters', async () => {
  const stored = await storeWallet(home, 'composed', words, new Secret('Mu\u0308nze'), random)
  expect(reveal(await openWords(stored, () => Promise.resolve(new Secret('M\u00fcnze'))))).toBe(reveal(words))
})

describe('a wallet file that was changed', () => {
  const changed = (name: string, from: string, edit: (file: Record<string, unknown>) => object): string => {
    const path = walletPath(home, name)
    writeFileSync(path, JSON.stringify(edit(JSON.parse(readFileSync(walletPath(home, from), 'utf8')))), { mode: 0o600 })
    return name
  }
  const open = async (name: string): Promise<unknown> =>
    openWords(findWallet(home, name) as NonNullable<ReturnType<typeof findWallet>>, () => Promise.resolve(passphrase))

  test('to show another key is refused, sealed or not', async () => {
    const other = { publicKey: '11'.repeat(32) }
    await expect(open(changed('a', 'plain', (f) => ({ ...f, ...other })))).rejects.toThrow(
      /of another key than it says/,
    )
    await expect(open(changed('b', 'sealed', (f) => ({ ...f, ...other })))).rejects.toMatchObject({
      code: 'config.passphrase',
    })
  })

  test('in its box is refused', async () => {
    const name = changed('c', 'sealed', (f) => {
      const sealed = f['sealed'] as { box: string }
      return { ...f, sealed: { ...sealed, box: `${sealed.box.slice(0, -1)}${sealed.box.endsWith('0') ? '1' : '0'}` } }
    })
    await expect(open(name)).rejects.toMatchObject({ code: 'config.passphrase' })
  })

  test('to ask for more memory than a machine has is refused before any is taken', () => {
    const name = changed('d', 'sealed', (f) => ({ ...f, sealed: { ...(f['sealed'] as object), n: 2 ** 30 } }))
    expect(() => findWallet(home, name)).toThrow(/sealed\.n is wrong; restore it from its words/)
  })
})

test('words are read as people type them, and refused when they cannot be a wallet’s', async () => {
  const list = reveal(words).split(' ')
  const typed = list.map((word, i) => `${i + 1}. ${word.toUpperCase()}`).join('\n')
  expect(reveal(await parseWords(typed))).toBe(reveal(words))
  await expect(parseWords(list.slice(1).join(' '))).rejects.toThrow('a wallet has 24 words, these are 23')
  await expect(parseWords([...list.slice(1), 'cocoon'].join(' '))).rejects.toThrow(/do not fit together/)
})

test('a name cannot leave the folder', () => {
  for (const name of ['../keys/client', 'a/b', '', 'A', '.hidden', 'a'.repeat(33)])
    expect(() => walletPath(home, name)).toThrow(/a wallet's name has/)
})
