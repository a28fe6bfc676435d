/** The process dies at any instant: what was acknowledged happens, what was seen stays. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Address } from '@ton/core'
import { expect, onTestFinished, test } from 'vitest'
import { devnetOptions, startDevnet } from '../../src/devnet/index.ts'
import { manualClock, seededRandom, silentLog, systemClock } from '../../src/util/index.ts'
import { boc, call, compileRelay, deploy, relayBody, startLocal, talkTo, TON, tick, v2 } from './support.ts'

/** Kills under load, besides those of a process that is still starting. */
const KILLS = 15
const SEED = 20_261
/** An account without code pays next to nothing for the minutes of a test, in nanoTON. */
const STORAGE = 10_000n
/** The least there is: snapshots are being written most of the time. */
const JOURNAL_BYTES = 64 * 1024

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'devnet-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function spawnChild(folder: string): ChildProcess {
  return spawn(
    process.execPath,
    [fileURLToPath(new URL('child.ts', import.meta.url)), folder, String(JOURNAL_BYTES), '5'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
}

async function startChild(folder: string): Promise<{ process: ChildProcess; url: string }> {
  const child = spawnChild(folder)
  let errors = ''
  child.stderr?.on('data', (chunk) => (errors += chunk))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk) => resolve(String(chunk).trim()))
    child.once('exit', (code) => reject(new Error(`the chain ended with ${code}: ${errors}`)))
  })
  return { process: child, url }
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Seen {
  readonly workchain: number
  readonly seqno: number
  readonly root_hash: string
}

test(`killed ${KILLS} times under load (seed ${SEED}): nothing acknowledged is lost or done twice, no block that was seen changes`, async () => {
  const folder = newFolder()
  const random = seededRandom(SEED)
  const relay = await compileRelay()
  const [left, right] = [relay(1), relay(2)]
  const ticks = new Set<string>()
  const paid = new Map<string, bigint>()
  /** Sent, but the process died before it answered: each may count or not. */
  const unsure = { ticks: 0, paid: new Map<string, bigint>() }
  const pay = (to: Map<string, bigint>, address: Address): void => {
    to.set(address.toRawString(), (to.get(address.toRawString()) ?? 0n) + TON)
  }
  let nonce = 0
  let seen: Seen | null = null

  for (let round = 0; round <= KILLS; round++) {
    if (round % 4 === 3) {
      const starting = spawnChild(folder)
      await sleep(200 + Math.floor(random.fraction() * 600))
      await kill(starting)
    }
    const { process: child, url } = await startChild(folder)
    onTestFinished(() => void child.kill('SIGKILL'))
    const local = talkTo(url)
    if (round === 0) {
      await deploy(local, left, 1_000n * TON)
      await deploy(local, right, 1_000n * TON)
    }
    if (seen !== null) {
      const { seqno } = seen as Seen
      expect(await v2(url, 'lookupBlock', { workchain: -1, seqno })).toMatchObject(seen)
    }
    await local.settle()
    const counted = (await local.client.runMethod(left.address, 'counted')).stack.readNumber()
    expect(counted).toBeGreaterThanOrEqual(ticks.size)
    expect(counted).toBeLessThanOrEqual(ticks.size + unsure.ticks)
    for (const [address, amount] of paid) {
      const balance = await local.client.getBalance(Address.parseRaw(address))
      expect(balance).toBeGreaterThan(amount - STORAGE)
      expect(balance).toBeLessThanOrEqual(amount + (unsure.paid.get(address) ?? 0n))
    }
    for (const hash of [...ticks].slice(-50)) {
      const found = await call(url, `/api/v3/transactionsByMessage?${new URLSearchParams({ msg_hash: hash })}`)
      expect(found.body).toMatchObject({ transactions: [{ in_msg: { hash } }] })
    }
    if (round === KILLS) {
      await kill(child)
      break
    }

    let isOver = false
    const load = async (): Promise<void> => {
      while (!isOver) {
        const n = ++nonce
        const account = new Address(0, Buffer.alloc(32, n % 16))
        const kind = n % 4
        try {
          if (kind === 0) {
            await local.faucet(account, TON)
            pay(paid, account)
          } else if (kind === 1) {
            await local.faucet(left.address, TON, { body: boc(relayBody(3, right.address)) })
          } else {
            const message = tick(left, n)
            const sent = await call(url, '/api/v2/sendBoc', { boc: boc(message) })
            if (sent.status === 200) ticks.add(message.hash().toString('base64'))
          }
        } catch {
          if (kind === 0) pay(unsure.paid, account)
          else if (kind > 1) unsure.ticks++
          return
        }
        const info = await v2(url, 'getMasterchainInfo', {}).catch(() => null)
        if (info === null) return
        const { workchain, seqno, root_hash } = info.last as Seen
        if (seen === null || seqno > (seen as Seen).seqno) seen = { workchain, seqno, root_hash }
      }
    }
    const callers = Array.from({ length: 4 }, load)
    // Every few of these end in the middle of a replay's snapshot, of a block or of a write.
    await sleep(Math.floor(random.fraction() * 300))
    await kill(child)
    isOver = true
    await Promise.all(callers)
  }
  expect(ticks.size).toBeGreaterThan(KILLS)
}, 300_000)

