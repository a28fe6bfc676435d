/** The in-process client on a network on TON: it deposits, proves itself, pays, comes back, and takes the rest out. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Address, clientState, formatAddress } from '../../src/chain/index.ts'
import { type CocoonClient, createClient, type CreateClientOptions } from '../../src/sdk/index.ts'
import { type ChainTestNetwork, startChainNetwork, type TestProxy, TON } from '../support/chain-network.ts'
import { bookEverything } from '../support/conservation.ts'
import { until } from '../support/network.ts'
import { HELLO, openaiAt } from '../support/openai.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let engine: ScriptedEngine
let network: ChainTestNetwork
let proxy: TestProxy
const folder = mkdtempSync(join(tmpdir(), 'cocoon-sdk-chain-'))
const owner = new Address(0, Buffer.alloc(32, 0x77))

const optionsFor = (byte: string, name: string): CreateClientOptions => ({
  network: 'devnet',
  rootContractAddress: formatAddress(network.root, true),
  endpoints: [`${network.url}/api/v2`],
  wallet: { key: byte.repeat(32), ownerAddress: owner.toRawString(), statePath: join(folder, name) },
})
const walletOf = (cocoon: CocoonClient): Address => Address.parse(cocoon.status().owner)
const hello = (cocoon: CocoonClient) =>
  openaiAt('http://cocoon/v1', cocoon.fetch).chat.completions.create(HELLO).withResponse()
async function contractOf(wallet: Address) {
  const { data } = await network.access.getAccount(proxy.clientContract(wallet.toRawString()))
  return data === null ? null : clientState.loadCell(data)
}

beforeAll(async () => {
  engine = await startScriptedEngine(answerChat(['one', ' two', ' three']))
  network = await startChainNetwork({ engineUrl: engine.url })
  proxy = await network.startProxy(1)
  await network.startWorker(1)
  await until(() => proxy.node.status().workers.some((w) => w.enabled), 'a worker is enabled', 60_000)
})
afterAll(async () => {
  await network?.close()
  await engine?.close()
  rmSync(folder, { recursive: true, force: true })
})

test('an empty wallet is told what it needs; with TON it deposits, asks, and pays what the answer says', async () => {
  await using cocoon = createClient(optionsFor('17', 'first'))
  const wallet = walletOf(cocoon)
  await until(
    () => /holds 0 TON and needs .*: send it/.test(cocoon.status().proxies[0]?.lastFailure ?? ''),
    'it says so',
    60_000,
  )
  await network.faucet(wallet, 20n * TON)
  await cocoon.ready(AbortSignal.timeout(120_000))
  expect(await contractOf(wallet)).toMatchObject({ balance: 2n * TON, stake: 2n * TON })
  const { data, response } = await hello(cocoon)
  expect(data.choices[0]?.message.content).toBe('one two three')
  const cost = await cocoon.costOf(response)
  expect(cost?.costNano).toBe(8n * 1_000_000n)
  await until(async () => (await contractOf(wallet))?.tokensUsed === 8n, 'it is charged', 60_000)
  expect((await contractOf(wallet))?.balance).toBe(2n * TON - (cost?.costNano ?? 0n))
  expect(statSync(join(folder, 'first', 'client.secret')).mode & 0o777).toBe(0o600)
})

test('a client that comes back is known by its secret, and neither deposits nor registers again', async () => {
  await using cocoon = createClient(optionsFor('17', 'first'))
  const wallet = walletOf(cocoon)
  const before = await network.balanceOf(wallet)
  await cocoon.ready(AbortSignal.timeout(60_000))
  expect((await hello(cocoon)).response.status).toBe(200)
  expect(await network.balanceOf(wallet)).toBe(before)
})

test('a second client with the same folder is refused while the first one runs', async () => {
  await using first = createClient(optionsFor('17', 'first'))
  await first.ready(AbortSignal.timeout(60_000))
  await using second = createClient(optionsFor('17', 'first'))
  await expect(second.ready()).rejects.toMatchObject({
    code: 'config.locked',
    message: expect.stringContaining('one at a time pays from a wallet'),
  })
  const answer = await second.fetch('http://cocoon/v1/models')
  expect(await answer.json()).toMatchObject({ error: { code: 'config.locked' } })
})

test('a key of another wallet in the folder of this one is refused with what to bring back', async () => {
  await using cocoon = createClient(optionsFor('18', 'first'))
  await expect(cocoon.ready()).rejects.toMatchObject({ code: 'config.other-wallet' })
})

test('a root contract that is not there, and an endpoint that is down, are told with their names', async () => {
  const nowhere = { ...optionsFor('17', 'second'), rootContractAddress: owner.toRawString() }
  await using lost = createClient(nowhere)
  await expect(lost.ready()).rejects.toMatchObject({ code: 'chain.no-root' })
  await using down = createClient({
    ...optionsFor('17', 'third'),
    endpoints: ['http://127.0.0.1:1/api/v2'],
    connectWaitMs: 100,
  })
  await expect(down.ready(AbortSignal.timeout(8_000))).rejects.toMatchObject({
    code: 'capacity.no-proxy',
    message: expect.stringContaining('the network is not known yet: 127.0.0.1:1: no connection'),
  })
  const answer = await down.fetch('http://cocoon/v1/models')
  expect([answer.status, await answer.json()]).toMatchObject([503, { error: { code: 'capacity.no-proxy' } }])
  expect(down.status()).toMatchObject({ enabled: false, proxies: [] })
})

test('a client that leaves has the rest in its wallet', async () => {
  const cocoon = createClient(optionsFor('17', 'first'))
  const wallet = walletOf(cocoon)
  await cocoon.ready(AbortSignal.timeout(60_000))
  const before = await network.balanceOf(wallet)
  await cocoon.leave()
  await until(async () => (await contractOf(wallet))?.state === 'closed', 'it is closed', 60_000)
  await until(async () => (await network.balanceOf(wallet)) > before + TON, 'the rest is back', 60_000)
  await cocoon.close()
})

test('the example deposits, answers, tells the cost, takes the rest out and ends by itself', async () => {
  const keyFile = join(folder, 'example.key')
  writeFileSync(keyFile, `${'19'.repeat(32)}\n`, { mode: 0o600 })
  const { wallet } = optionsFor('19', 'example') as { wallet: NonNullable<CreateClientOptions['wallet']> }
  const funded = createClient({ ...optionsFor('19', 'unused'), wallet: { ...wallet, topUp: false } })
  await network.faucet(walletOf(funded), 20n * TON)
  await funded.close()
  const example = new URL('../../examples/on-chain.ts', import.meta.url).pathname
  const ran = await new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const env = {
      PATH: process.env['PATH'],
      COCOON_KEY_FILE: keyFile,
      COCOON_OWNER: owner.toRawString(),
      COCOON_ROOT: network.root.toRawString(),
      COCOON_TON_ENDPOINTS: `${network.url}/api/v2`,
    }
    const child = execFile(
      process.execPath,
      ['--conditions=cocoon-source', example, 'devnet', '--leave'],
      { env, cwd: folder, timeout: 120_000 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    )
  })
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  expect(ran.stdout).toMatch(
    /^the wallet that pays: \S+\ntest-model: one two three\ncost: 8000000 nanoTON for 8 tokens\nthe rest .*\n$/,
  )
  expect(ran.stdout).not.toContain('19'.repeat(32))
  expect(readFileSync(join(folder, 'cocoon-wallet', 'client.secret'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
  await network.quiet()
  const { mintedNano, heldNano, burnedNano } = await bookEverything(network.access, network.minted)
  expect(mintedNano - heldNano - burnedNano).toBe(0n)
})
