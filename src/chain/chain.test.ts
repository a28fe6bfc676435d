import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beginCell } from '@ton/core'
import { expect, test } from 'vitest'
import { fromHex, toHex } from '../util/index.ts'
import {
  Address,
  type CellDigest,
  clientContractAddress,
  digestCell,
  digestOf,
  formatAddress,
  isSignatureValid,
  parseAddress,
  parseNetworkFile,
  proxyContractAddress,
  type RootParams,
  signingKeyFromSeed,
  signPayment,
  verifyPayment,
  workerContractAddress,
} from './index.ts'

const vectors = JSON.parse(readFileSync(new URL('../../spec/vectors/chain/addresses.json', import.meta.url), 'utf8'))
const key = signingKeyFromSeed(new Uint8Array(32).fill(1))
const account = (byte: number): Address => new Address(0, Buffer.alloc(32, byte))

test('an address is written non-bounceable, with the testnet bit of its network', () => {
  expect(formatAddress(account(0x11), false)).toBe('UQAREREREREREREREREREREREREREREREREREREREREREbvW')
  expect(formatAddress(account(0x11), true).startsWith('0Q')).toBe(true)
  expect(() => parseAddress('UQnonsense', 'owner')).toThrowError(expect.objectContaining({ code: 'chain.address' }))
})

test('cell digests from bits and children equal those of whole cells', () => {
  const leaf = beginCell().storeUint(5, 13).endCell()
  const whole = beginCell()
    .storeUint(0x1234, 16)
    .storeRef(leaf)
    .storeRef(beginCell().storeRef(leaf).endCell())
    .endCell()
  const digest = digestCell(beginCell().storeUint(0x1234, 16), [
    digestOf(leaf),
    digestCell(beginCell(), [digestOf(leaf)]),
  ])
  expect(toHex(digest.hash)).toBe(toHex(whole.hash()))
  expect(digest.depth).toBe(2)
})

/** The recorded network's code is known by hash only, so its depth is searched for: no other depth can give the address. */
test('contract addresses equal the ones that recorded nodes computed', () => {
  const owner = parseAddress(vectors.proxyOwner, 'owner')
  const publicKey = fromHex(vectors.proxyPublicKey)
  const root = parseAddress(vectors.root, 'root')
  const found = { proxy: false, client: false, worker: false }
  const proxy = parseAddress(vectors.proxyContract, 'proxy')
  const depths = Array.from({ length: 24 }, (_, depth) => depth)
  let [clientDepth, workerDepth] = [-1, -1]
  for (const depth of depths) {
    const params = recordedParams(0, depth, depth)
    const client = clientContractAddress(params, {
      owner: parseAddress(vectors.clientOwner, 'o'),
      proxy,
      proxyPublicKey: publicKey,
    })
    if (formatAddress(client, false) === vectors.clientContract) [found.client, clientDepth] = [true, depth]
    const worker = workerContractAddress(params, {
      owner: parseAddress(vectors.workerOwner, 'o'),
      proxy,
      proxyPublicKey: publicKey,
    })
    if (formatAddress(worker, false) === vectors.workerContract) [found.worker, workerDepth] = [true, depth]
  }
  for (const depth of depths) {
    const params = recordedParams(depth, workerDepth, clientDepth)
    if (formatAddress(proxyContractAddress(params, { owner, publicKey, root }), false) === vectors.proxyContract)
      found.proxy = true
  }
  expect(found).toEqual({ proxy: true, client: true, worker: true })
})

function recordedParams(proxyDepth: number, workerDepth: number, clientDepth: number): RootParams {
  const code = (hash: string, depth: number): CellDigest => ({ hash: fromHex(hash), depth })
  return {
    structVersion: 1,
    paramsVersion: 1,
    uniqueId: 13,
    isTest: true,
    pricePerToken: BigInt(vectors.pricePerToken),
    workerFeePerToken: BigInt(vectors.workerFeePerToken),
    multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
    proxyDelayBeforeCloseS: 600,
    clientDelayBeforeCloseS: 300,
    minProxyStakeNano: 1_000_000_000n,
    minClientStakeNano: 1_000_000_000n,
    codes: {
      proxy: code(vectors.codes.proxy, proxyDepth),
      worker: code(vectors.codes.worker, workerDepth),
      client: code(vectors.codes.client, clientDepth),
    },
  }
}

