/** The official client library against a listening server: what it must be able to tell its caller. */
import OpenAI from 'openai'
import { afterEach, describe, expect, test } from 'vitest'
import { CocoonError, type ErrorCode } from '../util/index.ts'
import { type ApiUnderTest, apiUnderTest, chunk, COMPLETION, DONE } from './api-under-test.ts'
import type { ScriptedCall } from './scripted-inference.ts'

const open: ApiUnderTest[] = []
afterEach(async () => {
  for (const api of open.splice(0)) await api.close()
})

async function serve(
  script: (call: ScriptedCall) => unknown,
  options: Record<string, unknown> = {},
  apiKey = 'unused-key',
) {
  const api = apiUnderTest({ script, options })
  open.push(api)
  const client = new OpenAI({ baseURL: `${await api.listen()}/v1`, apiKey, maxRetries: 0, logLevel: 'off' })
  return { api, client }
}

const messages = [{ role: 'user' as const, content: 'hello' }]
const ask = { model: 'test/model', messages }

const answerWhole = (call: ScriptedCall): void => {
  call.head()
  call.part(COMPLETION.slice(0, 30))
  call.part(COMPLETION.slice(30))
  call.end()
}

/** A worker of a proxy that tells only what it must. */
const NOTHING_TOLD = { capabilities: null, missing: null, context_length: null, evidence: null }

describe('without streaming', () => {
  test('an answer arrives whole, its price in the usage and in the headers', async () => {
    const { client } = await serve(answerWhole)
    const { data, response, request_id } = await client.chat.completions.create(ask).withResponse()
    expect(data.choices[0]?.message.content).toBe('Hello.')
    expect(data.usage).toMatchObject({ total_cost: 268 })
    const header = (name: string): string | null => response.headers.get(name)
    expect(header('x-cocoon-cost-nano')).toBe('268')
    expect(header('x-cocoon-tokens')).toBe('134')
    expect(header('x-cocoon-max-cost-nano')).toBe('2000')
    expect(header('x-cocoon-evidence')).toBe('simulated')
    expect(header('x-cocoon-proxy')).toBe('proxy-1')
    expect(header('content-length')).toBe(String(COMPLETION.length))
    expect(header('x-cocoon-client-start')).toMatch(/^\d+\.\d{6}$/)
    expect(Number(header('x-cocoon-client-end'))).toBeGreaterThanOrEqual(Number(header('x-cocoon-client-start')))
    expect(request_id).toBe(header('x-cocoon-request-id'))
  })

  test('credentials and the names of programs stay with the client node', async () => {
    const { api, client } = await serve(answerWhole)
    await client.chat.completions.create(ask, { headers: { cookie: 'session=1' } })
    expect(api.inference.calls[0]?.request.headers.map(([name]) => name)).toEqual([
      'content-type',
      'accept',
      'content-length',
    ])
    expect(JSON.stringify(api.inference.calls[0]?.request)).not.toContain('unused-key')
  })

  test('embeddings and text completions take their own paths', async () => {
    const { api, client } = await serve((call) => {
      call.head()
      call.part(
        '{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"choices":[{"text":"x"}]}',
      )
      call.end()
    })
    const embedded = await client.embeddings.create({ model: 'm', input: 'a', encoding_format: 'float' })
    expect(embedded.data[0]?.embedding).toEqual([0.5])
    expect((await client.completions.create({ model: 'm', prompt: 'a' })).choices[0]?.text).toBe('x')
    expect(api.inference.calls.map(({ request }) => [request.path, request.maxTokens])).toEqual([
      ['/v1/embeddings', 0],
      ['/v1/completions', 1000],
    ])
  })

  test('models are listed and found by ids with slashes', async () => {
    const { api, client } = await serve(() => {})
    api.inference.offers = [
      {
        id: 'a/b',
        workers: [
          { coefficient: 1500, runningRequests: 13, maxRunningRequests: 0, proxies: ['p:1'] },
          { coefficient: 500, runningRequests: 2, maxRunningRequests: 60, proxies: ['p:1', 'p:2'] },
        ],
      },
      { id: 'c', workers: [] },
    ]
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['a/b', 'c'])
    expect(await client.models.retrieve('a/b')).toEqual({
      id: 'a/b',
      object: 'model',
      created: 0,
      owned_by: 'cocoon',
      load: 0.25,
      price_per_million_nano: { prompt: '1000000', cached: '1000000', completion: '1000000', reasoning: '1000000' },
      workers: [
        { coefficient: 1500, running_requests: 13, max_running_requests: 0, proxies: ['p:1'], ...NOTHING_TOLD },
        { coefficient: 500, running_requests: 2, max_running_requests: 60, proxies: ['p:1', 'p:2'], ...NOTHING_TOLD },
      ],
      capabilities: null,
      context_length: null,
      evidence: null,
    })
    expect(await client.models.retrieve('c')).toMatchObject({ load: null, price_per_million_nano: null })
    await expect(client.models.retrieve('x/y')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
    api.inference.offers = new CocoonError('capacity.no-proxy', { message: 'No proxy is ready.' })
    await expect(client.models.list()).rejects.toMatchObject({ status: 503, code: 'capacity.no-proxy' })
  })
})

