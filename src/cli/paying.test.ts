import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cell } from '@ton/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  Address,
  carryOut,
  type ChainAccess,
  chainNetwork,
  type ChainNetwork,
  openChainAccess,
  payFrom,
} from '../chain/index.ts'
import { type Devnet, devnetOptions, startDevnet } from '../devnet/index.ts'
import { NANO_PER_TON as TON, noMetrics, silentLog, systemClock, systemRandom } from '../util/index.ts'
import { askFaucet, devnetId } from './faucet.ts'
import { loadNodeWallet, type NodeWallet } from './keys.ts'
import { openNodeSender } from './paying.ts'
import { takeProcessLock } from '../disk/index.ts'

const deps = { clock: systemClock, random: systemRandom, log: silentLog, metrics: noMetrics }
const owner = new Address(0, Buffer.alloc(32, 9))
let home: string
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'cocoon-paying-'))))
afterEach(() => rmSync(home, { recursive: true }))

describe('a lock', () => {
  const taken = (pid: number): string => `taken by ${pid}`
  test('is for one at a time, says who has it, and is free when given back', () => {
    const path = join(home, 'a', 'lock')
    const release = takeProcessLock(path, taken)
    expect(() => takeProcessLock(path, taken)).toThrow(`taken by ${process.pid}`)
    release()
    takeProcessLock(path, taken)()
  })

  test('of a process that was killed is free', async () => {
    const path = join(home, 'lock')
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    const [, start] = (await readLockOf(child.pid as number)) as [string, string]
    writeFileSync(path, `${child.pid} ${start}\n`)
    expect(() => takeProcessLock(path, taken)).toThrow(`taken by ${child.pid}`)
    child.kill('SIGKILL')
    await once(child, 'exit')
    takeProcessLock(path, taken)()
  })

  test.skipIf(process.platform !== 'linux')('of a process whose number another one has now is free', () => {
    const path = join(home, 'lock')
    writeFileSync(path, `${process.ppid} 1\n`)
    takeProcessLock(path, taken)()
  })

  async function readLockOf(pid: number): Promise<readonly string[]> {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return ['', stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string]
    } catch {
      return ['', 'unknown']
    }
  }
})

describe('on a local chain', () => {
  let devnet: Devnet
  let network: ChainNetwork
  let access: ChainAccess
  beforeAll(async () => {
    devnet = await startDevnet(devnetOptions.parse({ port: 0, blockIntervalMs: 40 }), deps)
    network = chainNetwork('devnet', { endpoints: [`${devnet.url}/api/v2`] })
    access = openChainAccess(network, deps)
  })
  afterAll(() => devnet.close())
  const wallet = (): NodeWallet => loadNodeWallet(home, 'client', owner, systemRandom)

  test('a new wallet pays from 0.1 TON on, its journal is for its owner only, and no second process may pay from it', async () => {
    await askFaucet(network, access, wallet().address, 3n * TON)
    const sender = await openNodeSender(home, network, wallet(), { ...deps, access })
    await expect(openNodeSender(home, network, wallet(), { ...deps, access })).rejects.toMatchObject({
      code: 'config.locked',
      message: expect.stringContaining('stop that node first'),
    })
    const plain = { label: 'give', to: owner, valueNano: TON, body: Cell.EMPTY, bounce: false }
    await carryOut({ ...deps, reader: access, payer: payFrom(sender), pollMs: network.pollMs }, [plain])
    expect((await access.getAccount(owner)).balanceNano).toBe(TON)
    const lock = join(home, 'sent', `devnet-${await devnetId(network)}`)
    expect(statSync(lock).mode & 0o077).toBe(0)
    await sender.close()
    await (await openNodeSender(home, network, wallet(), { ...deps, access })).close()
  })

  test('what was paid on a local chain that is gone is not taken for paid on the next one', async () => {
    const give = async (on: ChainNetwork): Promise<bigint> => {
      const there = openChainAccess(on, deps)
      await askFaucet(on, there, wallet().address, 3n * TON)
      const sender = await openNodeSender(home, on, wallet(), { ...deps, access: there })
      const to = new Address(0, Buffer.alloc(32, 0x21))
      // The same order from the same state: only the chain differs.
      const order = { label: 'give', to, valueNano: TON, body: Cell.EMPTY, bounce: false }
      await carryOut({ ...deps, reader: there, payer: payFrom(sender), pollMs: on.pollMs }, [order])
      await sender.close()
      return (await there.getAccount(to)).balanceNano
    }
    expect(await give(network)).toBe(TON)
    const next = await startDevnet(devnetOptions.parse({ port: 0, blockIntervalMs: 40 }), deps)
    try {
      expect(await give(chainNetwork('devnet', { endpoints: [`${next.url}/api/v2`] }))).toBe(TON)
    } finally {
      await next.close()
    }
  })

  test('a faucet is refused where money is money, and one that is not there is named', async () => {
    await expect(askFaucet(chainNetwork('mainnet'), access, owner, TON)).rejects.toThrow(
      /nobody mints money on mainnet/,
    )
    const gone = chainNetwork('devnet', { endpoints: ['http://127.0.0.1:1/api/v2'] })
    await expect(askFaucet(gone, access, owner, TON)).rejects.toThrow(/start `cocoon devnet`/)
  })
})
