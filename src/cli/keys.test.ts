import { chmodSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Address, signingKeyFromSeed } from '../chain/index.ts'
import { fromHex, seededRandom, toHex } from '../util/index.ts'
import { findKey, keyPath, loadKey, loadNodeWallet, nodeWallet } from './keys.ts'
import { readPrivateFile, writePrivateFile } from '../disk/index.ts'

let home: string
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'cocoon-keys-'))))
afterEach(() => rmSync(home, { recursive: true }))
const random = seededRandom(3)
const owner = new Address(0, Buffer.alloc(32, 9))

describe.skipIf(process.platform === 'win32')('on a system with permissions', () => {
  test('a new key and its folder are for their owner only', () => {
    loadKey(home, 'client', random)
    expect(statSync(keyPath(home, 'client')).mode & 0o777).toBe(0o600)
    expect(statSync(join(home, 'keys')).mode & 0o777).toBe(0o700)
  })

  test.each([0o640, 0o604, 0o660, 0o644])('a key with mode %o is refused, with the command that mends it', (mode) => {
    loadKey(home, 'client', random)
    chmodSync(keyPath(home, 'client'), mode)
    expect(() => loadKey(home, 'client', random)).toThrow(`chmod 600 ${keyPath(home, 'client')}`)
  })
})

test('the same key comes back, and one key is not another’s', () => {
  const first = loadKey(home, 'proxy', random)
  expect(loadKey(home, 'proxy', random).publicKey).toEqual(first.publicKey)
  expect(loadKey(home, 'proxy-wallet', random).publicKey).not.toEqual(first.publicKey)
  expect(findKey(home, 'proxy')?.publicKey).toEqual(first.publicKey)
  expect(findKey(home, 'worker')).toBeNull()
})

test('a key file cut short is refused and left as it is', () => {
  mkdirSync(join(home, 'keys'), { mode: 0o700 })
  writeFileSync(keyPath(home, 'client'), 'abcd\n', { mode: 0o600 })
  expect(() => loadKey(home, 'client', random)).toThrow(/restore it from a backup/)
  expect(readFileSync(keyPath(home, 'client'), 'utf8')).toBe('abcd\n')
})

test('a key that is inspected or turned into JSON does not show its seed', () => {
  const key = loadKey(home, 'client', random)
  const seed = readFileSync(keyPath(home, 'client'), 'utf8').trim()
  for (const shown of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify(key)]) {
    expect(shown).not.toContain(seed)
    expect(shown).not.toContain(Buffer.from(fromHex(seed)).toString('base64'))
  }
  expect(toHex(signingKeyFromSeed(fromHex(seed)).publicKey)).toBe(toHex(key.publicKey))
})

test('a node’s wallet follows from key and owner: another owner is another wallet', () => {
  const wallet = loadNodeWallet(home, 'proxy', owner, random)
  expect(wallet.key.publicKey).toEqual(loadKey(home, 'proxy-wallet', random).publicKey)
  expect(nodeWallet(wallet.key, owner).address.equals(wallet.address)).toBe(true)
  expect(nodeWallet(wallet.key, new Address(0, Buffer.alloc(32, 8))).address.equals(wallet.address)).toBe(false)
})

test('a private file is never overwritten unless that is asked for, and leaves nothing beside it', () => {
  const path = join(home, 'wallets', 'a.json')
  expect(writePrivateFile(path, 'one')).toBe(true)
  expect(writePrivateFile(path, 'two')).toBe(false)
  expect(readPrivateFile(path)).toBe('one')
  expect(writePrivateFile(path, 'three', { replace: true })).toBe(true)
  expect(readPrivateFile(path)).toBe('three')
  expect(readdirSync(join(home, 'wallets'))).toEqual(['a.json'])
})

test('a file that is not there is null, a folder in its place is an error that names it', () => {
  expect(readPrivateFile(join(home, 'none'))).toBeNull()
  mkdirSync(join(home, 'folder'), { mode: 0o700 })
  expect(() => readPrivateFile(join(home, 'folder'))).toThrow(/the key file .*folder cannot be used/)
})
