/** Files and batches as OpenAI's own library drives them, through a whole network. */
import { readdirSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import OpenAI from 'openai'
import type { Batch } from 'openai/resources/batches'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type BatchNode, chatLines, startBatchNode } from '../support/batch-node.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const PRICE_NANO = 2n
let engine: ScriptedEngine
let network: TestNetwork
let node: BatchNode
let openai: OpenAI

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url, worker: { maxActiveRequests: 8 } })
  node = await startBatchNode({ inference: network.client })
  openai = new OpenAI({ baseURL: `${await node.api.listen()}/v1`, apiKey: 'unused', maxRetries: 0 })
})
afterEach(() => {
  engine.script = answerChat()
})
afterAll(async () => {
  await node.close()
  await network.close()
  await engine.close()
})

const upload = (text: string) => openai.files.create({ file: new File([text], 'requests.jsonl'), purpose: 'batch' })

async function untilOver(id: string): Promise<Batch> {
  const isOver = async () =>
    ['completed', 'failed', 'expired', 'cancelled'].includes((await openai.batches.retrieve(id)).status)
  await until(isOver, 'the batch is over', 30_000)
  return openai.batches.retrieve(id)
}

interface OutputLine {
  readonly id: string
  readonly custom_id: string
  readonly response: {
    readonly status_code: number
    readonly request_id: string
    readonly body: Record<string, unknown>
  } | null
  readonly error: { readonly code: string; readonly message: string } | null
}

async function linesOf(file: string | null | undefined): Promise<readonly OutputLine[]> {
  if (typeof file !== 'string') return []
  const text = await (await openai.files.content(file)).text()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as OutputLine)
}

const echo: Script = (request, reply) => {
  const messages = request.body['messages'] as { content: string }[]
  void answerChat([`You said: ${messages[0]?.content}`])(request, reply)
}

test('a file of requests becomes a file of answers, each under its own id, and the batch tells what it cost', async () => {
  engine.script = echo
  const before = network.ledger.clients()[0]?.totals.max ?? 0n
  const file = await upload(chatLines(25))
  expect(file).toMatchObject({ object: 'file', purpose: 'batch', filename: 'requests.jsonl', status: 'processed' })
  const created = await openai.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata: { for: 'a test' },
  })
  expect(created).toMatchObject({ object: 'batch', status: 'validating', metadata: { for: 'a test' } })
  const batch = await untilOver(created.id)
  expect(batch).toMatchObject({
    status: 'completed',
    request_counts: { total: 25, completed: 25, failed: 0 },
    usage: { input_tokens: 125, output_tokens: 25, total_tokens: 150 },
  })
  expect(batch.error_file_id).toBeNull()
  for (const at of ['in_progress_at', 'finalizing_at', 'completed_at', 'expires_at'] as const)
    expect(batch[at]).toBeGreaterThanOrEqual(batch.created_at)
  const answers = await linesOf(batch.output_file_id)
  expect(answers.map((line) => line.custom_id)).toEqual(Array.from({ length: 25 }, (_, i) => `line-${i}`))
  for (const [i, line] of answers.entries()) {
    expect(line.error).toBeNull()
    expect(line.response?.status_code).toBe(200)
    expect(line.response?.body).toMatchObject({ choices: [{ message: { content: `You said: Say ${i}` } }] })
  }
  expect(new Set(answers.map((line) => line.id)).size).toBe(25)

  const charged = ((network.ledger.clients()[0]?.totals.max ?? 0n) - before) * PRICE_NANO
  expect((batch as unknown as { cost_nano: string }).cost_nano).toBe(String(charged))
  const { receipts } = await node.gateway.receipts({ limit: 100 })
  const requests = new Set(answers.map((line) => line.response?.request_id))
  const ours = receipts.filter((receipt) => requests.has(receipt.request))
  expect(ours).toHaveLength(25)
  expect(ours.reduce((sum, receipt) => sum + receipt.costNano, 0n)).toBe(charged)
})