/** What a process leaves that is killed now. */
function leftBehind(folder: string): string {
  const copy = newFolder()
  cpSync(folder, copy, { recursive: true })
  rmSync(join(copy, 'lock'))
  return copy
}

async function startAt(statePath: string) {
  const options = devnetOptions.parse({ port: 0, blockIntervalMs: 3_600_000, statePath, journalBytes: JOURNAL_BYTES })
  const devnet = await startDevnet(options, { clock: manualClock(), random: seededRandom(1), log: silentLog })
  onTestFinished(() => devnet.close())
  return { devnet, ...talkTo(devnet.url) }
}

test('after a restart balances, transactions, blocks, time and messages under way are the same', async () => {
  const folder = newFolder()
  const relay = await compileRelay()
  const [left, right] = [relay(1), relay(2)]
  const first = await startAt(folder)
  await deploy(first, left)
  await deploy(first, right)
  await first.order('time', { advanceSeconds: 1_000_000 })
  for (let i = 0; i < 20; i++) await call(first.url, '/api/v2/sendBoc', { boc: boc(tick(left, i)) })
  await first.order('mine')
  await first.faucet(left.address, TON, { body: boc(relayBody(4, right.address)) })
  await first.order('mine', { blocks: 2 })
  await call(first.url, '/api/v2/sendBoc', { boc: boc(tick(left, 99)) })

  const look = async (local: { url: string; status(): Promise<Record<string, unknown>> }): Promise<unknown> => {
    const { rssBytes: _, journalBytes: __, ...status } = await local.status()
    const ofAccount = { address: left.address.toString(), limit: 100 }
    return [
      status,
      await v2(local.url, 'getMasterchainInfo', {}),
      await v2(local.url, 'getAddressInformation', ofAccount),
      await v2(local.url, 'getTransactions', ofAccount),
      await v2(local.url, 'getTransactions', { address: right.address.toString() }),
      (await call(local.url, '/api/v3/blocks?limit=1000')).body,
    ]
  }
  const before = await look(first)
  const fromJournal = await startAt(leftBehind(folder))
  expect(await look(fromJournal)).toEqual(before)
  await first.order('snapshot')
  const fromSnapshot = await startAt(leftBehind(folder))
  expect(await look(fromSnapshot)).toEqual(before)
  await first.devnet.close()
  const last = await startAt(folder)
  await last.settle()
  expect((await last.client.runMethod(right.address, 'arrived')).stack.readNumber()).toBe(0)
  expect((await last.client.runMethod(left.address, 'arrived')).stack.readNumber()).toBe(1)
  expect((await last.client.runMethod(left.address, 'counted')).stack.readNumber()).toBe(21)
})

test('a record that was cut off is left out, a damaged one in the middle is refused by name', async () => {
  const folder = newFolder()
  const address = new Address(0, Buffer.alloc(32, 1))
  const first = await startAt(folder)
  await first.faucet(address, TON)
  await first.order('mine')
  await first.faucet(address, TON)
  const journalOf = (at: string): string =>
    join(at, readdirSync(at).find((file) => file.startsWith('journal.')) as string)

  const cut = leftBehind(folder)
  truncateSync(journalOf(cut), readFileSync(journalOf(cut)).length - 7)
  const second = await startAt(cut)
  await second.settle()
  expect(await second.client.getBalance(address)).toBe(TON)

  const damaged = leftBehind(folder)
  const bytes = readFileSync(journalOf(damaged))
  bytes[20] = (bytes[20] as number) ^ 1
  writeFileSync(journalOf(damaged), bytes)
  await expect(startAt(damaged)).rejects.toMatchObject({ code: 'chain.devnet-state' })
})

test('two processes do not share a state folder; one that died does not keep it', async () => {
  const folder = newFolder()
  const first = await startAt(folder)
  await expect(startAt(folder)).rejects.toMatchObject({ code: 'config.devnet-locked' })
  await first.devnet.close()
  const { process: child } = await startChild(folder)
  await kill(child)
  expect(readdirSync(folder)).toContain('lock')
  const again = await startAt(folder)
  expect((await again.status()).seqno).toBeGreaterThan(0)
})

test('without a state folder nothing is written, and a snapshot is refused', async () => {
  const local = await startLocal({}, systemClock)
  await expect(local.order('snapshot')).rejects.toThrow('statePath')
})
