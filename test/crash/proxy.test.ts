/**
 * A proxy process dies under load (SIGKILL) again and again, while its client and its worker stay up. Both remember what
 * they were told and refuse a proxy that knows less, so their resuming is the proof that nothing was lost.
 */
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CocoonClient, createClient } from '../../src/sdk/index.ts'
import { seededRandom } from '../../src/util/index.ts'
import { TEST_OWNER, until } from '../support/network.ts'
import { HELLO, openaiAt } from '../support/openai.ts'
import { type Cocoon, cocoonHome, type Started } from '../support/processes.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const KILLS = 3
const SEED = 1
const CALLERS = 12
/** A request that got lost between two lives must not hold up the test. */
const GIVE_UP_MS = 5_000
/** Each answer: 5 prompt and 3 completion tokens at coefficient 1. */
const TOKENS_AN_ANSWER = 8n

let engine: ScriptedEngine
let home: Cocoon
let cocoon: CocoonClient
let network: string
let worker: Started
const log = createRecordingLog()

beforeAll(async () => {
  engine = await startScriptedEngine(answerChat())
  home = await cocoonHome()
  const { COCOON_PROXY_WORKER_PORT: workers, COCOON_PROXY_CLIENT_PORT: clients } = home.env
  network = join(home.home, 'network.json')
  const file = {
    root_owner_address: TEST_OWNER,
    price_per_token: 2,
    registered_proxies: [{ seqno: 1, address: `127.0.0.1:${workers} 127.0.0.1:${clients}` }],
    cocoon: { evidence: 'simulated', client_balance_nano: String(10n ** 15n) },
  }
  writeFileSync(network, JSON.stringify(file))
  worker = home.start(['worker', '--network', network, '--model', 'test-model', '--engine-url', engine.url])
  cocoon = createClient({ network, log })
})
afterAll(async () => {
  await cocoon.close()
  home.close()
  await engine.close()
})

interface Told {
  readonly signed: bigint
  readonly confirmed: bigint
  readonly tokens: bigint
}

/** What the client knows of its account. */
function clientTold(): Told {
  const [account] = cocoon.status().accounts
  return {
    signed: account?.signedTokens ?? 0n,
    confirmed: account?.confirmedTokens ?? 0n,
    tokens: account?.tokens ?? 0n,
  }
}

/** What the worker knows of its own; its process is asked. */
async function workerTold(): Promise<Told> {
  const response = await fetch(`http://127.0.0.1:${home.env['COCOON_WORKER_HTTP_PORT']}/status`)
  const { accounts } = (await response.json()) as { accounts: Record<string, string | number>[] }
  const of = (name: string): bigint => BigInt(accounts[0]?.[name] ?? 0)
  return { signed: of('signedTokens'), confirmed: of('confirmedTokens'), tokens: of('tokens') }
}

function expectNotBelow(now: Told, before: Told): void {
  expect(now.signed).toBeGreaterThanOrEqual(before.signed)
  expect(now.confirmed).toBeGreaterThanOrEqual(before.confirmed)
  expect(now.tokens).toBeGreaterThanOrEqual(before.tokens)
  expect(now.signed).toBeLessThanOrEqual(now.confirmed)
}

test(`client and worker outlive ${KILLS} kills of their proxy, and what they were told never falls`, {
  timeout: 180_000,
}, async () => {
  const random = seededRandom(SEED)
  const openai = openaiAt('http://cocoon/v1', cocoon.fetch)
  let [asked, answered, isLoaded] = [0, 0, true]
  const callers = Array.from({ length: CALLERS }, async () => {
    while (isLoaded) {
      asked++
      await openai.chat.completions.create(HELLO, { timeout: GIVE_UP_MS }).then(
        () => answered++,
        () => new Promise((resolve) => setTimeout(resolve, 50)),
      )
    }
  })
  let client = clientTold()
  let proxy: Started | undefined
  for (let life = 0; life <= KILLS; life++) {
    proxy = home.start(['proxy', '--network', network])
    const before = answered
    await until(() => answered > before + 20, `requests are answered in life ${life}`, 40_000)
    const now = clientTold()
    expectNotBelow(now, client)
    client = now
    const told = await workerTold()
    if (life === KILLS) break
    // Into the middle of the load, and of the commits that come about every second.
    await new Promise((resolve) => setTimeout(resolve, 200 + random.fraction() * 1500))
    proxy.child.kill('SIGKILL')
    await once(proxy.child, 'exit')
    expectNotBelow(await workerTold(), told)
    client = clientTold()
  }
  isLoaded = false
  await Promise.all(callers)
  await until(async () => (await workerTold()).tokens === clientTold().tokens, 'both were told the same total')
  const second = await home.run(['proxy', '--network', network])
  expect(second).toMatchObject({ status: 2, stderr: expect.stringContaining(`pid ${proxy?.child.pid}`) })
  proxy?.child.kill('SIGTERM')
  expect(await proxy?.ended).toMatchObject({ status: 0 })

  const [client_, worker_] = accounts() as [Account, Account]
  expect(worker_.total).toBe(client_.total)
  expect(client_.total).toBe(clientTold().tokens)
  expect(client_.total % TOKENS_AN_ANSWER).toBe(0n)
  const settled = client_.total / TOKENS_AN_ANSWER
  expect(settled).toBeGreaterThanOrEqual(BigInt(answered))
  expect(settled).toBeLessThanOrEqual(BigInt(asked))
  // Nobody saw a proxy go back on its word.
  expect(`${log.lines.join('\n')}${worker.output()}`).not.toMatch(/totals-fell|above the proxy|lower totals/)
  expect(worker.child.exitCode).toBeNull()
})

interface Account {
  readonly total: bigint
}

function accounts(): Account[] {
  const folder = join(home.home, 'proxy')
  const name = readdirSync(folder).find((file) => file.endsWith('.sqlite')) ?? ''
  const db = new DatabaseSync(join(folder, name), { readOnly: true })
  const read = db.prepare('SELECT total FROM account ORDER BY role')
  read.setReadBigInts(true)
  const all = read.all() as unknown as Account[]
  db.close()
  return all
}
