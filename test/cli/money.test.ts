/** Commands about money, as users run them, on a real chain: wallet, root, account, earnings; what is refused, and how. */
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Cell, contractAddress } from '@ton/core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  Address,
  carryOut,
  type ChainAccess,
  chainNetwork,
  clientContractAddress,
  clientState,
  deployMissing,
  nodeWalletAddress,
  openChainAccess,
  openFileJournal,
  openSender,
  type OrderDeps,
  ownCode,
  payFrom,
  proxyContractAddress,
  proxyStateInit,
  readRoot,
  redirectExcesses,
  type RootState,
  signingKeyFromSeed,
  signPayment,
  storeRootState,
  type WalletSender,
  workerContractAddress,
  workerStateInit,
} from '../../src/chain/index.ts'
import { type Devnet, devnetOptions, startDevnet } from '../../src/devnet/index.ts'
import { noMetrics, silentLog, systemClock, systemRandom } from '../../src/util/index.ts'
import { talkTo, TON } from '../devnet/support.ts'
import { type Cocoon, cocoonHome, type Ended } from '../support/processes.ts'

// Each of these runs several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 240_000 })

const base = { clock: systemClock, random: systemRandom, log: silentLog, metrics: noMetrics }
const operatorKey = signingKeyFromSeed(new Uint8Array(32).fill(61))
const proxyKey = signingKeyFromSeed(new Uint8Array(32).fill(62))
const cold = new Address(0, Buffer.alloc(32, 0x63))
const PASSPHRASE = 'marker-passphrase-5b1d'

let devnet: Devnet
let cocoon: Cocoon
let access: ChainAccess
let operator: WalletSender
let deps: OrderDeps
let env: Record<string, string>
/** Everything that any command wrote. */
const written: string[] = []

async function run(...args: string[]): Promise<Ended> {
  return runWith({}, ...args)
}
async function runWith(more: Readonly<Record<string, string>>, ...args: string[]): Promise<Ended> {
  const ended = await cocoon.run(args, { ...env, ...more })
  written.push(ended.stdout, ended.stderr)
  return ended
}
/** The one object that `--json` prints, of a command that must succeed. */
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const ended = await run(...args, '--json')
  expect(ended.stderr).not.toContain('error')
  expect(ended.status).toBe(0)
  return JSON.parse(ended.stdout) as Record<string, unknown>
}

beforeAll(async () => {
  devnet = await startDevnet(devnetOptions.parse({ port: 0, blockIntervalMs: 150 }), base)
  cocoon = await cocoonHome()
  env = { COCOON_TON_ENDPOINTS: `${devnet.url}/api/v2`, COCOON_WALLET_PASSPHRASE: PASSPHRASE }
  access = openChainAccess(chainNetwork('devnet', { endpoints: [`${devnet.url}/api/v2`] }), base)
  const code = ownCode('wallet')
  await talkTo(devnet.url).faucet(
    nodeWalletAddress({ owner: cold, publicKey: operatorKey.publicKey }, code),
    100n * TON,
  )
  const journal = await openFileJournal(join(cocoon.home, 'operator.jsonl'))
  operator = await openSender({ ...base, access, journal }, { key: operatorKey, owner: cold, code, pollMs: [50, 100] })
  deps = { reader: access, payer: payFrom(operator), clock: systemClock, random: systemRandom, pollMs: [50, 100] }
})
afterAll(async () => {
  await operator?.close()
  await devnet?.close()
  cocoon?.close()
})

