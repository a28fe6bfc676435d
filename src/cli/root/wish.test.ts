import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { delayOf, listEntryOf, proxyAddressOf, readWish, wholeNumber } from './wish.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-wish-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (content: unknown): string => {
  const path = join(folder, 'wish.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const HASH = 'AB'.repeat(32)

test('a file may say everything, and amounts and hashes mean what they say', () => {
  const wish = readWish(
    file({
      proxies: ['10.0.0.1:1'],
      proxyImages: [HASH],
      models: ['qwen3', HASH],
      pricePerTokenNano: '20',
      minClientStakeTon: 1.5,
      contracts: 'own',
    }),
  )
  expect(wish).toMatchObject({
    proxies: ['10.0.0.1:1'],
    proxyHashes: [HASH.toLowerCase()],
    modelHashes: [createHash('sha256').update('qwen3').digest('hex'), HASH.toLowerCase()],
    terms: { pricePerToken: 20n, minClientStakeNano: 1_500_000_000n },
  })
  expect(wish.codes).toBeDefined()
  expect(wish).not.toHaveProperty('workerHashes')
})

test('what a file does not name is not touched', () => {
  expect(readWish(file({}))).toEqual({ terms: {} })
})

describe('a file is refused, and its field named, for', () => {
  test.each<[string, unknown, string]>([
    ['a field that is none', { proxys: [] }, 'proxys'],
    ['a proxy that is no address', { proxies: ['example.org:1'] }, 'proxies.0'],
    ['a hash that is too short', { workerImages: ['ab'] }, 'workerImages.0: must be 64 hex digits'],
    ['a price below nothing', { pricePerTokenNano: -1 }, 'pricePerTokenNano'],
    ['a delay that the contract refuses', { clientDelayBeforeCloseS: 2_592_001 }, 'clientDelayBeforeCloseS'],
    ['a stake in words', { minProxyStakeTon: 'much' }, 'minProxyStakeTon: must be TON'],
    ['no JSON', '{', 'wish.json'],
  ])('%s', (_, content, why) => {
    expect(() => readWish(file(content))).toThrow(why)
  })
})

test.each<[string, () => unknown, string]>([
  ['a kind of list', () => listEntryOf('disk', HASH), 'none of worker-image, proxy-image and model'],
  ['the hash of an image', () => listEntryOf('proxy-image', 'qwen3'), '64 hex digits'],
  ['a proxy’s address', () => proxyAddressOf('[::1]:5'), 'is no proxy address'],
  ['a number', () => wholeNumber('1e3', '--price', 10n ** 6n), 'must be a whole number up to 1000000, not "1e3"'],
  ['a delay', () => delayOf('2592001', '--client-delay'), '--client-delay must be a whole number up to 2592000'],
])('%s is checked on the command line', (_, run, why) => {
  expect(run).toThrow(why)
})

test('a model is named or hashed, an image is a hash', () => {
  expect(listEntryOf('model', HASH)).toEqual({ list: 'model', hash: HASH.toLowerCase() })
  expect(listEntryOf('worker-image', HASH)).toEqual({ list: 'worker', hash: HASH.toLowerCase() })
})
