/** Many requests at once, and callers that do not read: nothing is mixed up, nothing is lost, nobody else waits. */
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { chargeOf, settled } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { HELLO, openaiAt, readStream, STREAM } from '../support/openai.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const PARALLEL = 200
/** Small, so that a test reaches it quickly; the kernels' buffers come on top. */
const MAX_UNDELIVERED_BYTES = 256 * 1024

let engine: ScriptedEngine
let network: TestNetwork

beforeAll(async () => {
  engine = await startScriptedEngine()
  const http = { maxUndeliveredBytes: MAX_UNDELIVERED_BYTES }
  network = await startNetwork({ engineUrl: engine.url, http, workers: 2, worker: { maxActiveRequests: PARALLEL / 2 } })
  await until(() => network.proxy.status().workers.filter((worker) => worker.enabled).length === 2, 'both are enabled')
})
afterEach(async () => {
  engine.script = answerChat()
  await settled(network)
})
afterAll(async () => {
  await network.close()
  await engine.close()
})

test(`${PARALLEL} streams at once each get their own words and are charged their own tokens`, async () => {
  const wordsOf = (i: number): string[] => Array.from({ length: 1 + (i % 20) }, (_, n) => `<${i}.${n}>`)
  engine.script = (request, reply) => {
    const [message] = request.body['messages'] as { content: string }[]
    void answerChat(wordsOf(Number(message?.content)))(request, reply)
  }
  const openai = openaiAt(network.baseURL)
  const all = Array.from({ length: PARALLEL }, (_, i) => i)
  const tokens = await chargeOf(network, async () => {
    const answers = await Promise.all(
      all.map(async (i) => {
        const messages = [{ role: 'user' as const, content: String(i) }]
        return readStream(await openai.chat.completions.create({ ...STREAM, messages }))
      }),
    )
    for (const [i, answer] of answers.entries())
      expect(answer).toMatchObject({ text: wordsOf(i).join(''), error: undefined })
  })
  expect(tokens).toBe(all.reduce((sum, i) => sum + 5n + BigInt(wordsOf(i).length), 0n))
  const shares = network.workers.map((worker) => worker.status().requests.succeeded)
  expect(Math.min(...shares)).toBeGreaterThan(PARALLEL / 4)
})

/** Events without end, as fast as they are taken. */
const endless: Script = (_request, reply) => {
  const event = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'x'.repeat(16_000) } }] })}\n\n`
  const write = (): void => {
    while (!reply.destroyed && reply.write(event));
  }
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  reply.on('drain', write)
  write()
}

test('a caller that does not read is cut off and the engine stopped, while others are served', async () => {
  engine.script = endless
  const before = engine.hungUp
  const { port } = new URL(network.baseURL)
  const body = JSON.stringify(STREAM)
  const socket = connect(Number(port), '127.0.0.1')
  let closed = false
  // Never a 'data' listener: what arrives stays in the kernel.
  socket.on('close', () => (closed = true)).on('error', () => undefined)
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  await until(() => network.proxy.status().requests.running === 1, 'the stream runs')
  engine.script = answerChat()
  const answer = await openaiAt(network.baseURL).chat.completions.create(HELLO)
  expect(answer.choices[0]?.message.content).toBe('Hello there!')
  await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  socket.resume()
  await until(() => closed, 'the caller is cut off')
})