describe('the owner’s wallet', () => {
  test('is made under a passphrase, in a file for its owner only, and never made twice', async () => {
    const made = await json('wallet', 'create')
    expect(made).toMatchObject({ wallet: 'owner', sealed: true, network: 'devnet' })
    const path = join(cocoon.home, 'wallets', 'owner.json')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(path, 'utf8'))).not.toHaveProperty('words')
    const again = await run('wallet', 'create')
    expect(again.status).toBe(2)
    expect(again.stderr).toContain('is left as it is')
  })

  test('gets play money from the devnet, and shows it', async () => {
    expect(await json('wallet', 'faucet', '300')).toMatchObject({ balanceNano: '300000000000' })
    const { wallets } = await json('wallet', 'show')
    expect(wallets).toMatchObject([{ wallet: 'owner', state: 'not deployed', balanceNano: '300000000000' }])
  })

  test('sends what it is told, where it was told, and links to the transaction', async () => {
    const ended = await run('wallet', 'send', cold.toString(), '1.25', '--comment', 'thanks', '--yes')
    expect(ended.stderr).toMatch(new RegExp(`✓ send 1.25 TON {2}${devnet.url}/api/v3/transactions\\?hash=[0-9a-f]{64}`))
    expect(ended.status).toBe(0)
    expect((await access.getAccount(cold)).balanceNano).toBe((125n * TON) / 100n)
    const link = /http\S+hash=\S+/.exec(ended.stderr)?.[0] as string
    const { transactions } = (await (await fetch(link)).json()) as {
      transactions: readonly { in_msg: { value: string } }[]
    }
    expect(transactions[0]?.in_msg.value).toBe('1250000000')
  })

  test('sends nothing without a yes where nobody can be asked', async () => {
    const before = (await access.getAccount(cold)).balanceNano
    const ended = await run('wallet', 'send', cold.toString(), '1')
    expect(ended).toMatchObject({ status: 2 })
    expect(ended.stderr).toContain('add --yes to send')
    expect((await access.getAccount(cold)).balanceNano).toBe(before)
  })

  test('sends nothing that it does not have, and says how much is missing', async () => {
    const ended = await run('wallet', 'send', cold.toString(), '5000', '--yes')
    expect(ended.status).toBe(1)
    expect(ended.stderr).toMatch(
      /holds 298\.\d+ TON and needs 5000\.1: send it at least 4701\.\d+ TON \[chain\.balance\]/,
    )
  })

  test('does not open with another passphrase, and says so', async () => {
    const ended = await runWith({ COCOON_WALLET_PASSPHRASE: 'wrong' }, 'wallet', 'send', cold.toString(), '1', '--yes')
    expect(ended.status).toBe(2)
    expect(ended.stderr).toContain('the passphrase does not open')
  })

  test('goes into a backup file of mode 0600, and comes back from it elsewhere with the same address', async () => {
    const file = join(cocoon.home, 'words.txt')
    expect((await run('wallet', 'backup')).stderr).toContain('--to FILE')
    expect((await run('wallet', 'backup', '--show')).stderr).toContain('terminal only')
    expect((await run('wallet', 'backup', '--to', file)).status).toBe(0)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect((await run('wallet', 'backup', '--to', file)).stderr).toContain('is left as it is')
    const restored = await json('wallet', 'restore', '--from', file, '--no-passphrase', '--name', 'twin')
    const twin = await json('wallet', 'show', '--name', 'twin')
    expect(twin).toMatchObject({ wallets: [{ address: restored['address'], state: 'active' }] })
    const words = readFileSync(file, 'utf8').trim().split(' ')
    writeFileSync(file, [words[1], words[0], ...words.slice(2)].join(' '))
    const wrong = await run('wallet', 'restore', '--from', file, '--name', 'third')
    expect(wrong.stderr).toMatch(/do not fit together|there is a wallet/)
    expect(wrong.status).toBe(2)
  })

  test.skipIf(process.platform === 'win32')(
    'that others may read is refused, with the command that mends it',
    async () => {
      const path = join(cocoon.home, 'wallets', 'twin.json')
      chmodSync(path, 0o644)
      const ended = await run('wallet', 'show', '--name', 'twin')
      expect(ended.status).toBe(2)
      expect(ended.stderr).toContain(`run: chmod 600 ${path}`)
    },
  )
})

