import { Address, beginCell, Cell } from '@ton/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CocoonError, manualClock, noMetrics, seededRandom, silentLog, toHex } from '../../util/index.ts'
import {
  initialWalletData,
  internalMessage,
  nodeWalletAddress,
  walletState,
  type WalletTransfer,
} from '../contracts/node-wallet.ts'
import { signingKeyFromSeed } from '../ed25519.ts'
import { createScriptedChain, createScriptedEndpoint, type Fault, type ScriptedChain } from '../scripted-chain.ts'
import { createToncenter } from '../toncenter/toncenter.ts'
import type { SendJournal, SendOutcome, SendRecord } from './journal.ts'
import { openSender, type SenderOptions, type WalletSender } from './sender.ts'

const key = signingKeyFromSeed(new Uint8Array(32).fill(7))
const owner = new Address(0, Buffer.alloc(32, 0x99))
const wallet = nodeWalletAddress({ owner, publicKey: key.publicKey })
const TON = 1_000_000_000n

const bodyOf = (id: number): Cell => beginCell().storeUint(0xabcd, 32).storeUint(id, 64).endCell()
const transfer = (id: number, valueNano = TON / 10n): WalletTransfer => ({
  mode: 0,
  message: internalMessage({ to: new Address(0, Buffer.alloc(32, 1)), valueNano, body: bodyOf(id), bounce: true }),
})

/** Keeps what was put, as a disk does, whatever becomes of the sender. */
function memoryJournal(disk: Map<string, SendRecord>): SendJournal {
  return {
    load: () => Promise.resolve([...disk.values()]),
    put: async (record) => void disk.set(record.id, record),
    drop: async (id) => void disk.delete(id),
    close: () => Promise.resolve(),
  }
}

interface World {
  readonly clock: ReturnType<typeof manualClock>
  readonly chain: ScriptedChain
  readonly disk: Map<string, SendRecord>
  /** One for each endpoint; asked at every request. */
  faults: [() => Fault, () => Fault]
  open(options?: Partial<SenderOptions>, urls?: readonly string[]): Promise<WalletSender>
  /** Lets time pass until it is settled. */
  until<T>(promise: Promise<T>, limitS?: number): Promise<T>
}

function createWorld(balance = 100n * TON): World {
  const clock = manualClock(1_777_000_000_000)
  const chain = createScriptedChain(clock)
  chain.set(wallet, { balance, code: bodyOf(0), data: initialWalletData({ owner, publicKey: key.publicKey }) })
  const disk = new Map<string, SendRecord>()
  const late = (run: () => void): void => void clock.after(90_000, run)
  const world: World = {
    clock,
    chain,
    disk,
    faults: [() => 'none', () => 'none'],
    open(options = {}, urls = ['http://one', 'http://two']) {
      const endpoints = urls.map((url) => ({ url, requestsPerSecond: 100 }))
      const scripted = [0, 1].map((i) =>
        createScriptedEndpoint(chain, { fault: () => (world.faults[i] as () => Fault)(), late }),
      )
      const access = createToncenter(
        { endpoints },
        {
          clock,
          random: seededRandom(1),
          log: silentLog,
          metrics: noMetrics,
          post: (request) => (scripted[request.url.includes('one') ? 0 : 1] as (typeof scripted)[0]).post(request),
        },
      )
      const deps = {
        access,
        journal: memoryJournal(disk),
        clock,
        random: seededRandom(2),
        log: silentLog,
        metrics: noMetrics,
      }
      return openSender(deps, { key, owner, ...options })
    },
    async until(promise, limitS = 3_600) {
      let settled = false
      const watched = promise.finally(() => {
        settled = true
      })
      watched.catch(() => {})
      for (let s = 0; s < limitS; s++) {
        for (let i = 0; i < 3 && !settled; i++) await new Promise((resolve) => setImmediate(resolve))
        if (settled) return watched
        clock.advance(1_000)
      }
      throw new Error('nothing came of it')
    },
  }
  return world
}

const timesPaid = (chain: ScriptedChain, id: number): number =>
  chain.paid.filter((p) => p.body === toHex(bodyOf(id).hash())).length

test('a payment is confirmed with its fee, and the wallet paid it once', async () => {
  const world = createWorld()
  const sender = await world.open()
  expect(sender.address.equals(wallet)).toBe(true)
  const outcome = await world.until(sender.send({ id: 'a', transfers: [transfer(1), transfer(2)] }))
  expect(outcome).toMatchObject({ result: 'confirmed', feeNano: 2_000_000n })
  expect(world.chain.paid).toHaveLength(2)
  expect(sender.status()).toMatchObject({ waiting: 0, feesNano: 2_000_000n, seqno: 1 })
  await sender.close()
})

test('an id is paid once, also after a restart, and not used for another payment', async () => {
  const world = createWorld()
  const first = await world.open()
  const outcome = await world.until(first.send({ id: 'a', transfers: [transfer(1)] }))
  expect(await first.send({ id: 'a', transfers: [transfer(1)] })).toEqual(outcome)
  await first.close()
  const second = await world.open()
  expect(await second.send({ id: 'a', transfers: [transfer(1)] })).toEqual(outcome)
  await expect(second.send({ id: 'a', transfers: [transfer(2)] })).rejects.toMatchObject({ code: 'chain.send-id' })
  expect(timesPaid(world.chain, 1)).toBe(1)
})

