/** A client and a proxy as processes on a chain: what they refuse at the start, how their accounts are closed, what their operator can do. */
import { chmodSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  Address,
  clientState,
  formatAddress,
  NETWORKS,
  nodeWalletAddress,
  ownCode,
  proxyState,
  signingKeyFromSeed,
} from '../../src/chain/index.ts'
import { call } from '../devnet/support.ts'
import { type ChainTestNetwork, startChainNetwork, type TestProxy, TON } from '../support/chain-network.ts'
import { startLyingEndpoint } from '../support/lying-endpoint.ts'
import { until } from '../support/network.ts'
import { type Cocoon, cocoonHome, type Ended, type Started } from '../support/processes.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

// Each of these runs several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const owner = new Address(0, Buffer.alloc(32, 0x51))
const seeds = { client: 0x52, 'proxy-wallet': 0x53, proxy: 0x54 } as const
const walletOf = (name: 'client' | 'proxy-wallet', of = owner): Address => {
  const { publicKey } = signingKeyFromSeed(new Uint8Array(32).fill(seeds[name]))
  return nodeWalletAddress({ owner: of, publicKey }, ownCode('wallet'))
}

let engine: ScriptedEngine
let network: ChainTestNetwork
let proxy: TestProxy
let cocoon: Cocoon
let env: Record<string, string>

const keyFile = (name: string): string => join(cocoon.home, 'keys', `${name}.key`)
const writeKey = (name: string, byte: number): void =>
  writeFileSync(keyFile(name), `${byte.toString(16).repeat(32)}\n`, { mode: 0o600 })
const run = (...args: string[]): Promise<Ended> => cocoon.run(args, env)
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const ended = await run(...args, '--json')
  expect(ended).toMatchObject({ status: 0 })
  return JSON.parse(ended.stdout) as Record<string, unknown>
}
async function stop({ child, ended }: Started): Promise<void> {
  child.kill('SIGTERM')
  await ended
}
const says = (started: Started, what: RegExp): Promise<void> =>
  until(() => what.test(started.output()), `it says ${what}`, 120_000)

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startChainNetwork({
    engineUrl: engine.url,
    terms: { proxyDelayBeforeCloseS: 20, clientDelayBeforeCloseS: 10 },
  })
  proxy = await network.startProxy(1)
  await network.startWorker(1)
  await until(() => proxy.node.status().workers.some((w) => w.enabled), 'a worker is enabled', 60_000)
  cocoon = await cocoonHome()
  mkdirSync(join(cocoon.home, 'keys'), { mode: 0o700 })
  for (const [name, byte] of Object.entries(seeds)) writeKey(name, byte)
  env = {
    COCOON_NETWORK: 'devnet',
    COCOON_TON_ENDPOINTS: `${network.url}/api/v2`,
    COCOON_ROOT_CONTRACT_ADDRESS: formatAddress(network.root, true),
    COCOON_CLIENT_OWNER_ADDRESS: owner.toRawString(),
    COCOON_PROXY_OWNER_ADDRESS: owner.toRawString(),
    COCOON_CLIENT_PROXY_CONNECTIONS: '1',
    COCOON_CLIENT_CHAIN_POLL_MS: '200',
    COCOON_PROXY_CHAIN_POLL_MS: '200',
    COCOON_PROXY_CHAIN_CHECKPOINT_EVERY_MS: '0',
    COCOON_PROXY_CHAIN_CHECKPOINT_AT_TON: '0',
  }
  for (const wallet of [walletOf('client'), walletOf('proxy-wallet')]) await network.faucet(wallet, 30n * TON)
})
afterAll(async () => {
  cocoon?.close()
  await network?.close()
  await engine?.close()
})

test('doctor says whether the chain answers, is the one that is meant, and goes by the same time', async () => {
  const looks = async (ton: string): Promise<{ readonly verdict: string; readonly what: string }> => {
    const ended = await cocoon.run(['doctor', '--json'], { ...env, COCOON_TON_ENDPOINTS: ton })
    const findings = JSON.parse(ended.stdout) as readonly { about: string; verdict: string; what: string }[]
    return findings.find((one) => one.about === 'chain') ?? { verdict: '', what: '' }
  }
  expect(await looks(`${network.url}/api/v2`)).toMatchObject({
    verdict: 'ok',
    what: expect.stringMatching(/block \d+, \d+ s old/),
  })
  expect(await looks('http://127.0.0.1:1/api/v2')).toMatchObject({
    verdict: 'note',
    what: expect.stringContaining('127.0.0.1:1'),
  })
  const between = await startLyingEndpoint(`${network.url}/api/v2`)
  try {
    between.lie = { zeroState: Buffer.from(NETWORKS.mainnet.zeroState, 'hex').toString('base64') }
    expect(await looks(between.url)).toMatchObject({
      verdict: 'missing',
      what: expect.stringContaining('serves mainnet'),
    })
    between.lie = { clockMs: -7_200_000 }
    expect(await looks(between.url)).toMatchObject({
      verdict: 'missing',
      what: expect.stringMatching(/s ahead of the chain’s/),
    })
  } finally {
    await between.close()
  }
})