describe('a root contract', () => {
  test('is not deployed by a dry run', async () => {
    const before = await json('wallet', 'show')
    const planned = await json('root', 'deploy', '--client-delay', '1')
    expect(planned).toMatchObject({ dryRun: true, isDeployed: false })
    expect(await json('wallet', 'show')).toEqual(before)
    expect((await run('root', 'show')).stderr).toContain('no root contract is known for devnet')
  })

  test('is deployed, and found from then on', async () => {
    const deployed = await json('root', 'deploy', '--yes', '--client-delay', '15', '--min-client-stake', '2')
    const shown = await json('root', 'show')
    expect(shown).toMatchObject({
      root: deployed['root'],
      version: 1,
      proxies: [],
      params: { pricePerToken: '20', isTest: true },
    })
    expect((await run('root', 'show')).stdout).toMatch(/closing +proxy after 86400 s, client after 15 s/)
  })

  test('registers, allows and prices only with --yes', async () => {
    for (const args of [
      ['register-proxy', '10.1.1.1:1 10.1.1.1:2'],
      ['allow', 'model', 'qwen3'],
      ['allow', 'worker-image', 'ab'.repeat(32)],
      ['price', '40', '30'],
    ]) {
      if (args[0] === 'price') expect(await json('root', ...args)).toMatchObject({ dryRun: true, changes: [{}] })
      const done = await json('root', ...args, '--yes')
      expect(done).toMatchObject({ done: [{ url: expect.stringContaining(devnet.url) }] })
    }
    expect(await json('root', 'show')).toMatchObject({
      version: 5,
      proxies: [{ seqno: 1, address: '10.1.1.1:1 10.1.1.1:2' }],
      workerImages: ['ab'.repeat(32)],
      params: { pricePerToken: '40', workerFeePerToken: '30', paramsVersion: 2 },
    })
  })

  test('becomes what a file says, and then differs from it in nothing', async () => {
    const file = join(cocoon.home, 'wish.json')
    writeFileSync(
      file,
      JSON.stringify({
        proxies: ['10.1.1.1:1 10.1.1.1:2', '10.1.1.3:5'],
        models: ['qwen3'],
        pricePerTokenNano: 20,
        workerFeePerTokenNano: 18,
        workerImages: [],
      }),
    )
    const planned = await run('root', 'diff', file)
    expect(planned.stdout).toContain('would change price 40 nanoTON → 20 nanoTON, worker fee 30 nanoTON → 18 nanoTON')
    expect(planned.stdout).toContain('Nothing was sent: this was a dry run. Add --yes to send.')
    expect((await json('root', 'diff', file, '--yes'))['changes']).toHaveLength(3)
    expect((await json('root', 'diff', file))['changes']).toEqual([])
    await json('root', 'unregister-proxy', '2', '--yes')
    await json('root', 'disallow', 'model', 'qwen3', '--yes')
    expect(await json('root', 'show')).toMatchObject({ proxies: [{ seqno: 1 }], models: [] })
  })

  test.each([
    [['register-proxy', 'example.org:1'], 'is no proxy address'],
    [['unregister-proxy', '7'], 'no proxy 7 is registered'],
  ])('refuses %j and says why', async (args, why) => {
    const ended = await run('root', ...args, '--yes')
    expect(ended.stderr).toContain(why)
    expect(ended.status).toBe(2)
  })

  test('of another owner is not changed', async () => {
    const state = await readRoot(access, rootAddress())
    const foreign = { ...rootDraft(state), owner: cold }
    const address = await deployRootData(storeRootState(foreign))
    const ended = await run('root', 'price', '5', '5', '--yes', '--root-contract-address', address.toString())
    expect(ended.status).toBe(1)
    expect(ended.stderr).toMatch(/obeys .* only, and this wallet is .* \[chain\.not-owner\]/)
  })

  test('in a layout that is newer than this release is refused with “update”', async () => {
    const state = await readRoot(access, rootAddress())
    const draft = rootDraft(state)
    const data = storeRootState({ ...draft, params: { ...draft.params, structVersion: 6 } })
    const address = await deployRootData(data)
    const ended = await run('root', 'show', '--root-contract-address', address.toString())
    expect(ended.status).toBe(1)
    expect(ended.stderr).toMatch(/struct version 6; this release knows versions up to 5: update it/)
  })

  test('of a real network is refused on a test network, whatever is asked of it', async () => {
    const draft = rootDraft(await readRoot(access, rootAddress()))
    const address = await deployRootData(storeRootState({ ...draft, params: { ...draft.params, isTest: false } }))
    const ended = await run('root', 'show', '--root-contract-address', address.toString())
    expect(ended.status).toBe(1)
    expect(ended.stderr).toMatch(/is for a real network, and this is devnet: correct --network/)
  })

  test('that is not there is named with its network', async () => {
    const ended = await run('root', 'show', '--root-contract-address', cold.toString())
    expect(ended).toMatchObject({ status: 1 })
    expect(ended.stderr).toContain('there is no root contract at')
  })
})

