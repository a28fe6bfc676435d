import { Address, beginCell, Cell } from '@ton/core'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { manualClock, silentLog } from '../util/index.ts'
import { type Chain, createChain, genesis } from './chain.ts'
import { decodeLine, encodeLine } from './lines.ts'
import { stateFromLines, stateToLines } from './saved-state.ts'
import type { ChainState, JournalRecord } from './state.ts'
import { createVm, type Vm } from './vm.ts'

const LIMITS = { keepBlocks: 256, keepTransactions: 1_000, keepTransactionsPerAccount: 100 }
const account = (n: number): Address => new Address(0, Buffer.alloc(32, n + 1))

let vm: Vm
beforeAll(async () => {
  vm = await createVm(silentLog)
})

function openChain(from?: ChainState): {
  chain: Chain
  clock: ReturnType<typeof manualClock>
  records: JournalRecord[]
} {
  const clock = manualClock()
  const records: JournalRecord[] = []
  const deps = { vm, clock, log: silentLog, limits: LIMITS, journal: (r: JournalRecord) => void records.push(r) }
  return { chain: createChain(deps, from ?? genesis(clock)), clock, records }
}

type Step = { do: 'mint'; to: number; nano: bigint } | { do: 'mine' } | { do: 'time'; seconds: number } | { do: 'race' }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('mint' as const),
      to: fc.nat(3),
      nano: fc.bigInt({ min: 1n, max: 5_000_000_000n }),
    }),
    fc.record({ do: fc.constant('mine' as const) }),
    fc.record({ do: fc.constant('time' as const), seconds: fc.nat(100_000) }),
    // A block under way while money is minted: the order on the wire is what counts, not luck.
    fc.record({ do: fc.constant('race' as const) }),
  ),
  { maxLength: 20 },
)

async function perform(chain: Chain, step: Step): Promise<void> {
  if (step.do === 'mint') chain.mint(account(step.to), step.nano)
  else if (step.do === 'mine') await chain.mine()
  else if (step.do === 'time') chain.moveTime({ advanceSeconds: step.seconds })
  else {
    chain.mint(account(0), 1_000n)
    const mined = chain.mine()
    chain.mint(account(1), 2_000n)
    await Promise.resolve()
    chain.mint(account(2), 3_000n)
    await mined
  }
}

/** Everything but what only names objects in memory. */
const told = (state: ChainState): string[] => [...stateToLines(state)].map(encodeLine)

test('a journal replayed from any state on the way leads to the same chain, to the byte', async () => {
  await fc.assert(
    fc.asyncProperty(steps, steps, async (before, after) => {
      const { chain, records } = openChain()
      for (const step of before) await perform(chain, step)
      const start = chain.capture()
      records.length = 0
      for (const step of after) await perform(chain, step)
      const again = openChain(start).chain
      for (const record of records) await again.replay(JSON.parse(JSON.stringify(record)) as JournalRecord)
      expect(told(again.capture())).toEqual(told(chain.capture()))
    }),
    { numRuns: 25, seed: 11 },
  )
})

test('a state written as lines and read back is the same, and not a line may be missing', async () => {
  const { chain } = openChain()
  for (let i = 0; i < 6; i++) {
    chain.mint(account(i % 3), 1_000n)
    if (i % 2 === 1) await chain.mine()
  }
  chain.mint(account(1), 7n)
  const lines = told(chain.capture())
  async function* read(from: readonly string[]): AsyncGenerator<unknown> {
    for (const line of from) yield decodeLine(line.trimEnd())
  }
  expect(told(await stateFromLines(read(lines)))).toEqual(lines)
  for (let i = 0; i < lines.length; i++)
    await expect(stateFromLines(read(lines.toSpliced(i, 1)))).rejects.toMatchObject({ code: 'chain.devnet-state' })
})

