/** Registry, wallet and contracts against a real TVM behind the same HTTP API that mainnet has. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address, beginCell, Cell, storeStateInit } from '@ton/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type ChainAccess,
  type ChainRegistry,
  clientContractAddress,
  clientMessages,
  clientState,
  clientStateInit,
  codeCell,
  createChainRegistry,
  createToncenter,
  initialWalletData,
  internalMessage,
  nodeWalletAddress,
  openFileJournal,
  openSender,
  proxyContractAddress,
  proxyStateInit,
  readProxyEvent,
  redirectExcesses,
  type RootConfig,
  rootMessages,
  signingKeyFromSeed,
  signPayment,
  type StateInit,
  storeRootState,
  type WalletSender,
} from '../../src/chain/index.ts'
import { type Devnet, devnetOptions, startDevnet } from '../../src/devnet/index.ts'
import { fromHex, noMetrics, silentLog, systemClock, systemRandom } from '../../src/util/index.ts'

const TON = 1_000_000_000n
const folder = mkdtempSync(join(tmpdir(), 'devnet-chain-'))
const code = (name: string): Cell => {
  const build = JSON.parse(readFileSync(new URL(`../../contracts/build/${name}.json`, import.meta.url), 'utf8'))
  return Cell.fromBoc(Buffer.from(fromHex(build.code)))[0] as Cell
}
const key = signingKeyFromSeed(new Uint8Array(32).fill(5))
const proxyKey = signingKeyFromSeed(new Uint8Array(32).fill(6))
const owner = new Address(0, Buffer.alloc(32, 0x77))
const walletInit = (): StateInit => ({
  code: code('wallet'),
  data: initialWalletData({ owner, publicKey: key.publicKey }),
})
const wallet = nodeWalletAddress({ owner, publicKey: key.publicKey }, codeCell(code('wallet')))
const addressOf = (init: StateInit): Address => new Address(0, stateCell(init).hash())
const stateCell = ({ code: c, data }: StateInit): Cell =>
  beginCell()
    .store(storeStateInit({ code: c, data }))
    .endCell()

/** The wallet owns the root, so that it can change it. */
const rootInit = (): StateInit => ({
  code: code('root'),
  data: storeRootState({
    owner: wallet,
    version: 1,
    proxyHashes: [],
    proxies: [],
    lastProxySeqno: 0,
    workerHashes: [],
    modelHashes: [],
    params: {
      structVersion: 4,
      paramsVersion: 1,
      uniqueId: 239,
      isTest: true,
      pricePerToken: 20n,
      workerFeePerToken: 19n,
      multipliers: { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 },
      proxyDelayBeforeCloseS: 600,
      clientDelayBeforeCloseS: 300,
      minProxyStakeNano: TON,
      minClientStakeNano: TON,
      codes: { proxy: code('proxy'), worker: code('worker'), client: code('client') },
    },
  }),
})

let devnet: Devnet
let access: ChainAccess
let sender: WalletSender
let registry: ChainRegistry

async function faucet(address: Address, amount: bigint, init?: StateInit): Promise<void> {
  const response = await fetch(`${devnet.url}/devnet/faucet`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      address: address.toString(),
      amount: amount.toString(),
      ...(init === undefined ? {} : { stateInit: stateCell(init).toBoc().toString('base64') }),
    }),
  })
  expect(response.status).toBe(200)
}