describe('a client', () => {
  let client: Started
  const contract = (): Address => proxy.clientContract(walletOf('client').toRawString())
  const onChain = async () => {
    const { data } = await network.access.getAccount(contract())
    return data === null ? null : clientState.loadCell(data)
  }

  test('deposits, and is asked', async () => {
    client = cocoon.start(['client'], env)
    await says(client, /connected to a proxy/)
    const asked = await run('ask', 'Hello?', '--max-tokens', '50')
    expect(asked).toMatchObject({ status: 0 })
    expect((await onChain())?.state).toBe('normal')
    await stop(client)
  })

  test.each([
    [
      'with a damaged list of its contracts',
      () => writeFileSync(join(cocoon.home, 'client', 'contracts-devnet.json'), '{"contracts":[{}]}'),
      /is not a list of contracts: restore it/,
      2,
    ],
    [
      'with another key than its contracts’ wallet has',
      () => writeKey('client', 0x61),
      /belongs to another wallet than .*Bring the former ones back/,
      2,
    ],
    [
      'with a damaged journal of what it has sent',
      () => {
        const folder = join(cocoon.home, 'sent')
        const [chain] = readdirSync(folder)
        const name = readdirSync(join(folder, chain as string)).find((one) => one.endsWith('.jsonl'))
        writeFileSync(join(folder, chain as string, name as string), 'not what was sent\n')
      },
      /cannot read the journal of sent messages/,
      1,
    ],
    [
      'with a root contract that is not on this chain',
      () => void (env['COCOON_ROOT_CONTRACT_ADDRESS'] = formatAddress(owner, true)),
      /there is no root contract at .*: is it the address of this network\?/,
      1,
    ],
  ])('%s does not start, says what to do, and sends nothing', async (_, damage, says, status) => {
    const [home, kept, root] = [cocoon.home, `${cocoon.home}.kept`, env['COCOON_ROOT_CONTRACT_ADDRESS'] as string]
    cpSync(home, kept, { recursive: true })
    const { lastLt } = await network.access.getAccount(walletOf('client'))
    try {
      damage()
      const ended = await run('client')
      expect(ended.stderr).toMatch(says)
      expect(ended.status).toBe(status)
      expect((await network.access.getAccount(walletOf('client'))).lastLt).toBe(lastLt)
    } finally {
      rmSync(home, { recursive: true })
      renameSync(kept, home)
      env['COCOON_ROOT_CONTRACT_ADDRESS'] = root
    }
  })

  test('has its account closed at once by the proxy it runs with, without waiting for the network’s delay', async () => {
    client = cocoon.start(['client'], env)
    await says(client, /connected to a proxy/)
    await until(async () => (await run('account', 'show')).status === 0, 'its account is known', 60_000)
    const before = await network.balanceOf(walletOf('client'))
    const closed = await json('account', 'close')
    // Nothing was ordered by the command: the proxy has signed, and the client has brought it to the contract.
    expect(closed).toMatchObject({ state: 'closed', balanceNano: '0', done: [] })
    expect((await onChain())?.state).toBe('closed')
    await until(async () => (await network.balanceOf(walletOf('client'))) > before + TON, 'the rest is back', 60_000)
    await stop(client)
  })
})

