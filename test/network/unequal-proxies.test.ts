/**
 * Three proxies with unequal workers, each node a process of its own: requests are spread by places and price, none goes where the
 * caller's cap forbids it, and one that dies loses its share to the others until it is back.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CocoonClient, createClient } from '../../src/sdk/index.ts'
import { TEST_OWNER, until } from '../support/network.ts'
import { HELLO } from '../support/openai.ts'
import { type Cocoon, cocoonHome, type Started } from '../support/processes.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

/** Behind each proxy one worker, with so many places at this price per mille. */
const WORKERS = {
  large: { places: 8, coefficient: 1000 },
  small: { places: 4, coefficient: 1000 },
  dear: { places: 8, coefficient: 3000 },
} as const
type Name = keyof typeof WORKERS
const NAMES = Object.keys(WORKERS) as readonly Name[]
/** A cap that all are within, and one that forbids the dear one. */
const ANY_PRICE = 4000
const CHEAP = 1000
/** Of places ÷ (1 + price ÷ cap): 6.4 : 3.2 : 4.57. */
const SHARE_AT_ANY_PRICE: Readonly<Record<Name, number>> = { large: 0.452, small: 0.226, dear: 0.323 }
/** How far a share of some hundred requests may be off: choices are discrete, and times of answers differ. */
const TOLERANCE = 0.1
const LANES = 13
const ANSWER_MS = 25
/** For what takes a second or two on an idle machine. */
const PATIENCE_MS = 60_000

interface Node {
  readonly home: Cocoon
  readonly engine: ScriptedEngine
  proxy: Started
}

interface ProxyStatus {
  readonly requests: { readonly running: number }
  readonly workers: readonly { readonly enabled: boolean }[]
  readonly clients: readonly { readonly usedTokens: string; readonly reservedTokens: string }[]
}

const nodes = {} as Record<Name, Node>
/** Answers that wait to be let go; null while engines answer by themselves. */
let held: (() => void)[] | null = null
let cocoon: CocoonClient
let network: string
/** Tokens that answers said they cost. */
let toldTokens = 0n

const script: Script = (request, reply) => {
  const answer = (): void => void answerChat()(request, reply)
  if (held === null) setTimeout(answer, ANSWER_MS)
  else held.push(answer)
}

beforeAll(async () => {
  const homes = await Promise.all(NAMES.map(() => cocoonHome()))
  const listed = homes.map(({ env }, i) => ({
    seqno: i + 1,
    address: `127.0.0.1:${env['COCOON_PROXY_WORKER_PORT']} 127.0.0.1:${env['COCOON_PROXY_CLIENT_PORT']}`,
  }))
  const write = (home: Cocoon, name: string, proxies: typeof listed): string => {
    const path = join(home.home, name)
    const file = {
      root_owner_address: TEST_OWNER,
      price_per_token: 2,
      registered_proxies: proxies,
      cocoon: { evidence: 'simulated' },
    }
    writeFileSync(path, JSON.stringify(file))
    return path
  }
  network = write(homes[0] as Cocoon, 'network.json', listed)
  for (const [i, name] of NAMES.entries()) {
    const home = homes[i] as Cocoon
    const engine = await startScriptedEngine(script)
    nodes[name] = { home, engine, proxy: home.start(['proxy', '--network', network]) }
    const { places, coefficient } = WORKERS[name]
    // It knows of no other proxy: what a proxy has is what stands here.
    const own = write(home, 'worker-network.json', listed.slice(i, i + 1))
    home.start(['worker', '--network', own, '--model', HELLO.model, '--engine-url', engine.url], {
      COCOON_WORKER_MAX_ACTIVE_REQUESTS: String(places),
      COCOON_WORKER_COEFFICIENT: String(coefficient),
    })
  }
  cocoon = createClient({ network, proxyConnections: NAMES.length })
  await untilWhole()
}, 120_000)
afterAll(async () => {
  await cocoon.close()
  for (const { home, engine } of Object.values(nodes)) {
    home.close()
    await engine.close()
  }
})