describe('errors', () => {
  test.each<[ErrorCode, number, string, string, string]>([
    ['request.bad-field', 400, 'BadRequestError', 'invalid_request_error', 'request.bad-field'],
    ['request.unknown-model', 404, 'NotFoundError', 'invalid_request_error', 'model_not_found'],
    ['payment.too-low', 402, 'APIError', 'insufficient_quota', 'payment.too-low'],
    ['capacity.busy', 429, 'RateLimitError', 'rate_limit_error', 'capacity.busy'],
    ['capacity.no-worker', 503, 'InternalServerError', 'server_error', 'capacity.no-worker'],
    ['capacity.timeout', 504, 'InternalServerError', 'server_error', 'capacity.timeout'],
    ['attestation.refused', 502, 'InternalServerError', 'server_error', 'attestation.refused'],
    ['protocol.closed', 502, 'InternalServerError', 'server_error', 'protocol.closed'],
    ['tl.truncated', 502, 'InternalServerError', 'server_error', 'tl.truncated'],
    ['engine.unreachable', 502, 'InternalServerError', 'server_error', 'engine.unreachable'],
    ['engine.timeout', 504, 'InternalServerError', 'server_error', 'engine.timeout'],
    ['chain.stale', 503, 'InternalServerError', 'server_error', 'chain.stale'],
    ['config.missing', 500, 'InternalServerError', 'server_error', 'config.missing'],
    ['model.missing', 500, 'InternalServerError', 'server_error', 'model.missing'],
    ['bug.unexpected', 500, 'InternalServerError', 'server_error', 'bug.unexpected'],
  ])('%s is status %i and raises %s', async (code, status, name, type, openAiCode) => {
    const { client } = await serve((call) => call.fail(new CocoonError(code, { message: 'Details.', field: 'model' })))
    const error = await client.chat.completions.create(ask).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect((error as Error).constructor.name).toBe(name)
    expect(error).toMatchObject({ status, type, code: openAiCode, param: 'model' })
    if (status === 500) expect((error as Error).message).not.toContain('Details')
    else expect((error as Error).message).toContain('Details')
  })

  test('what an inference throws is answered like what it fails with', async () => {
    const { client } = await serve(() => {
      throw new TypeError('private: undefined is not a function')
    })
    const error = await client.chat.completions.create(ask).catch((thrown: unknown) => thrown as Error)
    expect(error).toMatchObject({ status: 500, code: 'bug.unexpected' })
    expect((error as Error).message).not.toContain('private')
  })

  test('the time to wait is given in seconds and milliseconds', async () => {
    const { client } = await serve((call) => call.fail(new CocoonError('capacity.busy', { retryAfterMs: 1500 })))
    const error = (await client.chat.completions.create(ask).catch((e: unknown) => e)) as InstanceType<
      typeof OpenAI.APIError
    >
    expect(error.headers?.get('retry-after')).toBe('2')
    expect(error.headers?.get('retry-after-ms')).toBe('1500')
  })

  test('an error of the engine passes as it is', async () => {
    const { client } = await serve((call) => {
      call.head('application/json', 422)
      call.part('{"error":{"message":"engine says no","type":"t","param":"top_k","code":"c"}}')
      call.end()
    })
    await expect(client.chat.completions.create({ ...ask, stream: true })).rejects.toMatchObject({
      status: 422,
      code: 'c',
      param: 'top_k',
    })
  })

  test('a failure while the answer is still held back gives the error and nothing of the answer', async () => {
    const { client } = await serve((call) => {
      call.head()
      call.part(COMPLETION.slice(0, 40))
      call.fail(new CocoonError('engine.cut-off'))
    })
    await expect(client.chat.completions.create(ask)).rejects.toMatchObject({ status: 502, code: 'engine.cut-off' })
  })
})

