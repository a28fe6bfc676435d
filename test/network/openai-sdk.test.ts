/** What OpenAI's own library sees of a whole network through the client's HTTP port. */
import OpenAI, { type APIError } from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { chargeOf, settled } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { HELLO, openaiAt, readStream, refusalOf, STREAM } from '../support/openai.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork
let openai: OpenAI

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({
    engineUrl: engine.url,
    http: true,
    worker: { maxActiveRequests: 4 },
    proxy: { maxQueuedRequests: 0 },
  })
  openai = openaiAt(network.baseURL)
})
afterEach(async () => {
  engine.script = answerChat()
  await settled(network)
})
afterAll(async () => {
  await network.close()
  await engine.close()
})

const answerJson =
  (body: object, status = 200): Script =>
  (_request, reply) =>
    void reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

/** Starts a stream and never goes on with it. */
const beginOnly: Script = (_request, reply) => {
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  reply.write('data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
}

const USAGE = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }

describe('answers', () => {
  test('a chat answer carries its cost in usage and headers, and is charged exactly that', async () => {
    let cost = ''
    const tokens = await chargeOf(network, async () => {
      const { data, response } = await openai.chat.completions.create(HELLO).withResponse()
      expect(data.choices[0]?.message.content).toBe('Hello there!')
      expect(data.usage).toMatchObject({ ...USAGE, total_cost: 16 })
      expect(response.headers.get('x-cocoon-evidence')).toBe('simulated')
      expect(Number(response.headers.get('x-cocoon-max-cost-nano'))).toBeGreaterThan(2 * 64)
      cost = response.headers.get('x-cocoon-cost-nano') ?? ''
    })
    expect([tokens, cost]).toEqual([8n, '16'])
  })

  test('a stream arrives in the engine’s chunks and counts as a success though the library closes at [DONE]', async () => {
    const { succeeded, failed } = network.client.status().requests
    const answer = await readStream(await openai.chat.completions.create(STREAM))
    expect(answer).toMatchObject({ text: 'Hello there!', error: undefined })
    expect(answer.chunks).toHaveLength(4)
    await until(() => network.client.status().requests.succeeded === succeeded + 1, 'the request has succeeded')
    expect(network.client.status().requests.failed).toBe(failed)
  })

  test('a stream with include_usage ends with usage and cost', async () => {
    const request = { ...STREAM, stream_options: { include_usage: true } }
    const { chunks } = await readStream(await openai.chat.completions.create(request))
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { ...USAGE, total_cost: 16 } })
  })

  test('tools, tool calls and fields nobody here knows pass through unchanged', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } }
    const message = { role: 'assistant', content: null, tool_calls: [call] }
    const choices = [{ index: 0, message, finish_reason: 'tool_calls' }]
    engine.script = answerJson({ id: 'c', object: 'chat.completion', choices, usage: USAGE })
    const parameters = { type: 'object', properties: { city: { type: 'string' } } }
    const asked = {
      tools: [{ type: 'function' as const, function: { name: 'weather', parameters } }],
      tool_choice: 'required' as const,
      parallel_tool_calls: false,
      top_k: 7,
    }
    const answer = await openai.chat.completions.create({ ...HELLO, ...asked })
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message })
    expect(engine.seen.at(-1)?.body).toEqual({ ...HELLO, ...asked })
  })

  test('a JSON schema reaches the engine as it was given', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] }
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'n', strict: true, schema } }
    await openai.chat.completions.create({ ...HELLO, response_format })
    expect(engine.seen.at(-1)?.body['response_format']).toEqual(response_format)
  })

  test('completions and embeddings are answered and charged', async () => {
    engine.script = answerJson({ object: 'text_completion', choices: [{ index: 0, text: 'b' }], usage: USAGE })
    const completion = await chargeOf(network, async () => {
      const answer = await openai.completions.create({ model: 'test-model', prompt: 'a', max_tokens: 10 })
      expect(answer.choices[0]?.text).toBe('b')
    })
    engine.script = answerJson({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.5, -1] }],
      usage: { prompt_tokens: 4, total_tokens: 4 },
    })
    const embedding = await chargeOf(network, async () => {
      const request = { model: 'test-model', input: 'abc', encoding_format: 'float' as const }
      expect((await openai.embeddings.create(request)).data[0]?.embedding).toEqual([0.5, -1])
    })
    expect([completion, embedding]).toEqual([8n, 4n])
  })

  test('models are listed with their workers, and one is found by its name', async () => {
    const workers = [{ coefficient: 1000, running_requests: 0, max_running_requests: 4 }]
    expect((await openai.models.list()).data).toMatchObject([{ id: 'test-model', object: 'model', workers }])
    expect(await openai.models.retrieve('test-model')).toMatchObject({ id: 'test-model', workers })
    expect(await refusalOf(openai.models.retrieve('other'))).toBeInstanceOf(OpenAI.NotFoundError)
  })
})