describe('an account with a proxy', () => {
  let proxy: Address
  let client: Address
  let root: RootState
  const account = (...args: string[]) => json('account', ...args, '--proxy', proxy.toString())
  beforeAll(async () => {
    root = await readRoot(access, rootAddress())
    const who = { owner: operator.address, publicKey: proxyKey.publicKey, root: rootAddress() }
    proxy = proxyContractAddress(root.params, who)
    const init = proxyStateInit(root.params, who)
    await deployMissing(deps, [{ label: 'proxy', address: proxy, init, valueNano: TON / 2n }])
  })

  test('is not there, and says how to open one', async () => {
    expect(await account('show')).toMatchObject({
      accounts: [{ state: 'not opened', isCurrent: true, balanceNano: '0' }],
    })
    const ended = await run('account', 'withdraw', '--proxy', proxy.toString())
    expect(ended.status).toBe(1)
    expect(ended.stderr).toContain('`cocoon account top-up` opens one')
  })

  test('is opened by the first top-up, which the owner’s wallet pays', async () => {
    const paid = await account('top-up', '7')
    expect(paid).toMatchObject({ state: 'normal', balanceNano: '7000000000', stakeNano: '2000000000', done: [{}] })
    const { wallets } = await json('wallet', 'show')
    const wallet = Address.parse(
      (wallets as readonly { wallet: string; address: string }[]).find((w) => w.wallet === 'client')?.address as string,
    )
    const parties = { owner: wallet, proxy, proxyPublicKey: proxyKey.publicKey }
    client = clientContractAddress(root.params, parties)
    expect(Address.parse(paid['contract'] as string).equals(client)).toBe(true)
    const { data } = await access.getAccount(client)
    expect(clientState.loadPrefix(data as Cell)).toMatchObject({ balance: 7n * TON, state: 'normal' })
  })

  test('obeys the owner through the client’s wallet, once that is deployed', async () => {
    const early = await run('account', 'stake', '3', '--proxy', proxy.toString())
    expect(early.stderr).toContain('deploy it with `cocoon wallet fund client 2`')
    await json('wallet', 'fund', 'client', '2')
    expect(await account('stake', '3')).toMatchObject({ stakeNano: '3000000000', balanceNano: '7000000000' })
    const lower = await run('account', 'stake', '2.5', '--proxy', proxy.toString())
    expect(lower.stderr).toContain('can only be raised')
  })

  test('pays with the client’s own key as well', async () => {
    expect(await account('top-up', '0.5', '--from', 'node')).toMatchObject({ balanceNano: '7500000000' })
  })

  test('shows what the proxy has charged, and pays out what is above the stake', async () => {
    const charge = signPayment({ kind: 'charge', tokens: 50_000_000n, contract: client }, proxyKey, proxy, 1n)
    await carryOut(deps, [
      { label: 'charge', to: client, valueNano: TON / 2n, body: redirectExcesses(charge, operator.address) },
    ])
    const { accounts } = await account('show')
    expect(accounts).toMatchObject([{ balanceNano: '6500000000', tokensUsed: '50000000' }])
    expect(await account('withdraw')).toMatchObject({ balanceNano: '3000000000', stakeNano: '3000000000' })
    const nothing = await run('account', 'withdraw', '--proxy', proxy.toString())
    expect(nothing.stderr).toContain('is not above the stake')
  })

  test('is closed by its owner without the proxy, and the money is in the client’s wallet', async () => {
    const closed = await account('close', '--wait')
    expect(closed).toMatchObject({ state: 'closed', balanceNano: '0' })
    const { wallets } = await json('wallet', 'show')
    const before = (wallets as readonly { wallet: string; balanceNano: string }[]).find((w) => w.wallet === 'client')
    expect(BigInt(before?.balanceNano ?? 0)).toBeGreaterThan(7n * TON)
    const again = await run('account', 'top-up', '1', '--proxy', proxy.toString())
    expect(again.stderr).toContain('an account that was closed stays so')
  })

  test('that its proxy refunds while its owner waits is closed all the same', async () => {
    // The same key under another owner is another wallet, and another account.
    const other = { COCOON_CLIENT_OWNER_ADDRESS: operator.address.toString() }
    const asOther = async (...args: string[]): Promise<Record<string, unknown>> => {
      const ended = await runWith(other, ...args, '--json')
      expect(ended).toMatchObject({ status: 0 })
      return JSON.parse(ended.stdout) as Record<string, unknown>
    }
    await asOther('wallet', 'faucet', '9', '--for', 'client')
    const opened = await asOther('account', 'top-up', '4', '--from', 'node', '--proxy', proxy.toString())
    const contract = Address.parse(opened['contract'] as string)
    const closing = asOther('account', 'close', '--wait', '--from', 'node', '--proxy', proxy.toString())
    for (;;) {
      const { data } = await access.getAccount(contract)
      if (clientState.loadPrefix(data as Cell).state === 'closing') break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const refund = signPayment({ kind: 'refund', tokens: 0n, contract }, proxyKey, proxy, 3n)
    await carryOut(deps, [
      { label: 'refund', to: contract, valueNano: TON / 2n, body: redirectExcesses(refund, operator.address) },
    ])
    expect(await closing).toMatchObject({ state: 'closed', done: [{ order: 'begin to close the account' }] })
  })

  test('a blocked key of the client’s wallet pays nothing, and its owner takes everything back', async () => {
    await json('wallet', 'block', 'client')
    const ended = await run('wallet', 'send', cold.toString(), '1', '--from', 'client', '--yes')
    expect(ended.stderr).toContain('its owner has blocked the key')
    await json('wallet', 'sweep', 'client')
    const { wallets } = await json('wallet', 'show')
    expect(wallets).toMatchObject([
      { wallet: 'owner' },
      { wallet: 'client', balanceNano: '10000000', note: expect.stringContaining('blocked') },
    ])
    await json('wallet', 'unblock', 'client')
  })

  test('with something that is no proxy contract of this network is refused', async () => {
    for (const [address, why] of [
      [cold.toString(), 'is no contract'],
      [operator.address.toString(), 'is no proxy contract'],
    ]) {
      const ended = await run('account', 'show', '--proxy', address as string)
      expect(ended.status).toBe(1)
      expect(ended.stderr).toContain(why)
    }
  })

  test('needs a proxy to be named where no client runs', async () => {
    const ended = await run('account', 'show')
    expect(ended.status).toBe(2)
    expect(ended.stderr).toContain('give the proxy’s contract with --proxy')
  })

  describe('earnings of a worker with it', () => {
    test('are what was paid out, and what a running worker counts beyond', async () => {
      const owner = new Address(0, Buffer.alloc(32, 0x64))
      const parties = { owner, proxy, proxyPublicKey: proxyKey.publicKey }
      const contract = workerContractAddress(root.params, parties)
      const init = workerStateInit(root.params, parties)
      await deployMissing(deps, [{ label: 'worker', address: contract, init, valueNano: TON / 2n }])
      const payout = signPayment({ kind: 'payout', tokens: 10_000_000n, contract }, proxyKey, proxy, 2n)
      await carryOut(deps, [
        { label: 'payout', to: contract, valueNano: TON / 2n, body: redirectExcesses(payout, operator.address) },
      ])
      const fee = root.params.workerFeePerToken
      const flags = ['--proxy', proxy.toString(), '--json'] as const
      const idle = await runWith({ COCOON_WORKER_OWNER_ADDRESS: owner.toString() }, 'earnings', ...flags)
      expect(JSON.parse(idle.stdout)).toMatchObject({
        paidNano: `${10_000_000n * fee}`,
        proxies: [{ owedTokens: null }],
      })
      expect((await access.getAccount(owner)).balanceNano).toBe(10_000_000n * fee)

      // In the place of a worker's operations endpoint: what it says of its accounts, and nothing else.
      const status = {
        role: 'worker',
        accounts: [
          {
            proxyContract: proxy.toString(),
            contract: contract.toString(),
            signedTokens: '12000000',
            tokens: 15_000_000,
          },
        ],
      }
      const server = http.createServer((_, reply) => void reply.end(JSON.stringify(status))).listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      const port = String((server.address() as AddressInfo).port)
      const running = await runWith(
        { COCOON_WORKER_OWNER_ADDRESS: owner.toString(), COCOON_WORKER_HTTP_PORT: port },
        'earnings',
        '--json',
      )
      server.close()
      expect(JSON.parse(running.stdout)).toMatchObject({
        paidNano: `${10_000_000n * fee}`,
        owedNano: `${5_000_000n * fee}`,
        signedNano: `${2_000_000n * fee}`,
      })
    })
  })
})

describe('what is in the way', () => {
  test('an endpoint that is down is named, and nothing is lost', async () => {
    const ended = await runWith(
      { COCOON_TON_ENDPOINTS: 'http://127.0.0.1:9/api/v2' },
      'wallet',
      'send',
      cold.toString(),
      '1',
      '--yes',
    )
    expect(ended.status).toBe(1)
    expect(ended.stderr).toContain('127.0.0.1:9: no connection [chain.unavailable]')
  })

  test('a network file has no money, and mainnet has no address for test networks', async () => {
    const file = join(cocoon.home, 'network.json')
    writeFileSync(file, '{}')
    const none = await run('wallet', 'show', '--network', file)
    expect(none.status).toBe(2)
    expect(none.stderr).toContain('a network without a chain')
    const testOnly = cold.toString({ testOnly: true })
    const wrong = await run('wallet', 'send', testOnly, '1', '--yes', '--network', 'mainnet')
    expect(wrong.status).toBe(2)
    expect(wrong.stderr).toContain('an address for test networks')
  })

  test('a key in a command line is not even an option', async () => {
    const ended = await run('wallet', 'show', '--wallet-passphrase', 'x')
    expect(ended.status).toBe(2)
    expect(ended.stderr).toContain('unknown option')
  })

  test.each([['wallet', 'send'], ['account', 'close'], ['root', 'deploy'], ['earnings']])(
    'help of %s says what it does',
    async (...command) => {
      const ended = await run(...command, '--help')
      expect(ended.status).toBe(0)
      expect(ended.stdout).toMatch(/^Usage: cocoon/)
    },
  )
})

test('no words, no passphrase and no seed of any key were ever written by a command, or to a journal', () => {
  const keys = readdirSync(join(cocoon.home, 'keys')).map((name) =>
    readFileSync(join(cocoon.home, 'keys', name), 'utf8').trim(),
  )
  const twin = JSON.parse(readFileSync(join(cocoon.home, 'wallets', 'twin.json'), 'utf8')) as { words: string }
  const journals = join(cocoon.home, 'sent')
  const sent = readdirSync(journals, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => readFileSync(join(journals, name), 'utf8'))
  expect(keys.length).toBeGreaterThan(0)
  expect(sent.length).toBeGreaterThan(1)
  const everything = [...written, ...sent].join('\n')
  for (const secret of [PASSPHRASE, ...keys, twin.words, twin.words.split(' ').slice(0, 4).join(' ')])
    expect(everything).not.toContain(secret)
})

function rootAddress(): Address {
  const { root } = JSON.parse(readFileSync(join(cocoon.home, 'networks', 'devnet.json'), 'utf8')) as { root: string }
  return Address.parse(root)
}

function rootDraft(state: RootState): Parameters<typeof storeRootState>[0] {
  const { codes, ...numbers } = state.params
  const cells = {
    proxy: codes.proxy.cell ?? null,
    worker: codes.worker.cell ?? null,
    client: codes.client.cell ?? null,
  }
  return {
    owner: state.owner,
    version: 1,
    proxyHashes: [],
    proxies: [],
    lastProxySeqno: 0,
    workerHashes: [],
    modelHashes: [],
    params: { ...numbers, codes: cells },
  }
}

async function deployRootData(data: Cell): Promise<Address> {
  const init = { code: ownCode('root').cell, data }

  const address = contractAddress(0, init)

  await deployMissing(deps, [{ label: 'root', address, init, valueNano: TON / 2n }])
  return address
}