const worked = {
  signature:
    'f6a475eb2a406e503985265ebe6567dcee775024df2f06c43586767c3fa0b5b6f5d2928ea0bc7cce9424686cac675e06e7ed541c794a784a7cc5fab880db8301',
  payloadHash: 'c185efba91c8378d86f71eac6808ce475c79ed2fc964d84dcf983367b7f9c931',
  data: 'b5ee9c720101020100a90001dbbb63ff9301020304050607088002222222222222222222222222222222222222222222222222222222222222223ed48ebd65480dca0730a4cbd7ccacfb9dceea049be5e0d886b0cecf87f416b6deba5251d4178f99d2848d0d958cebc0dcfdaa838f294f094f98bf57101b70603001006bbb63ff93010203040506070800000000000005dc80088888888888888888888888888888888888888888888888888888888888888890',
}

test('a signed charge has the bytes of the worked example and is verified by its receiver', () => {
  const payment = { kind: 'charge', tokens: 1500n, contract: account(0x44) } as const
  const data = signPayment(payment, key, account(0x11), 0x0102030405060708n)
  expect(toHex(data)).toBe(worked.data)
  expect(isSignatureValid(key.publicKey, fromHex(worked.payloadHash), fromHex(worked.signature))).toBe(true)
  const verified = verifyPayment(data, { kind: 'charge', contract: account(0x44), proxyPublicKey: key.publicKey })
  expect(verified.tokens).toBe(1500n)
})

test.each([
  ['another contract', { kind: 'charge', contract: account(0x45), proxyPublicKey: key.publicKey }],
  ['another kind', { kind: 'payout', contract: account(0x44), proxyPublicKey: key.publicKey }],
  [
    'another key',
    {
      kind: 'charge',
      contract: account(0x44),
      proxyPublicKey: signingKeyFromSeed(new Uint8Array(32).fill(2)).publicKey,
    },
  ],
] as const)('a signed charge is refused for %s', (_, expected) => {
  expect(() => verifyPayment(fromHex(worked.data), expected)).toThrowError(
    expect.objectContaining({ code: 'chain.signed-payment' }),
  )
})

test('no single changed byte of a signed charge is accepted with another total', () => {
  const bytes = fromHex(worked.data)
  for (let i = 0; i < bytes.length; i++) {
    const changed = bytes.slice()
    changed[i] = (changed[i] as number) ^ 0x10
    try {
      // The excesses address is outside the signature by design: the receiver may replace it.
      expect(
        verifyPayment(changed, { kind: 'charge', contract: account(0x44), proxyPublicKey: key.publicKey }).tokens,
      ).toBe(1500n)
    } catch (error) {
      expect(['chain.signed-payment', 'chain.cell']).toContain((error as { code?: string }).code)
    }
  }
})

const owner = formatAddress(account(0x22), false)

test('a network file in the form of the reference loads', () => {
  const file = {
    proxy_hashes: [],
    model_types: ['m'],
    registered_proxies: [{ seqno: 1, address: '[127.0.0.1:11001] 127.0.0.1:11002' }],
    price_per_token: '2',
    worker_fee_per_token: 1,
    version: 3,
    params_version: 1,
    root_owner_address: owner,
    model_names: ['x'],
  }
  const config = parseNetworkFile(JSON.stringify(file), 'net.json')
  expect(config.proxies[0]).toEqual({
    seqno: 1,
    forWorkers: { host: '127.0.0.1', port: 11001 },
    forClients: { host: '127.0.0.1', port: 11002 },
  })
  expect(config.params.pricePerToken).toBe(2n)
  expect(config.modelHashes.has(createHash('sha256').update('m').digest('hex'))).toBe(true)
  expect(config.evidence).toBe('none')
})

test.each([
  ['{', 'not JSON'],
  [JSON.stringify({ root_owner_address: owner, price: 1 }), 'price'],
  [JSON.stringify({ root_owner_address: owner, proxy_hashes: ['ab'] }), 'proxy_hashes.0'],
  [
    JSON.stringify({ root_owner_address: owner, registered_proxies: [{ seqno: 1, address: 'host:1' }] }),
    'registered_proxies.0.address',
  ],
  [JSON.stringify({ root_owner_address: owner, price_per_token: -1 }), 'price_per_token'],
  [JSON.stringify({ root_owner_address: owner, cocoon: { evidence: 'hardware' } }), 'cocoon.evidence'],
  [
    JSON.stringify({ root_owner_address: owner, cocoon: { test_roots: { intel: '00'.repeat(64) } } }),
    'cocoon.test_roots',
  ],
  [
    JSON.stringify({ root_owner_address: owner, cocoon: { evidence: 'real', test_roots: { intel: '00' } } }),
    'cocoon.test_roots.intel',
  ],
])('the network file %s is refused, naming %s', (text, named) => {
  expect(() => parseNetworkFile(text, 'net.json')).toThrowError(
    expect.objectContaining({ code: 'chain.network-file', message: expect.stringContaining(named) }),
  )
})