/** Asks until it is so. */
async function eventually<T>(look: () => Promise<T | null>): Promise<T> {
  for (let i = 0; i < 200; i++) {
    const found = await look()
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('it did not come about')
}

beforeAll(async () => {
  const deps = { clock: systemClock, random: systemRandom, log: silentLog }
  devnet = await startDevnet(devnetOptions.parse({ port: 0, blockIntervalMs: 50 }), deps)
  access = createToncenter(
    { endpoints: [{ url: `${devnet.url}/api/v2`, requestsPerSecond: 1_000 }] },
    { ...deps, metrics: noMetrics },
  )
  await faucet(wallet, 100n * TON)
  await faucet(addressOf(rootInit()), TON, rootInit())
  await eventually(async () => ((await access.getAccount(wallet)).balanceNano > 0n ? true : null))
  await eventually(async () => ((await access.getAccount(addressOf(rootInit()))).status === 'active' ? true : null))
  sender = await openSender(
    { ...deps, metrics: noMetrics, access, journal: await openFileJournal(join(folder, 'sent.jsonl')) },
    { key, owner, code: codeCell(walletInit().code), pollMs: [50, 100] },
  )
  registry = createChainRegistry({
    ...deps,
    reader: access,
    rootAddress: addressOf(rootInit()),
    isTest: true,
    evidence: 'simulated',
    checkHashes: false,
    pollMs: [50, 100],
  })
})

afterAll(async () => {
  registry?.close()
  await sender?.close()
  await devnet?.close()
  rmSync(folder, { recursive: true })
})

test('the wallet deploys itself with its first message, and a proxy that it registers is in the registry', async () => {
  expect((await registry.ready()).proxies).toEqual([])
  const outcome = await sender.send({
    id: 'register-proxy',
    transfers: [
      {
        mode: 1,
        message: internalMessage({
          to: addressOf(rootInit()),
          valueNano: TON / 10n,
          bounce: true,
          body: rootMessages.registerProxy.build({ queryId: 1n, address: '1.2.3.4:5 6.7.8.9:10' }),
        }),
      },
    ],
  })
  expect(outcome).toMatchObject({ result: 'confirmed' })
  const config = await eventually(async () => (registry.current().version > 1 ? registry.current() : null))
  expect(config.proxies).toEqual([
    { seqno: 1, forWorkers: { host: '1.2.3.4', port: 5 }, forClients: { host: '6.7.8.9', port: 10 } },
  ])
  const method = await access.runGetMethod(wallet, 'seqno')
  expect(method.stack[0]).toEqual({ type: 'int', value: 1n })
  expect((await access.masterchainInfo()).seqno).toBeGreaterThan(0)
})

test('proxy and client contracts are deployed, topped up and charged, and the proxy reads it in its history', async () => {
  const config: RootConfig = await registry.ready()
  const who = { owner, publicKey: proxyKey.publicKey, root: config.root as Address }
  const proxy = proxyContractAddress(config.params, who)
  const parties = { owner: wallet, proxy, proxyPublicKey: proxyKey.publicKey }
  const client = clientContractAddress(config.params, parties)
  const to = (at: Address, valueNano: bigint, body: Cell, init?: StateInit) => ({
    mode: 0 as const,
    message: internalMessage({ to: at, valueNano, body, bounce: true, ...(init === undefined ? {} : { init }) }),
  })
  const topUp = clientMessages.topUp.build({ queryId: 2n, amount: 5n * TON, excess: wallet })
  const register = clientMessages.register.build({ queryId: 3n, nonce: 77n, excess: wallet })
  const deployed = await sender.send({
    id: 'deploy',
    transfers: [
      {
        mode: 0,
        message: internalMessage({
          to: proxy,
          valueNano: (3n * TON) / 10n,
          body: Cell.EMPTY,
          bounce: false,
          init: proxyStateInit(config.params, who),
        }),
      },
      to(client, 6n * TON, topUp, clientStateInit(config.params, parties)),
      to(client, TON, register),
    ],
  })
  expect(deployed).toMatchObject({ result: 'confirmed' })

  const reader = { params: config.params, proxy, proxyPublicKey: proxyKey.publicKey, wallet }
  const events = () =>
    access.getTransactions(proxy, { afterLt: 0n, limit: 100 }).then(({ transactions }) =>
      transactions.flatMap(({ inMessage }) => {
        const sent =
          inMessage?.info.type === 'internal' ? readProxyEvent(inMessage.info.src, inMessage.body, reader) : null
        return sent === null ? [] : [sent]
      }),
    )
  const registered = await eventually(async () => {
    const found = (await events()).find((e) => e.kind === 'client' && e.nonce !== null)
    return found ?? null
  })
  expect(registered).toMatchObject({ nonce: 77n, client: { balance: 5n * TON, stake: TON, tokensUsed: 0n } })

  const payment = signPayment({ kind: 'charge', tokens: 1_000n, contract: client }, proxyKey, proxy, 9n)
  const charge = { id: 'charge', transfers: [to(client, (7n * TON) / 10n, redirectExcesses(payment, wallet))] }
  expect(await sender.send(charge)).toMatchObject({ result: 'confirmed' })
  const charged = await eventually(async () => {
    const { data } = await access.getAccount(client)
    const state = data === null ? null : clientState.loadPrefix(data)
    return state !== null && state.tokensUsed > 0n ? state : null
  })
  expect(charged).toMatchObject({ tokensUsed: 1_000n, balance: 5n * TON - 20_000n, state: 'normal' })
  expect(await sender.send(charge)).toMatchObject({ result: 'confirmed' })
  expect(sender.status()).toMatchObject({ waiting: 0, lastError: null })
})

test('a message that the wallet cannot carry is failed, and says which', async () => {
  const outcome = await sender.send({
    id: 'too-much',
    transfers: [
      {
        mode: 1,
        message: internalMessage({ to: owner, valueNano: TON, body: Cell.EMPTY, bounce: false }),
      },
      {
        mode: 1,
        // A workchain that does not exist.
        message: internalMessage({ to: new Address(5, owner.hash), valueNano: TON, body: Cell.EMPTY, bounce: false }),
      },
    ],
  })
  expect(outcome).toMatchObject({ result: 'failed', phase: 'action', delivered: [true, false] })
})
