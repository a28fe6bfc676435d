/** The in-process client on a real network: same answers as the HTTP port, without the port. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import { APIError, APIUserAbortError } from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type CocoonClient, createClient } from '../../src/sdk/index.ts'
import { chargeOf, settled } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { HELLO, openaiAt, readStream, STREAM } from '../support/openai.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork
let cocoon: CocoonClient

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url, http: true })
  cocoon = createClient({ network: network.file })
})
afterEach(async () => {
  engine.script = answerChat()
  await settled(network)
})
afterAll(async () => {
  await cocoon.close()
  await network.close()
  await engine.close()
})

const openai = () => openaiAt('http://cocoon/v1', cocoon.fetch)

const post = (body: object | string, init: RequestInit = {}): Promise<Response> =>
  cocoon.fetch('https://anything/v1/chat/completions?x=1', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  })

const onePiece: Script = (_request, reply) => {
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  reply.write('data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
}

describe('answers', () => {
  test('the first request waits for the connection by itself', async () => {
    await using fresh = createClient({ network: network.file })
    expect(fresh.status().proxies[0]?.ready ?? false).toBe(false)
    const answer = await openaiAt('http://cocoon/v1', fresh.fetch).chat.completions.create(HELLO)
    expect(answer.choices[0]?.message.content).toBe('Hello there!')
  })

  test('a whole answer has its cost in the headers and in costOf', async () => {
    const { data, response } = await openai().chat.completions.create(HELLO).withResponse()
    expect(data.choices[0]?.message.content).toBe('Hello there!')
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-cocoon-cost-nano': '16',
      'x-cocoon-tokens': '8',
      'x-cocoon-evidence': 'simulated',
      'x-request-id': expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    expect(await cocoon.costOf(response)).toEqual({ costNano: 16n, tokens: 8n })
  })

  test('a stream arrives whole, and its cost is known although the library closes at [DONE]', async () => {
    const { data, response } = await openai().chat.completions.create(STREAM).withResponse()
    expect(await readStream(data)).toMatchObject({ text: 'Hello there!', error: undefined })
    expect(await cocoon.costOf(response)).toEqual({ costNano: 16n, tokens: 8n })
  })

  test('the AI SDK generates and streams text', async () => {
    const provider = createOpenAICompatible({ name: 'cocoon', baseURL: 'http://cocoon/v1', fetch: cocoon.fetch })
    const model = provider('test-model')
    expect((await generateText({ model, prompt: 'Hi', maxOutputTokens: 64 })).text).toBe('Hello there!')
    const { textStream } = streamText({ model, prompt: 'Hi', maxOutputTokens: 64 })
    let text = ''
    for await (const piece of textStream) text += piece
    expect(text).toBe('Hello there!')
  })

  test('models are the same as over HTTP', async () => {
    const over = async (fetch?: typeof globalThis.fetch): Promise<unknown> => {
      const client = openaiAt(network.baseURL, fetch)
      return [(await client.models.list()).data, await client.models.retrieve('test-model')]
    }
    expect(await over(cocoon.fetch)).toEqual(await over())
    expect(await cocoon.models()).toMatchObject([{ id: 'test-model' }])
  })

  test('a Request object and a streamed body are read like any other', async () => {
    const body = new Blob([JSON.stringify(HELLO)]).stream()
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
    const answer = await cocoon.fetch(new Request('http://cocoon/v1/chat/completions', init))
    expect([answer.status, await answer.json()]).toMatchObject([200, { object: 'chat.completion' }])
  })
})

describe('refusals', () => {
  const JSON_TYPE = { 'content-type': 'application/json' }
  test.each<[what: string, path: string, init: RequestInit]>([
    ['an unknown model', '/chat/completions', { body: JSON.stringify({ ...HELLO, model: 'x' }) }],
    ['a bad field', '/chat/completions', { body: JSON.stringify({ ...HELLO, max_tokens: -1 }) }],
    ['no JSON', '/chat/completions', { body: 'no JSON' }],
    ['an empty body', '/chat/completions', {}],
    ['another content type', '/chat/completions', { body: '{}', headers: { 'content-type': 'text/plain' } }],
    ['another method', '/chat/completions', { method: 'PUT', body: '{}' }],
    ['a model that is not there', '/models/none', { method: 'GET' }],
    ['too high a price', '/chat/completions', { body: JSON.stringify({ ...HELLO, max_coefficient: 1 }) }],
    ['a body above the limit', '/chat/completions', { body: JSON.stringify({ ...HELLO, x: 'x'.repeat(9 << 20) }) }],
  ])('%s has the status and the body that HTTP gives', async (_what, path, init) => {
    const whole = { method: 'POST', headers: JSON_TYPE, ...init }
    const answers = await Promise.all([
      cocoon.fetch(`http://cocoon/v1${path}`, whole),
      fetch(`${network.baseURL}${path}`, whole),
    ])
    const [own, http] = await Promise.all(
      answers.map(async (answer) => ({
        status: answer.status,
        type: answer.headers.get('content-type')?.split(';')[0],
        allow: answer.headers.get('allow'),
        body: (await answer.json()) as { error: { message: string } },
      })),
    )
    expect(own?.status).toBeGreaterThanOrEqual(400)
    expect(own).toEqual(http)
  })

  test('a path without /v1 says how the base URL ends', async () => {
    const answer = await cocoon.fetch('http://cocoon/chat/completions', { method: 'POST', body: '{}' })
    expect(answer.status).toBe(404)
    expect(await answer.text()).toContain('ends in /v1')
  })

  test('more requests than maxRunning are 429, and the place is free again afterwards', async () => {
    await using narrow = createClient({ network: network.file, maxRunning: 1 })
    const client = openaiAt('http://cocoon/v1', narrow.fetch)
    engine.script = onePiece
    const stream = await client.chat.completions.create(STREAM)
    await expect(client.chat.completions.create(HELLO)).rejects.toMatchObject({ status: 429, code: 'capacity.busy' })
    stream.controller.abort()
    engine.script = answerChat()
    await until(
      () =>
        client.chat.completions.create(HELLO).then(
          () => true,
          () => false,
        ),
      'a request is served again',
    )
  })

  test('without a proxy are 503 after the wait, and ready tells why', async () => {
    const nobody = { ...network.file, registered_proxies: [{ seqno: 1, address: '127.0.0.1:1' }] }
    await using lonely = createClient({ network: nobody, connectWaitMs: 100 })
    const answer = await lonely.fetch('http://cocoon/v1/models')
    expect([answer.status, await answer.json()]).toMatchObject([503, { error: { code: 'capacity.no-proxy' } }])
    await expect(lonely.ready(AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'capacity.no-proxy' })
  })

  test('a proxy whose evidence is less than the network asks for is refused, and ready says so', async () => {
    const plain = await startNetwork({ engineUrl: engine.url, cocoon: { evidence: 'none' } })
    try {
      await using trusting = createClient({ network: plain.file })
      await trusting.ready()
      expect(trusting.status().proxies[0]).toMatchObject({ ready: true, evidence: 'none' })
      await using strict = createClient({ network: { ...plain.file, cocoon: { evidence: 'real' } } })
      await until(() => strict.status().proxies[0]?.lastFailure !== null, 'a connection was tried')
      await expect(strict.ready(AbortSignal.abort())).rejects.toMatchObject({
        code: 'capacity.no-proxy',
        message: expect.stringContaining('evidence'),
      })
    } finally {
      await plain.close()
    }
  })
})

describe('a caller that leaves', () => {
  test('by its signal rejects with the signal’s reason and stops the engine', async () => {
    engine.script = () => undefined
    const before = engine.hungUp
    const abort = new AbortController()
    const answer = post(HELLO, { signal: abort.signal })
    await until(() => network.proxy.status().requests.running === 1, 'the request runs')
    const why = new Error('enough')
    abort.abort(why)
    await expect(answer).rejects.toBe(why)
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
    await expect(post(HELLO, { signal: AbortSignal.abort(why) })).rejects.toBe(why)
  })

  test('in the middle of a stream errors the body and stops the engine', async () => {
    engine.script = onePiece
    const before = engine.hungUp
    const abort = new AbortController()
    const response = await post(STREAM, { signal: abort.signal })
    const reader = response.body?.getReader()
    expect((await reader?.read())?.done).toBe(false)
    abort.abort()
    await expect(reader?.read()).rejects.toMatchObject({ name: 'AbortError' })
    expect(await cocoon.costOf(response)).toBeUndefined()
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  })

  test('through the library is an APIUserAbortError', async () => {
    engine.script = () => undefined
    const abort = new AbortController()
    const answer = openai().chat.completions.create(HELLO, { signal: abort.signal })
    await until(() => network.proxy.status().requests.running === 1, 'the request runs')
    abort.abort()
    await expect(answer).rejects.toThrow(APIUserAbortError)
  })

  test('by reading nothing is cut off at maxUndeliveredBytes, and finds an error after what it had', async () => {
    await using narrow = createClient({ network: network.file, maxUndeliveredBytes: 64 * 1024 })
    const event = `data: {"choices":[{"delta":{"content":"${'x'.repeat(16_000)}"}}]}\n\n`
    engine.script = (_request, reply) => {
      const write = (): void => {
        while (!reply.destroyed && reply.write(event));
      }
      reply.writeHead(200, { 'content-type': 'text/event-stream' })
      reply.on('drain', write)
      write()
    }
    const before = engine.hungUp
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(STREAM) }
    const response = await narrow.fetch('http://cocoon/v1/chat/completions', init)
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
    await expect(response.text()).rejects.toMatchObject({ code: 'capacity.slow-reader' })
  })
})

describe('close', () => {
  test('lets a running answer finish and refuses new ones', async () => {
    const leaving = createClient({ network: network.file })
    let finish: (() => void) | undefined
    engine.script = (request, reply) => {
      finish = () => void answerChat()(request, reply)
    }
    const answer = openaiAt('http://cocoon/v1', leaving.fetch).chat.completions.create(HELLO)
    await until(() => finish !== undefined, 'the engine has the request')
    const closed = leaving.close()
    const late = await leaving.fetch('http://cocoon/v1/chat/completions', { method: 'POST', body: '{}' })
    expect([late.status, await late.json()]).toMatchObject([503, { error: { code: 'capacity.shutting-down' } }])
    finish?.()
    expect((await answer).choices[0]?.message.content).toBe('Hello there!')
    await closed
  })

  test('after its patience ends streams with an error', async () => {
    const leaving = createClient({ network: network.file, closeGraceMs: 50 })
    engine.script = onePiece
    const stream = await openaiAt('http://cocoon/v1', leaving.fetch).chat.completions.create(STREAM)
    const reading = readStream(stream)
    await leaving.close()
    expect(await reading).toMatchObject({ text: 'a', error: expect.any(APIError) })
  })
})

test('both doors charge the same for the same', async () => {
  const viaHttp = await chargeOf(network, () => openaiAt(network.baseURL).chat.completions.create(HELLO))
  expect(await chargeOf(network, () => openai().chat.completions.create(HELLO))).toBe(viaHttp)
})

test('a request that is repeated under its Idempotency-Key reaches the engine once and gets the same answer', async () => {
  const before = engine.seen.length
  const once = { headers: { 'content-type': 'application/json', 'idempotency-key': 'sdk-1' } }
  const [first, second] = await Promise.all([post(HELLO, once), post(HELLO, once)])
  expect(await second.json()).toEqual(await first.json())
  expect([first, second].filter((one) => one.headers.has('idempotent-replayed'))).toHaveLength(1)
  expect(engine.seen.length - before).toBe(1)
  const other = await post({ ...HELLO, max_tokens: 7 }, once)
  expect(await other.json()).toMatchObject({ error: { code: 'request.idempotency-key' } })
})
