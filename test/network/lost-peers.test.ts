/** Nodes that go away while requests run: everybody concerned hears of it at once, and finds each other again. */
import { performance } from 'node:perf_hooks'
import { APIError } from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../src/sdk/index.ts'
import { chargeOf, settled } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { HELLO, openaiAt, readStream, refusalOf, STREAM, type Streamed } from '../support/openai.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url, http: true })
})
afterEach(async () => {
  engine.script = answerChat()
  await settled(network)
})
afterAll(async () => {
  await network.close()
  await engine.close()
})

/** One piece, then nothing: only a loss can end it before the timeout of two minutes. */
const onePiece: Script = (_request, reply) => {
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  reply.write('data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
}

/** Far below every timeout, with room for a busy machine; on an idle one it is milliseconds. */
const AT_ONCE_MS = 2_000

/** Starts a stream, kills something once the first piece is there, and times the end from the kill. */
async function streamThrough(kill: () => unknown): Promise<Streamed & { readonly tookMs: number }> {
  engine.script = onePiece
  let killedAt = 0
  const answer = await readStream(await openaiAt(network.baseURL).chat.completions.create(STREAM), () => {
    killedAt = performance.now()
    void kill()
  })
  return { ...answer, tookMs: performance.now() - killedAt }
}

const works = (): Promise<unknown> =>
  until(
    async () =>
      network.client.ready().length === 0 &&
      network.proxy.status().workers.some((worker) => worker.enabled) &&
      (await chargeOf(network, () => openaiAt(network.baseURL).chat.completions.create(HELLO))) === 8n,
    'requests are answered again',
  )

describe('a stream', () => {
  test('whose worker is lost ends with an error event at once, and the next worker serves', async () => {
    const charge = await chargeOf(network, async () => {
      const { text, error, tookMs } = await streamThrough(() => network.workers[0]?.close(0))
      expect(text).toBe('a')
      expect(error).toBeInstanceOf(APIError)
      expect(error).toMatchObject({ code: 'protocol.worker-lost' })
      expect(tookMs).toBeLessThan(AT_ONCE_MS)
    })
    expect(charge).toBe(0n)
    const refusal = await refusalOf(openaiAt(network.baseURL).chat.completions.create(HELLO))
    expect(refusal).toMatchObject({ status: 503, code: 'capacity.no-workers' })
    engine.script = answerChat()
    network.startWorker()
    await works()
  })

  test('whose proxy is lost ends with an error event at once, and works again when the proxy does', async () => {
    let restarted: Promise<void> | undefined
    const { text, error, tookMs } = await streamThrough(() => (restarted = network.restartProxy()))
    expect(text).toBe('a')
    expect(error).toMatchObject({ code: 'protocol.proxy-lost' })
    expect(tookMs).toBeLessThan(AT_ONCE_MS)
    await restarted
    engine.script = answerChat()
    await works()
  })

  test('whose proxy is lost stops the engine', async () => {
    const before = engine.hungUp
    let restarted: Promise<void> | undefined
    await streamThrough(() => (restarted = network.restartProxy()))
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
    await restarted
    engine.script = answerChat()
    await works()
  })
})

test('a client that goes away stops its requests, and a new one is served', async () => {
  engine.script = onePiece
  const before = engine.hungUp
  const leaving = createClient({ network: network.file, closeGraceMs: 0 })
  const stream = await openaiAt('http://cocoon/v1', leaving.fetch).chat.completions.create(STREAM)
  const reading = readStream(stream)
  await until(() => network.proxy.status().requests.running === 1, 'the request runs')
  await leaving.close()
  expect((await reading).error).toBeInstanceOf(APIError)
  await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  engine.script = answerChat()
  await using coming = createClient({ network: network.file })
  const answer = await openaiAt('http://cocoon/v1', coming.fetch).chat.completions.create(HELLO)
  expect(answer.choices[0]?.message.content).toBe('Hello there!')
})

describe('two workers', () => {
  test('share the load, and when one is lost the other serves', async () => {
    const first = network.workers.at(-1)
    const second = network.startWorker()
    await until(
      () => network.proxy.status().workers.filter((worker) => worker.enabled).length === 2,
      'both are enabled',
    )
    const succeeded = (worker = second): number => worker.status().requests.succeeded
    const before = [succeeded(first), succeeded(second)]
    const openai = openaiAt(network.baseURL)
    await Promise.all(Array.from({ length: 10 }, () => openai.chat.completions.create(HELLO)))
    await settled(network)
    const served = [succeeded(first) - (before[0] ?? 0), succeeded(second) - (before[1] ?? 0)] as const
    expect(served[0] + served[1]).toBe(10)
    // The second has just come, and begins with a small share.
    expect(Math.min(...served)).toBeGreaterThan(0)
    await first?.close(0)
    await Promise.all(Array.from({ length: 10 }, () => openai.chat.completions.create(HELLO)))
    expect(succeeded(second)).toBe((before[1] ?? 0) + served[1] + 10)
  })
})
