/** Files and batches of the in-process client, by OpenAI's library, on a real network. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toFile } from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CocoonClient, type CreateClientOptions, createClient } from '../../src/sdk/index.ts'
import { chatLines } from '../support/batch-node.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { HELLO, openaiAt } from '../support/openai.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork
let statePath: string
const clients = new Set<CocoonClient>()

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url, http: true })
})
beforeEach(() => {
  engine.script = answerChat()
  statePath = join(mkdtempSync(join(tmpdir(), 'cocoon-sdk-batches-')), 'state')
})
afterEach(async () => {
  await Promise.all([...clients].map((client) => client.close()))
  clients.clear()
  rmSync(statePath, { recursive: true, force: true })
})
afterAll(async () => {
  await network.close()
  await engine.close()
})

function open(options: Partial<CreateClientOptions> = { batches: { statePath } }) {
  const cocoon = createClient({ network: network.file, ...options })
  clients.add(cocoon)
  return { cocoon, openai: openaiAt('http://cocoon/v1', cocoon.fetch) }
}

const order = (input_file_id: string) =>
  ({ input_file_id, endpoint: '/v1/chat/completions', completion_window: '24h' }) as const

test('a file is uploaded, its lines are answered, and the output and the lists tell it', async () => {
  const { openai } = open()
  const file = await openai.files.create({
    purpose: 'batch',
    file: await toFile(Buffer.from(chatLines(5)), 'in.jsonl'),
  })
  expect(await (await openai.files.content(file.id)).text()).toBe(chatLines(5))
  const { id } = await openai.batches.create(order(file.id))
  await until(async () => (await openai.batches.retrieve(id)).status === 'completed', 'the batch is over')
  const batch = await openai.batches.retrieve(id)
  expect(batch).toMatchObject({ request_counts: { total: 5, completed: 5, failed: 0 }, cost_nano: '80' })
  const output = await (await openai.files.content(batch.output_file_id ?? '')).text()
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, never>)
  expect(lines.map((line) => line['custom_id'])).toEqual(Array.from({ length: 5 }, (_, i) => `line-${i}`))
  expect(lines[0]).toMatchObject({
    response: { status_code: 200, body: { choices: [{ message: { content: 'Hello there!' } }] } },
  })
  expect((await openai.batches.list()).data.map((one) => one.id)).toEqual([id])
  expect((await openai.files.list()).data).toHaveLength(2)
  expect(await openai.files.delete(file.id)).toMatchObject({ deleted: true })
  await expect(openai.files.retrieve(file.id)).rejects.toMatchObject({ status: 404, code: 'request.no-file' })
})

test('a batch that a client leaves is gone on with by the next one that opens the folder', async () => {
  let asked = 0
  engine.script = (request, reply) => (++asked <= 2 ? answerChat()(request, reply) : undefined)
  const first = open({ batches: { statePath, maxRunning: 1 }, closeGraceMs: 0 })
  const file = await first.openai.files.create({
    purpose: 'batch',
    file: await toFile(Buffer.from(chatLines(4)), 'in.jsonl'),
  })
  const { id } = await first.openai.batches.create(order(file.id))
  await until(() => asked === 3, 'two lines are answered and one is under way')
  await first.cocoon.close()
  engine.script = answerChat()
  const { openai } = open()
  await until(async () => (await openai.batches.retrieve(id)).status === 'completed', 'the batch is over')
  expect((await openai.batches.retrieve(id)).request_counts).toEqual({ total: 4, completed: 4, failed: 0 })
})

test('without a folder files and batches are refused, naming the option, and all else works', async () => {
  const { openai } = open({})
  const refusal = { status: 404, code: 'request.not-found', message: expect.stringContaining("'batches.statePath'") }
  await expect(openai.batches.list()).rejects.toMatchObject(refusal)
  const upload = openai.files.create({ purpose: 'batch', file: await toFile(Buffer.from('x'), 'in.jsonl') })
  await expect(upload).rejects.toMatchObject(refusal)
  expect((await openai.chat.completions.create(HELLO)).object).toBe('chat.completion')
})

test('a folder that another client holds is told by ready and to whoever needs it, and holds up nothing else', async () => {
  const { openai } = open()
  await openai.files.list()
  const other = open()
  await expect(other.cocoon.ready()).rejects.toMatchObject({ code: 'config.gateway-in-use' })
  await expect(other.openai.files.list()).rejects.toMatchObject({ status: 500, code: 'config.gateway-in-use' })
  expect((await other.openai.chat.completions.create(HELLO)).object).toBe('chat.completion')
})

test('refusals are those of the HTTP API, and a caller that leaves gets its own reason', async () => {
  const { cocoon, openai } = open()
  const wrong = await cocoon.fetch('http://cocoon/v1/batches', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"endpoint":"/v1/nothing"}',
  })
  expect([wrong.status, ((await wrong.json()) as { error: object }).error]).toMatchObject([
    400,
    { code: 'request.bad-field', param: expect.any(String) },
  ])
  expect(wrong.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/)
  expect((await cocoon.fetch('http://cocoon/v1/batches', { method: 'PUT' })).status).toBe(405)
  await expect(openai.batches.create(order('file-none'))).rejects.toMatchObject({ code: 'request.no-file' })
  const leaving = new AbortController()
  const endless = new ReadableStream<Uint8Array>({ pull: (to) => to.enqueue(new Uint8Array(1000)) })
  const upload = cocoon.fetch('http://cocoon/v1/files', {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    body: endless,
    signal: leaving.signal,
    duplex: 'half',
  } as RequestInit)
  leaving.abort(new Error('enough'))
  await expect(upload).rejects.toThrow('enough')
  expect((await openai.files.list()).data).toEqual([])
  const file = await openai.files.create({ purpose: 'batch', file: new File(['x'.repeat(1 << 20)], 'in.jsonl') })
  const reading = new AbortController()
  const content = await cocoon.fetch(`http://cocoon/v1/files/${file.id}/content`, { signal: reading.signal })
  reading.abort(new Error('enough of it'))
  await expect(content.arrayBuffer()).rejects.toThrow('enough of it')
})