test('completions, embeddings and responses are answered in a batch as they are live', async () => {
  engine.script = (request, reply) => {
    if (request.path === '/v1/embeddings') {
      const data = [{ object: 'embedding', index: 0, embedding: [0.5, -1] }]
      const usage = { prompt_tokens: 4, total_tokens: 4 }
      return void reply
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ object: 'list', data, usage }, null, 2))
    }
    if (request.path === '/v1/completions') {
      const usage = { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 }
      const choices = [{ index: 0, text: 'b', finish_reason: 'stop' }]
      return void reply
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ id: 'c', object: 'text_completion', choices, usage }))
    }
    return answerChat()(request, reply)
  }
  const bodies = {
    '/v1/completions': { model: 'test-model', prompt: 'a', max_tokens: 4 },
    '/v1/embeddings': { model: 'test-model', input: 'a' },
    '/v1/responses': { model: 'test-model', input: 'a', max_output_tokens: 32 },
  } as const
  const seen: Record<string, unknown> = {}
  for (const [url, body] of Object.entries(bodies)) {
    const file = await upload(JSON.stringify({ custom_id: 'one', method: 'POST', url, body }))
    const { id } = await openai.batches.create({
      input_file_id: file.id,
      endpoint: url as keyof typeof bodies,
      completion_window: '24h',
    })
    const batch = await untilOver(id)
    const [line] = await linesOf(batch.output_file_id)
    seen[url] = line?.response?.body
    expect(batch.usage?.input_tokens).toBeGreaterThan(0)
  }
  expect(seen).toMatchObject({
    '/v1/completions': { choices: [{ text: 'b' }] },
    '/v1/embeddings': { data: [{ embedding: [0.5, -1] }] },
    '/v1/responses': { object: 'response', status: 'completed', output: [{ content: [{ text: 'Hello there!' }] }] },
  })
})

test('what an engine refuses stands in the error file, and what fails in passing is tried again', async () => {
  const asked = new Map<string, number>()
  engine.script = (request, reply) => {
    const { content = '' } = (request.body['messages'] as { content: string }[])[0] ?? {}
    const times = (asked.get(content) ?? 0) + 1
    asked.set(content, times)
    if (content === 'Say 1')
      return void reply
        .writeHead(400, { 'content-type': 'application/json' })
        .end(
          '{"error":{"message":"too long","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}',
        )
    if (content === 'Say 2' && times === 1) return void reply.writeHead(500).end('broken')
    return answerChat()(request, reply)
  }
  const file = await upload(chatLines(4))
  const { id } = await openai.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  })
  const batch = await untilOver(id)
  expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 4, completed: 3, failed: 1 } })
  const answers = await linesOf(batch.output_file_id)
  expect(answers.map((line) => line.custom_id)).toEqual(['line-0', 'line-2', 'line-3'])
  const [failure, ...others] = await linesOf(batch.error_file_id)
  expect(others).toEqual([])
  expect(failure).toMatchObject({
    custom_id: 'line-1',
    response: { status_code: 400, body: { error: { code: 'context_length_exceeded' } } },
    error: null,
  })
  expect([asked.get('Say 1'), asked.get('Say 2')]).toEqual([1, 2])
})

test('a batch is cancelled: what was answered is kept, the rest is told so', async () => {
  let answered = 0
  const held: (() => unknown)[] = []
  engine.script = (request, reply) => {
    if (++answered > 6) return void held.push(() => answerChat()(request, reply))
    return answerChat()(request, reply)
  }
  const file = await upload(chatLines(40))
  const { id } = await openai.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  })
  await until(async () => (await openai.batches.retrieve(id)).request_counts?.completed === 6, 'six are answered')
  const cancelled = await openai.batches.cancel(id)
  expect(cancelled.status).toBe('cancelling')
  const refused = await openai.files.delete(file.id).catch((error: unknown) => error)
  expect(refused).toMatchObject({ status: 409, code: 'request.file-in-use' })
  // Those under way are let end.
  await until(() => held.length > 0, 'a line is under way')
  engine.script = answerChat()
  for (const answer of held) answer()
  const batch = await untilOver(id)
  expect(batch.status).toBe('cancelled')
  const answers = await linesOf(batch.output_file_id)
  const failures = await linesOf(batch.error_file_id)
  expect(answers.length).toBeGreaterThanOrEqual(6)
  expect(answers.length + failures.length).toBe(40)
  expect(failures.at(-1)).toMatchObject({ response: null, error: { code: 'batch_cancelled' } })
  expect(batch.request_counts).toEqual({ total: 40, completed: answers.length, failed: failures.length })
  await openai.files.delete(file.id)
  await expect(openai.files.retrieve(file.id)).rejects.toMatchObject({ status: 404 })
})