test('two payments at once have sequence numbers of their own', async () => {
  const world = createWorld()
  const sender = await world.open()
  const both = Promise.all(['a', 'b'].map((id, i) => sender.send({ id, transfers: [transfer(i)] })))
  expect((await world.until(both)).map((o) => o.result)).toEqual(['confirmed', 'confirmed'])
  expect([...world.disk.values()].map((r) => r.attempts.map((a) => a.seqno))).toEqual([[0], [1]])
})

test('a message that the network loses is sent again, and signed anew only when it has expired', async () => {
  const world = createWorld()
  world.faults = [() => 'message lost', () => 'message lost']
  const sender = await world.open({ maxAttempts: 2 })
  const outcome = await world.until(sender.send({ id: 'a', transfers: [transfer(1)] }))
  expect(outcome).toEqual({ result: 'expired', attempts: 2 })
  const [one, two] = world.disk.get('a')?.attempts ?? []
  expect(two?.seqno).toBe(one?.seqno)
  expect((two?.validUntilS ?? 0) - (one?.validUntilS ?? 0)).toBeGreaterThan(300 + 120)
})

test('a wallet whose transfers fail without being counted is judged only when nobody can try again', async () => {
  const world = createWorld()
  world.chain.failTransfers = 'uncounted'
  const sender = await world.open()
  const sent = sender.send({ id: 'a', transfers: [transfer(1)] })
  await expect(world.until(sent, 200)).rejects.toThrow('nothing came of it')
  expect(await world.until(sent)).toMatchObject({ result: 'failed', phase: 'action', exitCode: 37, delivered: [false] })
})

test('a message that failed and then worked counts as paid', async () => {
  const world = createWorld()
  world.chain.failTransfers = 'uncounted'
  const sender = await world.open()
  const sent = sender.send({ id: 'a', transfers: [transfer(1)] })
  await expect(world.until(sent, 60)).rejects.toThrow('nothing came of it')
  world.chain.failTransfers = 'no'
  const boc = world.disk.get('a')?.attempts[0]?.boc as string
  expect(world.chain.apply(Cell.fromBase64(boc))).toBeNull()
  // Two endpoints had carried it to a wallet that does not count what fails: three runs, each paid for.
  expect(await world.until(sent)).toMatchObject({ result: 'confirmed', feeNano: 6_000_000n })
})

test('a wallet that counts a failed message is judged at once', async () => {
  const world = createWorld()
  world.chain.failTransfers = 'counted'
  const sender = await world.open()
  const outcome = await world.until(sender.send({ id: 'a', transfers: [transfer(1)] }), 60)
  expect(outcome).toMatchObject({ result: 'failed', phase: 'action', delivered: [false] })
})

test('a payment is refused before it is signed when the wallet holds too little, and its id stays free', async () => {
  const world = createWorld(5n * TON)
  const sender = await world.open()
  await expect(world.until(sender.send({ id: 'a', transfers: [transfer(1, 6n * TON)] }))).rejects.toMatchObject({
    code: 'chain.balance',
    info: { missingNano: 6n * TON + TON / 10n - 5n * TON },
  })
  expect(world.disk.has('a')).toBe(false)
  expect(await world.until(sender.send({ id: 'a', transfers: [transfer(1)] }))).toMatchObject({ result: 'confirmed' })
})

test('nothing is signed for a wallet that its owner has blocked, and nothing for one below the floor', async () => {
  const world = createWorld(2n * TON)
  const sender = await world.open()
  await expect(world.until(sender.send({ id: 'a', transfers: [transfer(1)] }))).rejects.toMatchObject({
    code: 'chain.balance',
  })
  const data = walletState.storeCell({ seqno: 0, subwallet: 0, publicKey: key.publicKey, status: 1, owner })
  world.chain.set(wallet, { balance: 9n * TON, data })
  await expect(world.until(sender.send({ id: 'b', transfers: [transfer(1)] }))).rejects.toMatchObject({
    code: 'chain.wallet',
  })
})

test('a request whose message was lost has expired when the wallet has no money for another', async () => {
  const world = createWorld()
  world.faults = [() => 'message lost', () => 'message lost']
  const sender = await world.open()
  const sent = sender.send({ id: 'a', transfers: [transfer(1)] })
  await expect(world.until(sent, 60)).rejects.toThrow('nothing came of it')
  world.chain.set(wallet, { balance: TON })
  expect(await world.until(sent)).toMatchObject({
    result: 'expired',
    attempts: 1,
    rejection: expect.stringContaining('holds 1 TON'),
  })
})

