import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Address, nodeWalletAddress, ownCode, type Registry, signingKeyFromSeed } from '../chain/index.ts'
import { reveal } from '../util/index.ts'
import { type CreateClientOptions, readOptions } from './options.ts'

const WALLET = { key: '17'.repeat(32), ownerAddress: `0:${'22'.repeat(32)}`, statePath: '/nowhere' }
const ROOT = `0:${'33'.repeat(32)}`
const NETWORK = { root_owner_address: `0:${'22'.repeat(32)}` }

describe('a wrong option is refused by its name:', () => {
  test.each<[options: object, code: string, says: string]>([
    [{}, 'config.sdk-option', "'network' must be the path"],
    [{ network: '' }, 'config.sdk-option', "'network' must be the path"],
    [{ network: { root_owner_address: 5 } }, 'chain.network-file', 'root_owner_address'],
    [{ network: '/nowhere/network.json' }, 'chain.network-file', '/nowhere/network.json'],
    [{ network: NETWORK, ownerAddress: 'me' }, 'chain.address', "'ownerAddress'"],
    [{ network: NETWORK, maxRunning: 0 }, 'config.sdk-option', "'maxRunning'"],
    [{ network: NETWORK, proxyConnections: 1.5 }, 'config.sdk-option', "'proxyConnections'"],
    [{ network: NETWORK, connectWaitMs: -1 }, 'config.sdk-option', "'connectWaitMs' must be a whole number"],
    [{ network: NETWORK, closeGraceMs: Number.NaN }, 'config.sdk-option', "'closeGraceMs'"],
    [{ network: NETWORK, wallet: WALLET }, 'config.sdk-option', "'wallet' is for networks on TON"],
    [{ network: NETWORK, endpoints: [] }, 'config.sdk-option', "'endpoints' is for networks on TON"],
    [{ network: 'mainnet' }, 'config.sdk-option', "'wallet' must be given"],
    [{ network: 'testnet', wallet: WALLET }, 'config.sdk-option', "'rootContractAddress' must be given"],
    [
      { network: 'mainnet', wallet: WALLET, ownerAddress: ROOT },
      'config.sdk-option',
      "'ownerAddress' is for networks without money",
    ],
    [
      { network: 'mainnet', wallet: { ...WALLET, key: 'me' } },
      'config.sdk-option',
      "'wallet.key' must be 64 hex digits",
    ],
    [{ network: 'mainnet', wallet: { ...WALLET, statePath: '' } }, 'config.sdk-option', "'wallet.statePath'"],
    [{ network: 'mainnet', wallet: { ...WALLET, ownerAddress: 'me' } }, 'chain.address', "'wallet.ownerAddress'"],
    [
      { network: 'mainnet', wallet: WALLET, endpoints: ['ftp://x'] },
      'config.ton-endpoints',
      'neither http: nor https:',
    ],
    [{ network: NETWORK, batches: {} }, 'config.sdk-option', "'batches.statePath' must be a folder"],
    [
      { network: NETWORK, batches: { statePath: 'x', lines: 5 } },
      'config.sdk-option',
      "'batches.lines' is not an option",
    ],
    [{ network: NETWORK, batches: { statePath: 'x', maxLines: 0 } }, 'config.sdk-option', "'batches.maxLines'"],
    [{ network: NETWORK, maxTokens: 5 }, 'config.sdk-option', "'maxTokens' is not an option"],
  ])('%j', (options, code, says) => {
    const read = (): unknown => readOptions(options as CreateClientOptions)
    expect(read).toThrow(expect.objectContaining({ code, message: expect.stringContaining(says) }))
  })
})

test('without options the defaults are those of the HTTP API', () => {
  const { api, node, secret } = readOptions({ network: NETWORK })
  expect(api).toEqual({
    defaultMaxTokens: 1000,
    defaultMaxCoefficient: 4000,
    defaultTimeoutMs: 120_000,
    maxRunning: 1000,
    maxBodyBytes: 8 << 20,
    maxBufferedBytes: 32 << 20,
    maxUndeliveredBytes: 16 << 20,
  })
  expect(node.proxyConnections).toBe(2)
  expect(secret !== null && reveal(secret)).toBe('')
})

const registryOf = (options: CreateClientOptions): Registry | undefined => {
  const { network } = readOptions(options)
  return network.kind === 'file' ? network.registry : undefined
}

test('on TON the wallet is the owner, its address follows from key and owner, and no key is printed', () => {
  const read = readOptions({ network: 'devnet', rootContractAddress: ROOT, wallet: WALLET, secret: '' })
  const { publicKey } = signingKeyFromSeed(new Uint8Array(32).fill(0x17))
  const owner = Address.parse(WALLET.ownerAddress)
  expect(read.owner.equals(nodeWalletAddress({ owner, publicKey }, ownCode('wallet')))).toBe(true)
  // An empty secret is everybody's: one is made instead.
  expect([read.secret, read.node.isTestnet, read.node.chain.topUp]).toEqual([null, true, true])
  expect(inspect(read, { depth: 9 })).not.toContain(WALLET.key)
  expect(readOptions({ network: 'mainnet', wallet: { ...WALLET, topUp: false } }).node.chain.topUp).toBe(false)
})

test('a network may be a file or its content', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-sdk-'))
  const path = join(folder, 'network.json')
  writeFileSync(path, JSON.stringify(NETWORK))
  const [fromFile, fromObject] = [path, NETWORK].map((network) => registryOf({ network }))
  expect(fromFile?.current().owner.equals(fromObject?.current().owner as Address)).toBe(true)
  fromFile?.close()
  rmSync(folder, { recursive: true })
})
