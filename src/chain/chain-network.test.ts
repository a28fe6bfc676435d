import { describe, expect, test } from 'vitest'
import { manualClock, noMetrics, Secret, seededRandom, silentLog } from '../util/index.ts'
import { accountUrl, chainNetwork, openChainAccess, openChainRegistry, transactionUrl } from './chain-network.ts'
import { ownCode, ownCodes } from './contracts/own-code.ts'
import { isNetworkName, NETWORKS } from './networks.ts'

const deps = { clock: manualClock(), random: seededRandom(1), log: silentLog, metrics: noMetrics }
const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'nothing'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('mainnet has its root by its name; a root that is given replaces it', () => {
  const own = chainNetwork('mainnet')
  expect(own.root?.toString()).toBe('EQCns7bYSp0igFvS1wpb5wsZjCKCV19MD5AVzI4EyxsnU73k')
  expect(own).toMatchObject({ isTest: false, evidence: 'real', checkHashes: true })
  const other = `0:${'11'.repeat(32)}`
  expect(chainNetwork('mainnet', { root: other }).root?.toRawString()).toBe(other)
})

test('a name is one of three, and nothing that objects inherit', () => {
  expect(['mainnet', 'testnet', 'devnet', 'toString', 'network.json'].map(isNetworkName)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
})

test('a public endpoint is asked once a second, with a key ten times, one on this machine as fast as it goes', () => {
  const [free] = chainNetwork('mainnet').endpoints
  expect(free).toEqual({ url: 'https://toncenter.com/api/v2', requestsPerSecond: 1 })
  const [paid] = chainNetwork('mainnet', { apiKeys: { 'toncenter.com': new Secret('k') } }).endpoints
  expect(paid).toMatchObject({ requestsPerSecond: 10 })
  expect(chainNetwork('devnet').endpoints[0]).toMatchObject({ requestsPerSecond: 1_000 })
  expect(chainNetwork('mainnet', { requestsPerSecond: 3 }).endpoints[0]).toMatchObject({ requestsPerSecond: 3 })
})

test('a key prints as a secret, wherever the network is written', () => {
  const network = chainNetwork('mainnet', { apiKeys: { 'toncenter.com': new Secret('marker-of-a-key') } })
  expect(JSON.stringify(network.endpoints)).not.toContain('marker-of-a-key')
})

describe('what is refused', () => {
  const key = new Secret('k')
  test.each<[string, Parameters<typeof chainNetwork>[1], string]>([
    ['no endpoint at all', { endpoints: [] }, 'config.ton-endpoints'],
    ['an endpoint that is no URL', { endpoints: ['toncenter'] }, 'config.ton-endpoints'],
    ['another protocol', { endpoints: ['ftp://toncenter.com'] }, 'config.ton-endpoints'],
    ['a key in the URL', { endpoints: ['https://toncenter.com/api/v2?api_key=k'] }, 'config.ton-endpoints'],
    ['a key for a host that is not asked', { apiKeys: { 'other.example': key } }, 'config.ton-api-keys'],
    [
      'a key that would travel unencrypted',
      { endpoints: ['http://node.example/api/v2'], apiKeys: { 'node.example': key } },
      'config.ton-api-keys',
    ],
    ['a root that is no address', { root: 'EQ' }, 'chain.address'],
  ])('%s', (_, settings, code) => {
    expect(codeOf(() => chainNetwork('mainnet', settings))).toBe(code)
  })
  test('a registry where no root is known, with the words that mend it', () => {
    const network = chainNetwork('testnet')
    const open = () => openChainRegistry(network, openChainAccess(network, deps), deps, 'simulated')
    expect(open).toThrow(/no root contract is known for testnet: .*--root-contract-address/)
  })
})

test('accounts and transactions are shown by the site of their network, or by the local chain itself', () => {
  const account = chainNetwork('mainnet').root as NonNullable<ReturnType<typeof chainNetwork>['root']>
  expect(accountUrl(chainNetwork('mainnet'), account)).toBe(`https://tonviewer.com/${NETWORKS.mainnet.root}`)
  expect(transactionUrl(chainNetwork('testnet'), 'ab')).toBe('https://testnet.tonviewer.com/transaction/ab')
  expect(accountUrl(chainNetwork('testnet'), account)).toMatch(/^https:\/\/testnet\.tonviewer\.com\/kQ/)
  const local = chainNetwork('devnet', { endpoints: ['http://127.0.0.1:9/api/v2'] })
  expect(transactionUrl(local, 'ab')).toBe('http://127.0.0.1:9/api/v3/transactions?hash=ab')
})

test('the codes that we deploy are three different ones, each as its hash says', () => {
  const { proxy, worker, client } = ownCodes()
  const hashes = [proxy, worker, client, ownCode('root'), ownCode('wallet')].map((c) =>
    Buffer.from(c.hash).toString('hex'),
  )
  expect(new Set(hashes).size).toBe(5)
})
