/** The durable ledger alone: settlements per second, what sharing a sync brings, added latency, and recovery. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSqliteLedger, type DurableLedger, type Hold, type Ledger, NO_TOKENS } from '../src/ledger/index.ts'
import { openStore } from '../src/ledger/open-store.ts'
import { ENTRY_FIELDS, type Group, REQUEST_ID_BYTES } from '../src/ledger/store.ts'
import { noMetrics, type Random, seededRandom, silentLog, systemClock } from '../src/util/index.ts'
import { type Benchmark, median, quantile } from './benchmark.ts'

const CONTRACT = `0:${'ab'.repeat(32)}`
const CLIENTS = Array.from({ length: 100 }, (_, i) => `0:c${i}`)
const WORKERS = Array.from({ length: 10 }, (_, i) => `0:w${i}`)
/** Requests that run at a time: what a busy proxy has. */
const RUNNING = 512
const PACED_PER_SECOND = 500
const RECOVERED_ENTRIES = 1_000_000

export const ledgerBenchmark: Benchmark = {
  name: 'ledger',
  what: 'reserve and settle with a sync for each group, alone and with one for each request; recovery',
  async run({ seconds, seed }) {
    const random = seededRandom(seed)
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-bench-ledger-'))
    try {
      const grouped = await perSecond(join(folder, 'grouped'), random, RUNNING, seconds)
      const single = await perSecond(join(folder, 'single'), random, 1, seconds)
      const paced = await pacedMs(join(folder, 'paced'), random, seconds)
      const recovery = await recoveryS(join(folder, 'recovery'))
      return [
        { name: `${RUNNING} at a time`, value: grouped, unit: '1/s', goal: { atLeast: 10_000 } },
        { name: 'one after the other: a sync for each', value: single, unit: '1/s' },
        { name: 'gain from sharing a sync', value: grouped / single, unit: '×' },
        { name: `at ${PACED_PER_SECOND}/s: added, median`, value: median(paced), unit: 'ms', goal: { atMost: 2 } },
        { name: `at ${PACED_PER_SECOND}/s: added, p99`, value: quantile(paced, 0.99), unit: 'ms' },
        { name: `opening with ${RECOVERED_ENTRIES} entries`, value: recovery, unit: 's', goal: { atMost: 5 } },
      ]
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

async function open(path: string): Promise<DurableLedger> {
  const deps = { clock: systemClock, log: silentLog, metrics: noMetrics }
  const ledger = await createSqliteLedger(deps, { path, contract: CONTRACT, pricePerToken: 1n })
  const funds = { balanceNano: 10n ** 15n, stakeNano: 10n ** 15n, scTokensUsed: 0n }
  for (const owner of CLIENTS) ledger.openClient(owner, funds)
  for (const owner of WORKERS) ledger.openWorker(owner)
  return ledger
}

const pick = (names: readonly string[], random: Random): string =>
  names[Math.floor(random.fraction() * names.length)] as string

async function cycle(ledger: Ledger, random: Random): Promise<void> {
  const hold = ledger.reserve(pick(CLIENTS, random), 1_000n) as Hold
  const used = { ...NO_TOKENS, prompt: 100n, completion: 23n, total: 123n }
  await ledger.settle(hold, pick(WORKERS, random), used, random.bytes(REQUEST_ID_BYTES))
}

/** Closes, opens again and throws unless every cycle is there. */
async function expectCycles(path: string, ledger: DurableLedger, count: number): Promise<void> {
  await ledger.close()
  const again = await open(path)
  const sum = again.workers().reduce((n, { totals }) => n + totals.db, 0n)
  await again.close()
  if (sum !== 123n * BigInt(count)) throw new Error(`the ledger holds ${sum} tokens after ${count} settlements of 123`)
}

async function perSecond(path: string, random: Random, running: number, seconds: number): Promise<number> {
  const ledger = await open(path)
  let count = 0
  const start = performance.now()
  const end = start + seconds * 1000
  const keepOn = async (): Promise<void> => {
    for (; performance.now() < end; count++) await cycle(ledger, random)
  }
  await Promise.all(Array.from({ length: running }, keepOn))
  const elapsed = (performance.now() - start) / 1000
  await expectCycles(path, ledger, count)
  return count / elapsed
}

/** Requests that come at random instants, as independent callers do; milliseconds that each waited for its settlement. */
async function pacedMs(path: string, random: Random, seconds: number): Promise<number[]> {
  const ledger = await open(path)
  const took: number[] = []
  const settling: Promise<void>[] = []
  const start = performance.now()
  const one = async (from: number): Promise<void> => {
    await cycle(ledger, random)
    took.push(performance.now() - start - from)
  }
  // On timers: a loop that never rests would take the core that the ledger's thread needs.
  for (let due = 0; due < seconds * 1000; await sleep(1)) {
    const now = performance.now() - start
    for (; due <= now; due += (-1000 / PACED_PER_SECOND) * Math.log(1 - random.fraction())) settling.push(one(now))
  }
  await Promise.all(settling)
  await expectCycles(path, ledger, took.length)
  return took
}

/** The file is filled without a ledger, in large groups; only opening it is timed. */
async function recoveryS(path: string): Promise<number> {
  const { store, newest } = openStore({ path, contract: CONTRACT, keepEntries: RECOVERED_ENTRIES }, () => undefined)
  const perGroup = 10_000
  const owners = [...CLIENTS, ...WORKERS]
  for (let done = 0; done < RECOVERED_ENTRIES; done += perGroup) {
    const entries = new BigInt64Array(perGroup * ENTRY_FIELDS)
    const growth = owners.map(() => 0n)
    for (let i = 0; i < perGroup; i++) {
      const [client, worker] = [i % CLIENTS.length, CLIENTS.length + (i % WORKERS.length)]
      entries.set([0n, BigInt(client + 1), BigInt(worker + 1), 100n, 0n, 23n, 0n, 123n], i * ENTRY_FIELDS)
      for (const at of [client, worker]) growth[at] = (growth[at] as bigint) + 123n
    }
    const funds = { balanceNano: 10n ** 15n, stakeNano: 10n ** 15n, scTokensUsed: 0n }
    const group: Group = {
      created:
        done > 0
          ? []
          : owners.map((owner, i) => {
              const isClient = i < CLIENTS.length
              return { id: BigInt(i + 1), role: isClient ? 'client' : 'worker', owner, funds: isClient ? funds : null }
            }),
      facts: [],
      marks: new BigInt64Array(),
      entries,
      requestIds: new Uint8Array(perGroup * REQUEST_ID_BYTES).fill(7),
      growth: BigInt64Array.from(growth.flatMap((tokens, i) => [BigInt(i + 1), tokens])),
    }
    store.append([group], newest + BigInt(done / perGroup + 1))
  }
  store.close()
  const start = performance.now()
  const ledger = await open(path)
  const elapsed = (performance.now() - start) / 1000
  await expectCycles(path, ledger, RECOVERED_ENTRIES)
  return elapsed
}
