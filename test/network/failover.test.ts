/** Two proxies, two workers, each a process of its own; one is killed while a request waits for its first byte. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CocoonClient, createClient } from '../../src/sdk/index.ts'
import { TEST_OWNER, until } from '../support/network.ts'
import { HELLO, openaiAt } from '../support/openai.ts'
import { type Cocoon, cocoonHome, type Started } from '../support/processes.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

interface ProxyStatus {
  readonly requests: { readonly running: number }
  readonly workers: readonly { readonly enabled: boolean; readonly running: number }[]
  readonly clients: readonly { readonly usedTokens: string; readonly reservedTokens: string }[]
  readonly decisions: readonly { readonly what: string }[]
}

const engines: ScriptedEngine[] = []
const homes: Cocoon[] = []
const nodes: Record<'proxy' | 'worker', Started[]> = { proxy: [], worker: [] }
let cocoon: CocoonClient
let network: string

beforeAll(async () => {
  for (let i = 0; i < 2; i++) {
    engines.push(await startScriptedEngine())
    homes.push(await cocoonHome())
  }
  const addresses = homes.map(
    ({ env }) => `127.0.0.1:${env['COCOON_PROXY_WORKER_PORT']} 127.0.0.1:${env['COCOON_PROXY_CLIENT_PORT']}`,
  )
  const file = {
    root_owner_address: TEST_OWNER,
    price_per_token: 2,
    registered_proxies: addresses.map((address, i) => ({ seqno: i + 1, address })),
    cocoon: { evidence: 'simulated' },
  }
  network = join(homes[0]?.home ?? '', 'network.json')
  writeFileSync(network, JSON.stringify(file))
  for (const at of [0, 1]) {
    start('proxy', at)
    start('worker', at)
  }
  cocoon = createClient({ network, proxyConnections: 2 })
  await untilWhole()
}, 120_000)
afterAll(async () => {
  await cocoon.close()
  for (const home of homes) home.close()
  await Promise.all(engines.map((engine) => engine.close()))
})

function start(role: 'proxy' | 'worker', at: number): void {
  const more =
    role === 'worker'
      ? ['--model', 'test-model', '--engine-url', engines[at]?.url ?? '', '--proxy-connections', '2']
      : []
  nodes[role][at] = (homes[at] as Cocoon).start([role, '--network', network, ...more])
}

async function statusOf(at: number): Promise<ProxyStatus | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${homes[at]?.env['COCOON_PROXY_HTTP_PORT']}/status`)
    return (await answer.json()) as ProxyStatus
  } catch {
    return null
  }
}
const statuses = (): Promise<(ProxyStatus | null)[]> => Promise.all([statusOf(0), statusOf(1)])

/** Both proxies have both workers, and the client both proxies. */
const untilWhole = (): Promise<void> =>
  until(
    async () =>
      (await statuses()).every((s) => s?.workers.filter((w) => w.enabled).length === 2) &&
      cocoon.status().proxies.filter((p) => p.ready).length === 2,
    'everybody is connected',
    60_000,
  )

/** Tokens charged by the proxies that live now. */
const charged = async (): Promise<bigint> =>
  (await statuses()).reduce((sum, s) => sum + BigInt(s?.clients[0]?.usedTokens ?? 0), 0n)

/** The first request gets no answer, every later one does. */
function stallFirst(): void {
  let isFirst = true
  const script: Script = (request, reply) => {
    if (!isFirst) return answerChat()(request, reply)
    isFirst = false
  }
  for (const engine of engines) engine.script = script
}

const ask = (): Promise<Response> =>
  cocoon.fetch('http://cocoon/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...HELLO, timeout: 60 }),
  })

test.each(['worker', 'proxy'] as const)(
  'a request whose %s is killed before its first byte succeeds on another and is charged once',
  async (role) => {
    stallFirst()
    const before = engines.map((engine) => engine.seen.length)
    const usedBefore = await charged()
    const answer = ask()
    await until(() => engines.some((engine, i) => engine.seen.length > (before[i] ?? 0)), 'an engine has the request')
    const at =
      role === 'worker'
        ? engines.findIndex((engine, i) => engine.seen.length > (before[i] ?? 0))
        : (await statuses()).findIndex((s) => s?.requests.running === 1)
    const usedByKilled = role === 'proxy' ? BigInt((await statusOf(at))?.clients[0]?.usedTokens ?? 0) : 0n
    const { child } = nodes[role][at] as Started
    child.kill('SIGKILL')
    const response = await answer
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'Hello there!' } }] })
    const cost = await cocoon.costOf(response)
    expect(cost?.tokens).toBe(8n)
    await until(async () => (await charged()) === usedBefore - usedByKilled + 8n, 'it is charged once')
    const left = (await statuses()).filter((s) => s !== null)
    expect(left.map((s) => s.clients[0]?.reservedTokens ?? '0')).toEqual(left.map(() => '0'))
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    start(role, at)
    await untilWhole()
  },
  120_000,
)

interface Listed {
  readonly data: readonly { readonly workers: readonly { readonly proxies: readonly string[] }[] }[]
  readonly silent_proxies: readonly string[]
}
const listed = async (): Promise<Listed> => (await cocoon.fetch('http://cocoon/v1/models')).json() as Promise<Listed>

test('the list of models has the workers of all proxies, each once, and names a proxy that does not answer', async () => {
  const proxies = cocoon.status().proxies.map(({ address }) => address)
  const whole = await listed()
  expect(whole.silent_proxies).toEqual([])
  expect(whole.data.map(({ workers }) => workers.map((w) => w.proxies.toSorted()))).toEqual([
    [proxies.toSorted(), proxies.toSorted()],
  ])
  const { child } = nodes.proxy[0] as Started
  child.kill('SIGSTOP')
  try {
    const half = await listed()
    expect(half.silent_proxies).toEqual([`127.0.0.1:${homes[0]?.env['COCOON_PROXY_CLIENT_PORT']}`])
    expect(half.data[0]?.workers).toHaveLength(2)
  } finally {
    child.kill('SIGCONT')
  }
  await until(async () => (await listed()).silent_proxies.length === 0, 'the proxy answers again')
})

test('both are used again afterwards', async () => {
  for (const engine of engines) engine.script = answerChat()
  const before = engines.map((engine) => engine.seen.length)
  const openai = openaiAt('http://cocoon/v1', cocoon.fetch)
  await Promise.all(Array.from({ length: 40 }, () => openai.chat.completions.create(HELLO)))
  for (const [i, engine] of engines.entries()) expect(engine.seen.length).toBeGreaterThan(before[i] ?? 0)
})
