/** Nodes as processes of their own that die without a word (SIGKILL) while a stream runs through them. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { APIError } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CocoonClient, createClient } from '../../src/sdk/index.ts'
import { TEST_OWNER, until } from '../support/network.ts'
import { HELLO, openaiAt, readStream, STREAM } from '../support/openai.ts'
import { type Cocoon, cocoonHome, type Started } from '../support/processes.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

/** Far below every timeout, with room for a busy machine; on an idle one it is milliseconds. */
const AT_ONCE_MS = 2_000

let engine: ScriptedEngine
let home: Cocoon
let cocoon: CocoonClient
let network: string
const nodes: Partial<Record<'proxy' | 'worker', Started>> = {}

beforeAll(async () => {
  engine = await startScriptedEngine()
  home = await cocoonHome()
  const { COCOON_PROXY_WORKER_PORT: workers, COCOON_PROXY_CLIENT_PORT: clients } = home.env
  const file = {
    root_owner_address: TEST_OWNER,
    price_per_token: 2,
    registered_proxies: [{ seqno: 1, address: `127.0.0.1:${workers} 127.0.0.1:${clients}` }],
    cocoon: { evidence: 'simulated' },
  }
  network = join(home.home, 'network.json')
  writeFileSync(network, JSON.stringify(file))
  start('proxy')
  start('worker')
  cocoon = createClient({ network })
  await untilServed()
})
afterAll(async () => {
  await cocoon.close()
  home.close()
  await engine.close()
})

function start(role: 'proxy' | 'worker'): void {
  const more = role === 'worker' ? ['--model', 'test-model', '--engine-url', engine.url] : []
  nodes[role] = home.start([role, '--network', network, ...more])
}

const openai = () => openaiAt('http://cocoon/v1', cocoon.fetch)

const untilServed = (): Promise<void> =>
  until(
    () =>
      openai()
        .chat.completions.create(HELLO)
        .then(
          () => true,
          () => false,
        ),
    'a request is served',
    40_000,
  )

test.each(['worker', 'proxy'] as const)(
  'a stream whose %s is killed ends with an error at once, and a new one serves again',
  async (role) => {
    engine.script = (_request, reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' })
      reply.write('data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
    }
    const before = engine.hungUp
    const { child } = nodes[role] as Started
    let killedAt = 0
    const { text, error } = await readStream(await openai().chat.completions.create(STREAM), () => {
      killedAt = performance.now()
      child.kill('SIGKILL')
    })
    expect(performance.now() - killedAt).toBeLessThan(AT_ONCE_MS)
    expect(text).toBe('a')
    expect(error).toBeInstanceOf(APIError)
    expect(error).toMatchObject({ code: `protocol.${role}-lost` })
    await until(() => engine.hungUp > before, 'the engine is hung up on')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    engine.script = answerChat()
    start(role)
    await untilServed()
  },
  120_000,
)