describe('streaming', () => {
  const tokens = async (stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string[]> => {
    const out: string[] = []
    for await (const { choices } of stream) out.push(choices[0]?.delta.content ?? '')
    return out
  }

  test('events arrive one by one, while the answer is still being written', async () => {
    let call: ScriptedCall | undefined
    const { client } = await serve((given) => {
      call = given
      given.head('text/event-stream')
      given.part(chunk('a'))
    })
    const stream = await client.chat.completions.create({ ...ask, stream: true })
    const seen: string[] = []
    for await (const { choices } of stream) {
      seen.push(choices[0]?.delta.content ?? '')
      if (seen.length === 1) call?.part(chunk('b'))
      else {
        call?.part(DONE)
        call?.end()
      }
    }
    expect(seen).toEqual(['a', 'b'])
    expect(call?.cancelled).toBe(false)
  })

  test('a failure in the middle of an event raises an error after the events before it', async () => {
    const { client } = await serve((call) => {
      call.head('text/event-stream')
      call.part(chunk('a'))
      call.part(chunk('b').slice(0, 25))
      call.fail(new CocoonError('capacity.no-worker', { message: 'The worker is gone.' }))
    })
    const stream = await client.chat.completions.create({ ...ask, stream: true })
    const seen: string[] = []
    const error = await (async () => {
      for await (const { choices } of stream) seen.push(choices[0]?.delta.content ?? '')
    })().catch((thrown: unknown) => thrown)
    expect(seen).toEqual(['a'])
    expect(error).toBeInstanceOf(Error)
  })

  test('a failure between two events raises an error with its code', async () => {
    const { client } = await serve((call) => {
      call.head('text/event-stream')
      call.part(chunk('a'))
      call.fail(new CocoonError('capacity.no-worker', { message: 'The worker is gone.' }))
    })
    const stream = await client.chat.completions.create({ ...ask, stream: true })
    await expect(tokens(stream)).rejects.toMatchObject({ code: 'capacity.no-worker', message: 'The worker is gone.' })
  })

  test('a stream without its terminator raises engine.stream-cut instead of looking complete', async () => {
    const { client } = await serve((call) => {
      call.head('text/event-stream')
      call.part(chunk('a'))
      call.end()
    })
    const stream = await client.chat.completions.create({ ...ask, stream: true })
    await expect(tokens(stream)).rejects.toMatchObject({ code: 'engine.stream-cut' })
  })

  test('giving up cancels the inference once', async () => {
    let call: ScriptedCall | undefined
    const { client } = await serve((given) => {
      call = given
      given.head('text/event-stream')
      given.part(chunk('a'))
    })
    const stream = await client.chat.completions.create({ ...ask, stream: true })
    for await (const _ of stream) break
    await call?.whenCancelled
    call?.part(chunk('b'))
    call?.fail(new CocoonError('capacity.timeout'))
    expect(call?.cancelled).toBe(true)
  })

  test('giving up before the head cancels as well', async () => {
    const { promise: call, resolve: begun } = Promise.withResolvers<ScriptedCall>()
    const { client } = await serve(begun)
    const abort = new AbortController()
    const answer = client.chat.completions.create(ask, { signal: abort.signal })
    const { whenCancelled } = await call
    abort.abort()
    await expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
    await whenCancelled
  })
})

describe('the API key', () => {
  test('a wrong one is refused before the inference hears of it, the right one served', async () => {
    const options = { apiKey: 'correct-horse' }
    const wrong = await serve(answerWhole, options, 'wrong-horse')
    await expect(wrong.client.chat.completions.create(ask)).rejects.toMatchObject({
      constructor: OpenAI.AuthenticationError,
      code: 'invalid_api_key',
    })
    expect(wrong.api.inference.calls).toHaveLength(0)
    const right = await serve(answerWhole, options, 'correct-horse')
    expect((await right.client.chat.completions.create(ask)).id).toBe('c1')
  })
})
