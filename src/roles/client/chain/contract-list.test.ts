import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  Address,
  clientContractAddress,
  clientStateInit,
  digestOf,
  ownCodes,
  type RootParams,
} from '../../../chain/index.ts'
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
const wallet = at(4)
const publicKey = new Uint8Array(32).fill(3)
const withProxy = (contract: Address) => ({
  contract,
  ownContract: clientContractAddress(params, { owner: wallet, proxy: contract, proxyPublicKey: publicKey }),
  publicKey,
})
const proxy = withProxy(at(1))
const freshPath = (): string => join(mkdtempSync(join(tmpdir(), 'cocoon-contracts-')), 'client', 'contracts.json')

test('contracts are found again with the parameters they were made with, until they are closed', () => {
  const path = freshPath()
  const list = openContractList(path, wallet)
  list.add({ proxy, params })
  list.add({ proxy: withProxy(at(9)), params })
  list.remove(withProxy(at(9)).ownContract)
  const [found, ...more] = openContractList(path, wallet).all()
  expect(more).toEqual([])
  expect(found?.proxy.ownContract.equals(proxy.ownContract)).toBe(true)
  const who = { owner: at(4), proxy: at(1), proxyPublicKey: proxy.publicKey }
  const before = clientStateInit(params, who)
  const after = clientStateInit(found?.params as RootParams, who)
  expect(digestOf(after.data)).toEqual(digestOf(before.data))
  expect(digestOf(after.code)).toEqual(digestOf(before.code))
})

test('a damaged list is refused: money may be in contracts that it names', () => {
  const path = freshPath()
  openContractList(path, wallet).add({ proxy, params })
  writeFileSync(path, '{"contracts":[{}]}')
  expect(() => openContractList(path, wallet)).toThrowError(expect.objectContaining({ code: 'config.contract-list' }))
})

test.skipIf(process.platform !== 'linux')(
  'what a full disk kept from being written is written once there is room',
  () => {
    const path = freshPath()
    const list = openContractList(path, wallet)
    mkdirSync(join(path, '..'))
    symlinkSync('/dev/full', `${path}.${process.pid}.new`)
    expect(() => list.add({ proxy, params })).toThrow('ENOSPC')
    expect(list.all()).toHaveLength(1)
    expect(() => list.save()).toThrow('ENOSPC')
    rmSync(`${path}.${process.pid}.new`)
    list.save()
    expect(openContractList(path, wallet).all()).toHaveLength(1)
  },
)

test('contracts of another wallet are refused with what to bring back', () => {
  const path = freshPath()
  openContractList(path, wallet).add({ proxy, params })
  expect(() => openContractList(path, at(5))).toThrowError(
    expect.objectContaining({
      code: 'config.other-wallet',
      message: expect.stringMatching(/keys\/client\.key.*Bring the former ones back/),
    }),
  )
})