test('a wrong file makes a failed batch that names each line and its field, and nothing runs', async () => {
  const asked = engine.seen.length
  const right = JSON.parse(chatLines(1)) as { body: object }
  const file = await upload(
    [
      JSON.stringify(right),
      JSON.stringify({ ...right, custom_id: 'stream', body: { ...right.body, stream: true } }),
      JSON.stringify(right),
      '',
      '{"custom_id": "cut',
      JSON.stringify({ ...right, custom_id: 'hot', body: { ...right.body, temperature: 'hot' } }),
      JSON.stringify({ ...right, custom_id: 'elsewhere', url: '/v1/embeddings' }),
      JSON.stringify({ ...right, custom_id: 'got', method: 'GET' }),
    ].join('\n'),
  )
  const { id } = await openai.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  })
  const batch = await untilOver(id)
  expect(batch.status).toBe('failed')
  expect(batch.errors?.data).toEqual([
    expect.objectContaining({ line: 2, param: 'body.stream', code: 'request.bad-field' }),
    expect.objectContaining({ line: 3, param: 'custom_id', code: 'request.duplicate-custom-id' }),
    expect.objectContaining({ line: 5, param: null, code: 'request.bad-json' }),
    expect.objectContaining({ line: 6, param: 'body.temperature', code: 'request.bad-field' }),
    expect.objectContaining({ line: 7, param: 'url', code: 'request.bad-field' }),
    expect.objectContaining({ line: 8, param: 'method', code: 'request.bad-field' }),
  ])
  expect(batch.output_file_id).toBeNull()
  expect(engine.seen.length).toBe(asked)
})

test('files and batches are listed page by page, the newest first', async () => {
  const ids: string[] = []
  for await (const batch of openai.batches.list({ limit: 2 })) ids.push(batch.id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBeGreaterThanOrEqual(5)
  const files: OpenAI.FileObject[] = []
  for await (const file of openai.files.list({ limit: 3 })) files.push(file)
  expect(files.map((file) => file.created_at)).toEqual(files.map((file) => file.created_at).toSorted((a, b) => b - a))
  const outputs = await openai.files.list({ purpose: 'batch_output' })
  expect(outputs.data.length).toBeGreaterThan(0)
  expect(outputs.data.every((file) => file.purpose === 'batch_output')).toBe(true)
})

test('lines go to the cheapest worker while it has room, and cost what that one asks', async () => {
  const cheap = network.startWorker({ coefficient: 500, maxActiveRequests: 8 })
  await until(
    async () =>
      (await network.client.models()).models[0]?.workers.some((worker) => worker.coefficient === 500) === true,
    'the cheap worker is known',
  )
  // A node that has heard of no other offers.
  const fresh = await startBatchNode({ inference: network.client })
  const own = new OpenAI({ baseURL: `${await fresh.api.listen()}/v1`, apiKey: 'unused', maxRetries: 0 })
  const file = await own.files.create({ file: new File([chatLines(6)], 'in.jsonl'), purpose: 'batch' })
  const order = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' } as const
  const { id } = await own.batches.create(order)
  await until(async () => (await own.batches.retrieve(id)).status === 'completed', 'the batch is completed')
  const batch = (await own.batches.retrieve(id)) as Batch & { cost_nano: string }
  expect(batch.request_counts).toEqual({ total: 6, completed: 6, failed: 0 })
  // Eight tokens a line at half the price, rounded by class.
  expect(BigInt(batch.cost_nano)).toBeLessThanOrEqual((6n * 8n * PRICE_NANO) / 2n)
  expect(BigInt(batch.cost_nano)).toBeGreaterThan(0n)
  await fresh.close()
  await cheap.close(0)
})

test('an upload whose sender leaves is as if it had never been', async () => {
  const before = (await openai.files.list()).data.length
  const request = http.request(`${openai.baseURL}/files`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=XyZ' },
  })
  request.on('error', () => undefined)
  request.write('--XyZ\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\nbeginning')
  const parts = (): string[] => readdirSync(join(node.folder, 'files')).filter((name) => name.endsWith('.part'))
  await until(() => parts().length === 1, 'the upload has begun')
  request.destroy()
  await until(() => parts().length === 0, 'what came of it is gone')
  expect((await openai.files.list()).data).toHaveLength(before)
})
