import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Address, clientStateInit, digestOf, ownCodes, type RootParams } from '../../../chain/index.ts'
import { NANO_PER_TON } from '../../../util/index.ts'
import { openContractList } from './contract-list.ts'

const at = (byte: number): Address => new Address(0, Buffer.alloc(32, byte))
const params: RootParams = {
  structVersion: 4,
  paramsVersion: 3,
  uniqueId: 1,
  isTest: true,
  pricePerToken: 20n,
  workerFeePerToken: 18n,
  multipliers: { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 },
  proxyDelayBeforeCloseS: 600,
  clientDelayBeforeCloseS: 300,
  minProxyStakeNano: NANO_PER_TON,
  minClientStakeNano: NANO_PER_TON,
  codes: ownCodes(),
}
const proxy = { contract: at(1), ownContract: at(2), publicKey: new Uint8Array(32).fill(3) }
const freshPath = (): string => join(mkdtempSync(join(tmpdir(), 'cocoon-contracts-')), 'client', 'contracts.json')

test('contracts are found again with the parameters they were made with, until they are closed', () => {
  const path = freshPath()
  const list = openContractList(path)
  list.add({ proxy, params })
  list.add({ proxy: { ...proxy, ownContract: at(9) }, params })
  list.remove(at(9))
  const [found, ...more] = openContractList(path).all()
  expect(more).toEqual([])
  expect(found?.proxy.ownContract.equals(at(2))).toBe(true)
  const who = { owner: at(4), proxy: at(1), proxyPublicKey: proxy.publicKey }
  const before = clientStateInit(params, who)
  const after = clientStateInit(found?.params as RootParams, who)
  expect(digestOf(after.data)).toEqual(digestOf(before.data))
  expect(digestOf(after.code)).toEqual(digestOf(before.code))
})

test('a damaged list is refused: money may be in contracts that it names', () => {
  const path = freshPath()
  openContractList(path).add({ proxy, params })
  writeFileSync(path, '{"contracts":[{}]}')
  expect(() => openContractList(path)).toThrowError(expect.objectContaining({ code: 'config.contract-list' }))
})
