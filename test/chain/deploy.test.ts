/** A network of one's own on a real TVM: deployed, changed, interrupted, asked for what contracts refuse. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cell } from '@ton/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  Address,
  carryOut,
  type ChainAccess,
  chainNetwork,
  changeRoot,
  clientContractAddress,
  clientMessages,
  clientState,
  clientStateInit,
  deployMissing,
  deployRoot,
  fundMissing,
  initialWalletData,
  type NewRoot,
  nodeWalletAddress,
  openChainAccess,
  openFileJournal,
  openSender,
  type OrderDeps,
  ownCode,
  payFrom,
  payThroughWallet,
  planRootChanges,
  proxyContractAddress,
  proxyStateInit,
  proxyText,
  readRoot,
  rootStateInit,
  type RootWish,
  signingKeyFromSeed,
  type WalletSender,
} from '../../src/chain/index.ts'
import { type Devnet, devnetOptions, startDevnet } from '../../src/devnet/index.ts'
import { noMetrics, silentLog, systemClock, systemRandom } from '../../src/util/index.ts'
import { talkTo, TON } from '../devnet/support.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-deploy-'))
const key = signingKeyFromSeed(new Uint8Array(32).fill(41))
const cold = new Address(0, Buffer.alloc(32, 0x42))
const code = ownCode('wallet')
const base = { clock: systemClock, random: systemRandom, log: silentLog, metrics: noMetrics }

let devnet: Devnet
let access: ChainAccess
let sender: WalletSender
let deps: OrderDeps

const reopen = async (): Promise<WalletSender> =>
  openSender(
    { ...base, access, journal: await openFileJournal(join(folder, 'sent.jsonl')) },
    { key, owner: cold, code, pollMs: [30, 60] },
  )

const newRoot = (uniqueId: number): NewRoot => ({
  owner: sender.address,
  isTest: true,
  uniqueId,
  terms: {
    pricePerToken: 20n,
    workerFeePerToken: 18n,
    proxyDelayBeforeCloseS: 600,
    clientDelayBeforeCloseS: 300,
    minProxyStakeNano: TON,
    minClientStakeNano: TON,
  },
})
const hash = (byte: number): string => byte.toString(16).padStart(2, '0').repeat(32)
const PROXY = '10.0.0.1:5222 10.0.0.1:8888'
const wish: RootWish = {
  proxies: [PROXY],
  proxyHashes: [hash(1)],
  workerHashes: [hash(2), hash(3)],
  modelHashes: [hash(4)],
  terms: { pricePerToken: 30n },
}

beforeAll(async () => {
  devnet = await startDevnet(devnetOptions.parse({ port: 0, blockIntervalMs: 40 }), base)
  access = openChainAccess(chainNetwork('devnet', { endpoints: [`${devnet.url}/api/v2`] }), base)
  await talkTo(devnet.url).faucet(nodeWalletAddress({ owner: cold, publicKey: key.publicKey }, code), 200n * TON)
  await new Promise((resolve) => setTimeout(resolve, 300))
  sender = await reopen()
  deps = { reader: access, payer: payFrom(sender), clock: systemClock, random: systemRandom, pollMs: [30, 60] }
})
afterAll(async () => {
  await sender?.close()
  await devnet?.close()
  rmSync(folder, { recursive: true })
})

describe('a root contract', () => {
  let root: Address
  test('is deployed where it was computed, and a second time costs nothing', async () => {
    root = await deployRoot(deps, newRoot(1))
    expect(root.equals(rootStateInit(newRoot(1)).address)).toBe(true)
    const before = (await access.getAccount(sender.address)).balanceNano
    expect((await deployRoot(deps, newRoot(1))).equals(root)).toBe(true)
    expect((await access.getAccount(sender.address)).balanceNano).toBe(before)
    expect(await readRoot(access, root)).toMatchObject({
      version: 1,
      proxies: [],
      params: { isTest: true, structVersion: 4 },
    })
  })

  test('is brought to what is wished, and then there is nothing to do', async () => {
    expect((await planRootChanges(deps, root, wish)).map((c) => c.do)).toEqual([
      'change-price',
      'allow',
      'allow',
      'allow',
      'allow',
      'register-proxy',
    ])
    const stages: string[] = []
    const { results } = await changeRoot({ ...deps, onProgress: (p) => stages.push(p.stage) }, root, wish)
    expect(results).toHaveLength(6)
    expect(stages.filter((s) => s === 'done')).toHaveLength(6)
    const state = await readRoot(access, root)
    expect(state.proxies.map(proxyText)).toEqual([PROXY])
    expect([...state.workerHashes].toSorted()).toEqual([hash(2), hash(3)])
    expect(state).toMatchObject({
      version: 7,
      params: { pricePerToken: 30n, workerFeePerToken: 18n, paramsVersion: 2 },
    })
    expect(await changeRoot(deps, root, wish)).toEqual({ changes: [], results: [] })
  })

  test('what is no longer wished goes', async () => {
    await changeRoot(deps, root, { ...wish, proxies: ['10.0.0.2:1'], workerHashes: [hash(3)] })
    const state = await readRoot(access, root)
    expect(state.proxies.map(proxyText)).toEqual(['10.0.0.2:1 10.0.0.2:1'])
    expect([...state.workerHashes]).toEqual([hash(3)])
  })

  test('a registration whose waiting was interrupted is not made twice when it is given again', async () => {
    const address = '10.0.0.3:1 10.0.0.3:2'
    const interrupt = new AbortController()
    const stopping = {
      ...deps,
      signal: interrupt.signal,
      onProgress: ({ stage }: { stage: string }) => void (stage === 'sent' && interrupt.abort(new Error('enough'))),
    }
    await expect(changeRoot(stopping, root, { proxies: [address] })).rejects.toThrow('enough')
    await changeRoot(deps, root, { proxies: [address] })
    // Whatever the first order still had to do has been done by now: later orders stand behind it.
    await changeRoot(deps, root, { modelHashes: [] })
    const { proxies, lastProxySeqno } = await readRoot(access, root)
    expect(proxies.map(proxyText)).toEqual([address])
    expect(lastProxySeqno).toBe(3)
  })

  test('refuses a fee above the price, in words and with the number, and stays as it was', async () => {
    const before = await readRoot(access, root)
    await expect(changeRoot(deps, root, { terms: { workerFeePerToken: 31n } })).rejects.toMatchObject({
      code: 'chain.order-failed',
      info: { exitCode: 1101 },
      message: expect.stringContaining('the price may not be 0 nor below the fee'),
    })
    expect((await readRoot(access, root)).version).toBe(before.version)
  })

  test('of somebody else is not even asked', async () => {
    const other = { ...deps, payer: { ...deps.payer, address: cold } }
    await expect(changeRoot(other, root, { modelHashes: [hash(9)] })).rejects.toMatchObject({ code: 'chain.not-owner' })
  })

  test('that is not there is named', async () => {
    await expect(readRoot(access, cold)).rejects.toThrow(/there is no root contract at/)
  })
})

test('accounts are filled up once, and not again while they have enough', async () => {
  const poor = { label: 'fund', address: new Address(0, Buffer.alloc(32, 0x51)), atLeastNano: TON, upToNano: 3n * TON }
  expect(await fundMissing(deps, [poor])).toHaveLength(1)
  expect(await fundMissing(deps, [poor])).toEqual([])
  expect((await access.getAccount(poor.address)).balanceNano).toBe(3n * TON)
})

test('an order for an account without a contract comes back, and is no success', async () => {
  const order = {
    label: 'top up',
    to: new Address(0, Buffer.alloc(32, 0x52)),
    valueNano: TON,
    body: clientMessages.topUp.build({ queryId: 1n, amount: 1n, excess: cold }),
  }
  await expect(carryOut(deps, [order])).rejects.toThrow(/top up was refused by .*: there is no contract/)
})

test('an owner’s wallet has a node’s wallet do what only that one may do', async () => {
  const root = await deployRoot(deps, newRoot(2))
  const { params } = await readRoot(access, root)
  const proxyKey = signingKeyFromSeed(new Uint8Array(32).fill(43))
  const who = { owner: cold, publicKey: proxyKey.publicKey, root }
  const proxy = proxyContractAddress(params, who)
  const nodeKey = signingKeyFromSeed(new Uint8Array(32).fill(44))
  const walletParties = { owner: sender.address, publicKey: nodeKey.publicKey }
  const nodeWallet = nodeWalletAddress(walletParties, code)

  const parties = { owner: nodeWallet, proxy, proxyPublicKey: proxyKey.publicKey }
  const client = clientContractAddress(params, parties)
  await deployMissing(deps, [
    { label: 'proxy contract', address: proxy, init: proxyStateInit(params, who), valueNano: (3n * TON) / 10n },
    {
      label: 'node wallet',
      address: nodeWallet,
      init: { code: code.cell, data: initialWalletData(walletParties) },
      valueNano: TON,
    },
    { label: 'client contract', address: client, init: clientStateInit(params, parties), valueNano: TON },
  ])
  const stake = {
    label: 'raise stake',
    to: client,
    valueNano: TON / 2n,
    body: clientMessages.increaseStake.build({ queryId: 1n, newStake: 2n * TON, excess: sender.address }),
  }
  await expect(carryOut(deps, [stake])).rejects.toMatchObject({ info: { exitCode: 1010 } })
  await carryOut({ ...deps, payer: payThroughWallet(sender, nodeWallet) }, [stake])
  const { data } = await access.getAccount(client)
  expect(clientState.loadPrefix(data as Cell).stake).toBe(2n * TON)
})