async function statusOf(name: Name): Promise<ProxyStatus | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${nodes[name].home.env['COCOON_PROXY_HTTP_PORT']}/status`)
    return (await answer.json()) as ProxyStatus
  } catch {
    return null
  }
}
const statuses = (): Promise<(ProxyStatus | null)[]> => Promise.all(NAMES.map(statusOf))

/** Every proxy has its worker, and the client every proxy. */
const untilWhole = (): Promise<void> =>
  until(
    async () =>
      (await statuses()).every((s) => s?.workers.filter((w) => w.enabled).length === 1) &&
      cocoon.status().proxies.filter((p) => p.ready).length === NAMES.length,
    'everybody is connected',
    2 * PATIENCE_MS,
  )

/** Resolves when it was answered, and rejects with what it was answered instead. */
async function ask(maxCoefficient: number): Promise<void> {
  const response = await cocoon.fetch('http://cocoon/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...HELLO, max_coefficient: maxCoefficient, timeout: 60 }),
  })
  const body = await response.text()
  if (response.status !== 200 || !body.includes('Hello there!')) throw new Error(`${response.status} ${body}`)
  const cost = await cocoon.costOf(response)
  toldTokens += cost?.tokens ?? 0n
}

const seen = (): Record<Name, number> => byName((name) => nodes[name].engine.seen.length)
const byName = <T>(of: (name: Name) => T): Record<Name, T> =>
  Object.fromEntries(NAMES.map((name) => [name, of(name)])) as Record<Name, T>

/** How many of the requests that came while `act` ran went to each. */
async function gained(act: () => Promise<unknown>): Promise<Record<Name, number>> {
  const before = seen()
  await act()
  return byName((name) => nodes[name].engine.seen.length - before[name])
}

/** Each proxy has told what it has: a first request has it asked, and it answers in order. */
async function told(maxCoefficient: number): Promise<void> {
  await ask(maxCoefficient)
  await cocoon.models()
}

/** So many requests at once, none of which ends before all are with an engine. */
async function together(count: number, maxCoefficient: number): Promise<Record<Name, number>> {
  await told(maxCoefficient)
  held = []
  let asking: Promise<unknown> = Promise.resolve()
  const counts = await gained(async () => {
    asking = Promise.all(Array.from({ length: count }, () => ask(maxCoefficient)))
    await until(() => held?.length === count, `${count} requests are with an engine`)
  })
  letGo()
  await asking
  return counts
}

function letGo(): void {
  const waiting = held ?? []
  held = null
  for (const answer of waiting) answer()
}

/** Callers that ask again as soon as they are answered. */
function keepAsking(): { readonly answered: () => number; end(): Promise<void> } {
  let [isOver, answered] = [false, 0]
  const lanes = Array.from({ length: LANES }, async () => {
    for (; !isOver; answered++) await ask(ANY_PRICE)
  })
  // A lane that fails is told of at the end.
  for (const lane of lanes) lane.catch(() => undefined)
  return {
    answered: () => answered,
    async end() {
      isOver = true
      await Promise.all(lanes)
    },
  }
}

function expectShares(counts: Readonly<Record<Name, number>>, shares: Readonly<Record<Name, number>>): void {
  const all = NAMES.reduce((total, name) => total + counts[name], 0)
  for (const name of NAMES) {
    const off = Math.abs(counts[name] / all - shares[name])
    expect(off, `${name}: ${JSON.stringify(counts)}`).toBeLessThanOrEqual(TOLERANCE)
  }
}

test('requests at once are spread by places, and fewer go to the dear one', async () => {
  const counts = await together(LANES, ANY_PRICE)
  for (const name of NAMES) {
    expect(counts[name], name).toBeGreaterThanOrEqual(SHARE_AT_ANY_PRICE[name] * LANES - 1)
    expect(counts[name], name).toBeLessThanOrEqual(SHARE_AT_ANY_PRICE[name] * LANES + 1)
  }
})

test('a proxy above the caller’s price gets nothing, and the others are filled to their last place', async () => {
  expect(await together(12, CHEAP)).toEqual({ large: 8, small: 4, dear: 0 })
})

test('callers that go on asking: shares stay, the others take over when one dies, and it has its share when it is back', async () => {
  const callers = keepAsking()
  const through = (count: number) =>
    gained(async () => {
      const from = callers.answered()
      await until(() => callers.answered() >= from + count, `${count} more are answered`, PATIENCE_MS)
    })
  await through(100)
  expectShares(await through(400), SHARE_AT_ANY_PRICE)

  // All that run are with an engine when the large one dies, so that none is between its charge and its answer.
  held = []
  await until(() => held?.length === LANES, 'all callers wait')
  const { large } = nodes
  const running = (await statusOf('large'))?.requests.running ?? 0
  expect(running).toBeGreaterThan(0)
  const left = WORKERS.small.places + WORKERS.dear.places - (LANES - running)
  const taken = await gained(async () => {
    large.proxy.child.kill('SIGKILL')
    await once(large.proxy.child, 'exit')
    await until(() => held?.length === LANES + Math.min(running, left), 'its requests are elsewhere')
  })
  expect(taken.large).toBe(0)
  letGo()
  const { small, dear } = SHARE_AT_ANY_PRICE
  expectShares(await through(400), { large: 0, small: small / (small + dear), dear: dear / (small + dear) })

  large.proxy = large.home.start(['proxy', '--network', network])
  await untilWhole()
  const before = large.engine.seen.length
  // The client asks every two seconds what a proxy has; what it answered while it had no worker counts until then.
  await until(() => large.engine.seen.length > before, 'it has requests again')
  await through(400)
  expectShares(await through(400), SHARE_AT_ANY_PRICE)

  // Rejects with the first answer that was none.
  await callers.end()
  await until(async () => (await statuses()).every((s) => s?.requests.running === 0), 'nothing runs')
  const accounts = (await statuses()).flatMap((s) => s?.clients ?? [])
  expect(accounts.map(({ reservedTokens }) => reservedTokens)).toEqual(NAMES.map(() => '0'))
  expect(accounts.reduce((total, { usedTokens }) => total + BigInt(usedTokens), 0n)).toBe(toldTokens)
}, 240_000)