describe('a caller that leaves', () => {
  test.each(['break', 'abort'] as const)('a stream by %s stops the engine and leaves no hold', async (how) => {
    engine.script = beginOnly
    const before = engine.hungUp
    const stream = await openai.chat.completions.create(STREAM)
    for await (const _ of stream) {
      if (how === 'break') break
      stream.controller.abort()
    }
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  })

  test('before the first byte stops the engine too', async () => {
    engine.script = () => undefined
    const before = engine.hungUp
    const abort = new AbortController()
    const answer = openai.chat.completions.create(HELLO, { signal: abort.signal })
    await until(() => network.workers[0]?.status().requests.running === 1, 'the request runs')
    abort.abort()
    await expect(answer).rejects.toThrow(OpenAI.APIUserAbortError)
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  })
})

describe('refusals charge nothing, and', () => {
  const refused = async (request: object, n = network): Promise<APIError> => {
    let error: APIError | undefined
    const tokens = await chargeOf(n, async () => {
      error = await refusalOf(openaiAt(n.baseURL).chat.completions.create({ ...HELLO, ...request }))
    })
    expect(tokens).toBe(0n)
    return error as APIError
  }

  test('an unknown model is a NotFoundError', async () => {
    const error = await refused({ model: 'nobody-has-this' })
    expect(error).toBeInstanceOf(OpenAI.NotFoundError)
    expect(error).toMatchObject({ status: 404, code: 'model_not_found', type: 'invalid_request_error' })
  })

  test.each([
    [{ temperature: 'hot' }, 'temperature', 'request.bad-field'],
    [{ max_tokens: 0 }, 'max_tokens', 'request.bad-field'],
    [{ messages: [] }, 'messages', 'request.bad-field'],
    [{ n: 0 }, 'n', 'request.bad-field'],
    [{ stream: 'yes' }, 'stream', 'request.bad-field'],
    [{ max_tokens: 10, max_completion_tokens: 11 }, 'max_completion_tokens', 'request.conflicting-limits'],
    [{ max_tokens: 2 ** 31 - 1, n: 2 }, 'max_tokens', 'request.too-many-tokens'],
  ])('%j is a BadRequestError that names the field', async (field, param, code) => {
    const error = await refused(field)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ status: 400, param, code })
  })

  test('a body that is no JSON is a BadRequestError', async () => {
    const answer = await fetch(`${network.baseURL}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"model": "test-model", "messages": [',
    })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: 'request.bad-json' } }])
  })

  test('a price above max_coefficient is 503 with the price', async () => {
    const error = await refused({ max_coefficient: 999 })
    expect(error).toMatchObject({ status: 503, code: 'capacity.price' })
    expect(error.message).toContain('one that asks 1000')
  })

  test('a request above the balance is 402', async () => {
    const poor = await startNetwork({ engineUrl: engine.url, http: true, cocoon: { client_balance_nano: '1000' } })
    try {
      const error = await refused({ max_tokens: 1000 }, poor)
      // At the default coefficient even a short request could cost more than there is.
      const cheap = { ...HELLO, max_coefficient: 1000 }
      expect(error).toMatchObject({ status: 402, code: 'payment.balance', type: 'insufficient_quota' })
      expect(await chargeOf(poor, () => openaiAt(poor.baseURL).chat.completions.create(cheap))).toBe(8n)
    } finally {
      await poor.close()
    }
  })

  test('more requests than the worker takes are a RateLimitError with a time to try again', async () => {
    engine.script = beginOnly
    const streams = await Promise.all(Array.from({ length: 4 }, () => openai.chat.completions.create(STREAM)))
    const error = await refusalOf(openai.chat.completions.create(HELLO))
    expect(error).toBeInstanceOf(OpenAI.RateLimitError)
    expect(error).toMatchObject({ status: 429, code: 'capacity.busy' })
    expect(error.headers?.get('retry-after')).toBe('1')
    for (const stream of streams) stream.controller.abort()
  })
})