test('a journal of another chain is refused at its first block', async () => {
  const { chain, records } = openChain()
  await chain.mine()
  const other = openChain(openChain().chain.branch('other').capture()).chain
  await other.mine()
  await expect(other.replay(records[0] as JournalRecord)).rejects.toMatchObject({ code: 'chain.devnet-state' })
})

test('what the journal refuses does not happen', async () => {
  const clock = manualClock()
  let isFull = false
  const journal = (): void => {
    if (isFull) throw new RangeError('the disk is full')
  }
  const chain = createChain({ vm, clock, log: silentLog, limits: LIMITS, journal }, genesis(clock))
  isFull = true
  expect(() => chain.mint(account(1), 5n)).toThrow('full')
  expect(() => chain.moveTime({ advanceSeconds: 5 })).toThrow('full')
  await expect(chain.mine()).rejects.toThrow('full')
  isFull = false
  expect((await chain.mine()).transactions).toEqual([])
  expect(chain.isIdle()).toBe(true)
})

test('blocks have rising numbers, times and logical times, and each names the one before', async () => {
  const { chain, clock } = openChain()
  let last = chain.view().block
  for (let i = 0; i < 10; i++) {
    for (let n = 0; n < i; n++) chain.mint(account(n % 2), 1_000n)
    const block = await chain.mine()
    expect(block).toMatchObject({ seqno: last.seqno + 1, prev: last.hash })
    expect(block.startLt).toBeGreaterThan(last.endLt)
    expect(block.utime).toBeGreaterThanOrEqual(last.utime)
    const lts = block.transactions.map((t) => t.lt)
    expect(lts).toEqual(lts.toSorted((a, b) => (a < b ? -1 : 1)))
    expect(new Set(lts).size).toBe(i)
    clock.advance(i % 2 === 0 ? 700 : 0)
    last = block
  }
})

test('a clock that is set back does not take the chain along', async () => {
  const clock = manualClock()
  let backMs = 0
  const shifted = { ...clock, now: () => clock.now() - backMs }
  const deps = { vm, clock: shifted, log: silentLog, limits: LIMITS, journal: () => {} }
  const chain = createChain(deps, genesis(shifted))
  const { utime } = await chain.mine()
  backMs = 3_600_000
  expect((await chain.mine()).utime).toBe(utime)
  expect(() => chain.moveTime({ nowSeconds: utime - 1 })).toThrow(
    expect.objectContaining({ code: 'request.devnet-time' }),
  )
})

test('more messages than a block takes fill the next ones, in order', async () => {
  const { chain } = openChain()
  for (let i = 0; i < 1_001; i++) chain.mint(account(0), BigInt(i + 1))
  expect((await chain.mine()).transactions).toHaveLength(1_000)
  expect(chain.isIdle()).toBe(false)
  expect((await chain.mine()).transactions).toHaveLength(1)
  expect(chain.view().account(account(0).toRawString()).balance).toBe((1_001n * 1_002n) / 2n)
})

test('a branch takes along what was under way and then goes its own way', async () => {
  const { chain, records } = openChain()
  chain.mint(account(0), 5n)
  const branch = chain.branch('b')
  const known = records.length
  branch.mint(account(0), 7n)
  await branch.mine()
  expect(records).toHaveLength(known)
  await chain.mine()
  const balance = (of: Chain): bigint => of.view().account(account(0).toRawString()).balance
  expect([balance(chain), balance(branch)]).toEqual([5n, 12n])
  expect(chain.view().block.hash).not.toBe(branch.view().block.hash)
})

test('what is no external message of the network’s bounds is refused by name', async () => {
  const { chain } = openChain()
  const bad = [
    Buffer.alloc(0),
    Buffer.from('not a bag'),
    Cell.EMPTY.toBoc(),
    beginCell().storeUint(2, 2).endCell().toBoc(),
  ]
  for (const boc of [...bad, Buffer.alloc(70_000)])
    await expect(chain.check(boc)).rejects.toMatchObject({ code: 'request.devnet-parameter' })
})