test('a journal that cannot be written stops payments before anything is sent', async () => {
  const world = createWorld()
  const sender = await world.open()
  const put = world.disk.set.bind(world.disk)
  let writes = 0
  world.disk.set = (id, record) => {
    // The request is noted, the signed message is not.
    if (++writes > 1) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    return put(id, record)
  }
  await expect(world.until(sender.send({ id: 'a', transfers: [transfer(1)] }))).rejects.toThrow('disk full')
  await expect(sender.send({ id: 'b', transfers: [transfer(2)] })).rejects.toThrow('disk full')
  expect(world.chain.paid).toEqual([])
})

test('a full disk holds payments up and loses none: what was begun is paid once there is room, and once only', async () => {
  const world = createWorld()
  const sender = await world.open()
  const put = world.disk.set.bind(world.disk)
  let isFull = false
  let writes = 0
  world.disk.set = (id, record) => {
    // Every second write finds no room: the signed message, later the outcome.
    isFull = ++writes % 2 === 0
    if (isFull) throw new CocoonError('chain.journal-full', { message: 'the disk is full' })
    return put(id, record)
  }
  expect(await world.until(sender.send({ id: 'a', transfers: [transfer(1)] }))).toMatchObject({ result: 'confirmed' })
  expect(timesPaid(world.chain, 1)).toBe(1)
  expect(writes).toBeGreaterThan(4)
  expect(sender.status()).toMatchObject({ waiting: 0 })
})

test('one endpoint that follows a fork cannot have a payment called off', async () => {
  const world = createWorld()
  // Before the payment, the first endpoint forks away: there, the wallet never moves.
  let forked = false
  world.faults = [() => (forked ? 'fork' : 'none'), () => 'none']
  const sender = await world.open()
  const sent = sender.send({ id: 'a', transfers: [transfer(1)] })
  forked = true
  await expect(world.until(sent, 900)).rejects.toThrow('nothing came of it')
  expect(world.disk.get('a')?.outcome).toBeNull()
  expect(timesPaid(world.chain, 1)).toBeLessThanOrEqual(1)
  forked = false
  expect(await world.until(sent)).toMatchObject({ result: 'confirmed' })
  expect(timesPaid(world.chain, 1)).toBe(1)
})

test('where the only endpoint lies, the truth is believed when it comes, and nothing is paid twice', async () => {
  const world = createWorld()
  world.clock.advance(8_000)
  let fault: Fault = 'none'
  world.faults = [() => fault, () => 'none']
  const sender = await world.open({}, ['http://one'])
  const sent = sender.send({ id: 'a', transfers: [transfer(1)] })
  fault = 'fork'
  // The lie lasts until another message was signed in place of the one that had in truth arrived.
  await expect(world.until(sent, 700)).rejects.toThrow('nothing came of it')
  expect(world.disk.get('a')?.attempts).toHaveLength(2)
  fault = 'none'
  expect(await world.until(sent)).toMatchObject({ result: 'confirmed' })
  expect(timesPaid(world.chain, 1)).toBe(1)
})

const FAULTS: readonly Fault[] = [
  'none',
  'no connection',
  'too many',
  'server error',
  'garbage',
  'wrong shape',
  'answer lost',
  'message lost',
  'message doubled',
  'message late',
  'behind',
]

test('no sequence of faults, crashes and restarts pays twice, or calls paid what was not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.integer(),
        /** How often something goes wrong, of ten. */
        badness: fc.integer({ min: 0, max: 9 }),
        payments: fc.integer({ min: 1, max: 3 }),
        /** Seconds that each life of the sender has. */
        lives: fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 4 }),
        failing: fc.constantFrom('no', 'no', 'uncounted', 'counted'),
        forks: fc.boolean(),
      }),
      async ({ seed, badness, payments, lives, failing, forks }) => {
        const world = createWorld()
        const random = seededRandom(seed)
        const draw = (): Fault =>
          random.fraction() * 10 < badness ? (FAULTS[Math.floor(random.fraction() * FAULTS.length)] as Fault) : 'none'
        // At most one of the two shows another chain than there is.
        const first = (): Fault => (forks && random.fraction() < 0.3 ? 'fork' : draw())
        world.faults = [first, draw]
        world.chain.failTransfers = failing as ScriptedChain['failTransfers']
        const ids = Array.from({ length: payments }, (_, i) => i)
        const ask = (sender: WalletSender): Promise<SendOutcome[]> => {
          const asked = ids.map((id) => sender.send({ id: `p${id}`, transfers: [transfer(id)] }))
          return Promise.all(asked)
        }
        for (const seconds of lives) {
          const sender = await world.open()
          await world.until(ask(sender), seconds).catch(() => {})
          await sender.close()
        }
        // What was on its way goes well at last.
        world.chain.failTransfers = 'no'
        world.faults = [() => 'none', () => 'none']
        const sender = await world.open()
        const outcomes = await world.until(ask(sender), 7_200)
        world.clock.advance(600_000)
        for (const [id, outcome] of outcomes.entries())
          expect(timesPaid(world.chain, id)).toBe(outcome.result === 'confirmed' ? 1 : 0)
        await sender.close()
      },
    ),
    { numRuns: 60, seed: 20_260_401 },
  )
})
