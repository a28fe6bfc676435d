/** What a worker's engine says of its model, on its way to the scheduler, to `/v1/models` and to whoever asks for too much. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

/** In front of an engine: adds to its list of models what it can do. */
async function describing(engine: ScriptedEngine, entry: object): Promise<{ server: Server; url: string }> {
  const server = createServer((request, reply) => {
    if (request.method === 'GET')
      return void reply.end(JSON.stringify({ data: [{ id: 'test-model', object: 'model', ...entry }] }))
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const raw = Buffer.concat(chunks)
      const seen = { path: request.url ?? '', body: JSON.parse(raw.toString()), raw, headers: request.headers }
      engine.seen.push(seen)
      void engine.script(seen, reply)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const TEXT_ONLY = { max_model_len: 2048, abilities: { can: ['chat', 'tools'], cannot: ['vision', 'embeddings'] } }
let engines: readonly [ScriptedEngine, ScriptedEngine]
let fronts: readonly Awaited<ReturnType<typeof describing>>[]
let network: TestNetwork
let openai: OpenAI

beforeAll(async () => {
  engines = [await startScriptedEngine(answerChat()), await startScriptedEngine(answerChat())]
  fronts = [await describing(engines[0], TEXT_ONLY), await describing(engines[1], { max_model_len: 8192 })]
  network = await startNetwork({ engineUrl: fronts[0]?.url ?? '', http: true })
  openai = new OpenAI({ baseURL: network.baseURL, apiKey: 'unused', maxRetries: 0 })
  await until(async () => (await listed()).capabilities !== null, 'the worker has said what it can do')
})
afterAll(async () => {
  await network.close()
  for (const { server } of fronts) server.close().closeAllConnections()
  await Promise.all(engines.map((engine) => engine.close()))
})

interface Listed {
  readonly capabilities: readonly string[] | null
  readonly workers: readonly object[]
}
const listed = async (): Promise<Listed> => (await openai.models.retrieve('test-model')) as unknown as Listed
const IMAGE = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } } as const
const seeing = () =>
  openai.chat.completions.create({
    model: 'test-model',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, IMAGE] }],
  })

test('the list of models tells what the worker said, and what it proved', async () => {
  expect(await listed()).toMatchObject({
    capabilities: ['chat', 'tools'],
    context_length: 2048,
    evidence: 'simulated',
    workers: [{ capabilities: ['chat', 'tools'], missing: ['embeddings', 'vision'], context_length: 2048 }],
  })
})

test('what nobody can do is refused before any engine is asked, naming the field', async () => {
  await expect(seeing()).rejects.toMatchObject({
    status: 400,
    code: 'request.unsupported',
    param: 'messages[0].content[1]',
  })
  await expect(openai.embeddings.create({ model: 'test-model', input: 'x' })).rejects.toMatchObject({ param: 'input' })
  const tooLong = { model: 'test-model', messages: [{ role: 'user' as const, content: 'hi' }], max_tokens: 4000 }
  await expect(openai.chat.completions.create(tooLong)).rejects.toMatchObject({
    status: 400,
    code: 'context_length_exceeded',
    param: 'max_tokens',
  })
  expect(engines[0].seen).toHaveLength(0)
})

test('with a worker that may be able to, it goes there and nowhere else', async () => {
  network.startWorker({}, fronts[1]?.url)
  await until(async () => (await listed()).workers.length === 2, 'the second worker is there')
  for (let i = 0; i < 4; i++) await seeing()
  expect([engines[0].seen.length, engines[1].seen.length]).toEqual([0, 4])
})