describe('a proxy', () => {
  const ledgers = (): readonly string[] =>
    readdirSync(join(cocoon.home, 'proxy')).filter((name) => name.endsWith('.sqlite'))
  let started: Started

  test('that the network does not list says so, with the command that lists it', async () => {
    started = cocoon.start(['proxy'], env)
    await says(started, /the proxy contract is ready/)
    expect(started.output()).toMatch(/root register-proxy[^\n]*the network lists no proxy with these ports/)
  })

  test('has its stake, its earnings and its end in the hands of its operator', async () => {
    const shown = await json('operator', 'show')
    expect(shown).toMatchObject({ state: 'normal', isCurrent: true, earnedNano: '0', stakeNano: '0' })
    // Its own wallet is in use by the running proxy.
    const busy = await run('operator', 'stake', '2', '--from', 'node')
    expect(busy.stderr).toMatch(/process \d+ pays from the wallet/)
    await stop(started)
    expect(await json('operator', 'stake', '2', '--from', 'node')).toMatchObject({
      stakeNano: '2000000000',
      done: [{}],
    })
    const nothing = await run('operator', 'withdraw', '--from', 'node')
    expect(nothing).toMatchObject({ status: 1 })
    expect(nothing.stderr).toContain('nothing has been earned')
    const stranger = await cocoonHome()
    const made = await stranger.run(['wallet', 'create', '--no-passphrase'], env)
    expect(made.status).toBe(0)
    const refused = await stranger.run(['operator', 'close', '--proxy', shown['contract'] as string], env)
    expect(refused).toMatchObject({ status: 1 })
    expect(refused.stderr).toMatch(/obeys .* only, and this wallet is/)
    stranger.close()
  })

  test.each([
    [
      'with a damaged ledger',
      (path: string) => writeFileSync(path, 'no database at all, and long enough to be looked at as one'.repeat(100)),
      /is not a sound ledger of this proxy: .*Restore the newest backup/,
    ],
    [
      'with a ledger that cannot be written',
      (path: string) => {
        // Whoever may write everything is stopped by a folder in its place.
        if (process.getuid?.() === 0) {
          rmSync(path)
          mkdirSync(path)
        } else chmodSync(path, 0o444)
      },
      /the ledger .* cannot be written .*: make its folder writable and see that the disk has room/,
    ],
  ])('%s does not start, says what to do, and sends nothing', async (_, damage, says) => {
    const [folder, kept] = [join(cocoon.home, 'proxy'), join(cocoon.home, 'kept')]
    const [name] = ledgers()
    cpSync(folder, kept, { recursive: true })
    const { lastLt } = await network.access.getAccount(walletOf('proxy-wallet'))
    try {
      damage(join(folder, name as string))
      const ended = await run('proxy')
      expect(ended.stderr + ended.stdout).toMatch(says)
      expect(ended.status).toBe(2)
      expect((await network.access.getAccount(walletOf('proxy-wallet'))).lastLt).toBe(lastLt)
    } finally {
      rmSync(folder, { recursive: true })
      renameSync(kept, folder)
    }
  })

  test('with another key begins a contract of its own, and signs nothing for the former one', async () => {
    writeKey('proxy', 0x62)
    const other = cocoon.start(['proxy'], env)
    await says(other, /the proxy contract is ready/)
    await says(other, /an old contract of another key or owner is not wound up/)
    expect(ledgers()).toHaveLength(2)
    await stop(other)
    writeKey('proxy', seeds.proxy)
  })

  test('is closed by its owner, who has stake and earnings back after the delay', async () => {
    const home = await cocoonHome()
    const own = { ...env }
    delete own['COCOON_PROXY_OWNER_ADDRESS']
    const asOwner = async (...args: string[]): Promise<Record<string, unknown>> => {
      const ended = await home.run([...args, '--json'], own)
      expect(ended).toMatchObject({ status: 0 })
      return JSON.parse(ended.stdout) as Record<string, unknown>
    }
    await asOwner('wallet', 'create', '--no-passphrase')
    await asOwner('wallet', 'faucet', '40')
    await asOwner('wallet', 'fund', 'proxy', '20')
    const running = home.start(['proxy'], own)
    await says(running, /the proxy contract is ready/)
    const staked = await asOwner('operator', 'stake', '3')
    expect(staked).toMatchObject({ state: 'normal', stakeNano: '3000000000' })
    const ending = asOwner('operator', 'close', '--wait')
    const contract = Address.parse(staked['contract'] as string)
    const stateNow = async () => {
      const { data } = await network.access.getAccount(contract)
      return data === null ? null : proxyState.loadCell(data).state
    }
    await until(async () => (await stateNow()) !== 'normal', 'it is closing', 60_000)
    await call(network.url, '/devnet/time', { advanceSeconds: 20 })
    expect(await ending).toMatchObject({ state: 'closed', stakeNano: '0' })
    const { wallets } = (await asOwner('wallet', 'show')) as {
      wallets: readonly { wallet: string; balanceNano: string }[]
    }
    // 40 TON less 20 for the proxy's wallet, and fees.
    expect(BigInt(wallets.find((w) => w.wallet === 'owner')?.balanceNano ?? 0)).toBeGreaterThan((TON * 196n) / 10n)
    await stop(running)
    home.close()
  })
})
