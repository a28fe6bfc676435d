import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Address } from '../chain/index.ts'
import { loadConfig } from './config.ts'
import { chooseChain, chooseNetwork, rememberRoot } from './network.ts'
import type { Config } from './schema.ts'

let home: string
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'cocoon-network-'))))
afterEach(() => rmSync(home, { recursive: true }))

const configOf = (env: Record<string, string> = {}): Config =>
  loadConfig({ env: { COCOON_HOME: home, ...env }, flags: new Map(), file: file() }).config
/** An empty configuration, so that the folder's own does not count. */
function file(): string {
  const path = join(home, 'cocoon.json')
  writeFileSync(path, '{}')
  return path
}
const root = new Address(0, Buffer.alloc(32, 7))

test('without a word it is the local chain, where the configuration has it', () => {
  const chain = chooseChain(configOf({ COCOON_DEVNET_PORT: '1234', COCOON_DEVNET_HOST: '0.0.0.0' }))
  expect(chain).toMatchObject({ name: 'devnet', root: null, endpoints: [{ url: 'http://127.0.0.1:1234/api/v2' }] })
})

test('the root that was deployed from this folder is found again; one that is given goes before it', () => {
  rememberRoot(home, 'devnet', root)
  expect(chooseChain(configOf()).root?.equals(root)).toBe(true)
  const other = `0:${'99'.repeat(32)}`
  expect(chooseChain(configOf({ COCOON_ROOT_CONTRACT_ADDRESS: other })).root?.toRawString()).toBe(other)
})

test('a root deployed from this folder does not replace that of mainnet', () => {
  const before = chooseChain(configOf({ COCOON_NETWORK: 'mainnet' })).root
  rememberRoot(home, 'mainnet', root)
  expect(chooseChain(configOf({ COCOON_NETWORK: 'mainnet' })).root?.equals(before as Address)).toBe(true)
})

test('a file is a network without a chain, and commands for money say so', () => {
  const path = join(home, 'network.json')
  writeFileSync(path, '{}')
  const config = configOf({ COCOON_NETWORK: path })
  expect(chooseNetwork(config)).toEqual({ kind: 'file', path })
  expect(() => chooseChain(config)).toThrow(/without a chain, so no money is there: choose one with --network mainnet/)
})

test('anything else is refused with what it may be', () => {
  expect(() => chooseNetwork(configOf({ COCOON_NETWORK: 'mainet' }))).toThrow(
    /mainet does not exist: correct --network, which is a file or mainnet, testnet, devnet/,
  )
})

test('a record of a deployment that cannot be read is named', () => {
  mkdirSync(join(home, 'networks'))
  writeFileSync(join(home, 'networks', 'devnet.json'), '{')
  expect(() => chooseNetwork(configOf())).toThrow(/networks\/devnet\.json cannot be read/)
})

test('endpoints and keys come from the configuration, and the keys do not print', () => {
  const chain = chooseChain(
    configOf({
      COCOON_NETWORK: 'mainnet',
      COCOON_TON_ENDPOINTS: 'https://a.example/api/v2,https://b.example/api/v2',
      COCOON_TON_API_KEYS: '{"b.example":"marker-of-a-key"}',
    }),
  )
  expect(chain.endpoints.map((e) => [e.url, e.apiKey === undefined])).toEqual([
    ['https://a.example/api/v2', true],
    ['https://b.example/api/v2', false],
  ])
  expect(JSON.stringify(chain.endpoints)).not.toContain('marker-of-a-key')
})
