import type { InjectOptions } from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { CocoonError, manualClock, noMetrics, seededRandom, silentLog } from '../util/index.ts'
import { type ApiUnderTest, apiUnderTest, CHAT, COMPLETION, HELLO, quietOps } from './api-under-test.ts'
import { createOpsApi } from './ops.ts'
import { clientApiOptions, opsApiOptions } from './options.ts'
import { createPrometheusMetrics } from './prometheus.ts'
import type { ScriptedCall } from './scripted-inference.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const api of open.splice(0)) await api.close()
})

function api(setup: Parameters<typeof apiUnderTest>[0] = {}): ApiUnderTest {
  const made = apiUnderTest({ script: answer, ...setup })
  open.push(made)
  return made
}

function answer(call: ScriptedCall): void {
  call.head()
  call.part(COMPLETION)
  call.end()
}

const json = { 'content-type': 'application/json' }
const post = (url: string, body: unknown = HELLO, headers: Record<string, string> = json) =>
  ({ method: 'POST', url, headers, payload: typeof body === 'string' ? body : JSON.stringify(body) }) as const

describe('a repeated POST under the same Idempotency-Key', () => {
  const keyed = (key: string, body: object = HELLO): InjectOptions =>
    post(CHAT, body, { ...json, 'idempotency-key': key })

  test('gets the first answer with its price, and runs nothing', async () => {
    let calls = 0
    const { app } = api({
      script(call) {
        calls++
        answer(call)
      },
    })
    const [first, second, other] = [
      await app.inject(keyed('k-1')),
      await app.inject(keyed('k-1')),
      await app.inject(keyed('k-2')),
    ]
    expect(second.body).toBe(first.body)
    expect(second.headers['x-cocoon-cost-nano']).toBe(first.headers['x-cocoon-cost-nano'])
    expect([first, second, other].map((r) => r.headers['idempotent-replayed'])).toEqual([undefined, 'true', undefined])
    expect(calls).toBe(2)
  })

  test('is refused with another body', async () => {
    const { app } = api()
    await app.inject(keyed('k-1'))
    const refused = await app.inject(keyed('k-1', { ...HELLO, n: 2 }))
    expect(refused.statusCode).toBe(400)
    expect(refused.json()).toMatchObject({ error: { code: 'request.idempotency-key' } })
  })
})

describe('refusals', () => {
  test.each<[string, InjectOptions, number, string, string | null]>([
    ['bad JSON', post(CHAT, '{'), 400, 'request.bad-json', null],
    ['no body', { method: 'POST', url: CHAT }, 400, 'request.bad-json', null],
    ['an empty body', post(CHAT, ''), 400, 'request.bad-json', null],
    ['an array', post(CHAT, '[]'), 400, 'request.not-an-object', null],
    ['deep JSON', post(CHAT, '['.repeat(100_000)), 400, 'request.too-deep', null],
    ['a wrong field', post(CHAT, { ...HELLO, n: 0 }), 400, 'request.bad-field', 'n'],
    ['a missing field', post('/v1/completions', { model: 'm' }), 400, 'request.bad-field', 'prompt'],
    ['a body above the limit', post(CHAT, 'x'.repeat(2000)), 413, 'request.too-large', null],
    ['text', post(CHAT, 'x', { 'content-type': 'text/plain' }), 415, 'request.unsupported-media', null],
    [
      'a form',
      post(CHAT, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'request.unsupported-media',
      null,
    ],
    ['a broken type', post(CHAT, 'x', { 'content-type': 'json' }), 415, 'request.unsupported-media', null],
    ['gzip', post(CHAT, HELLO, { ...json, 'content-encoding': 'gzip' }), 415, 'request.unsupported-media', null],
    ['a wrong path', post('/v1/audio/speech'), 404, 'request.not-found', null],
    [
      'a wrong path with a body of a wrong type',
      post('/v1/x', 'x', { 'content-type': 'text/plain' }),
      404,
      'request.not-found',
      null,
    ],
    ['the root', { method: 'GET', url: '/' }, 404, 'request.not-found', null],
    ['a broken path', { method: 'GET', url: '/%zz' }, 400, 'request.bad-http', null],
    ['a wrong method', { method: 'GET', url: CHAT }, 405, 'request.method-not-allowed', null],
    ['a preflight without CORS', { method: 'OPTIONS', url: CHAT }, 405, 'request.method-not-allowed', null],
    ['writing models', post('/v1/models'), 405, 'request.method-not-allowed', null],
    [
      'another host',
      { ...post(CHAT), headers: { ...json, host: 'evil.example:80' } },
      403,
      'request.forbidden-host',
      null,
    ],
  ])('%s', async (_what, request, status, code, param) => {
    const { app, inference } = api({
      options: { maxBodyBytes: 1024, ...(code === 'request.too-deep' && { maxBodyBytes: 1 << 20 }) },
    })
    const response = await app.inject(request)
    expect(response.statusCode).toBe(status)
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8')
    const { error } = response.json<{ error: { message: string } }>()
    expect(error).toMatchObject({ code, param, type: 'invalid_request_error' })
    expect(error.message).toMatch(/^[A-Z'].*\.$|KEY\.$/)
    expect(inference.calls).toHaveLength(0)
    if (status === 405) expect(response.headers.allow).toMatch(/GET|POST/)
    if (status === 404) expect(error.message).toContain('/v1/chat/completions')
  })

  test('a query string is cut off', async () => {
    const { app, inference } = api()
    expect((await app.inject(post(`${CHAT}?key=secret`))).statusCode).toBe(200)
    expect(inference.calls[0]?.request.path).toBe(CHAT)
  })

  test.each(['localhost', 'LOCALHOST:10000', '127.0.0.1:1', '[::1]:10000', 'app.localhost', '192.168.1.5'])(
    'the host %s is served',
    async (host) => {
      expect((await api().app.inject({ method: 'GET', url: '/healthz', headers: { host } })).statusCode).toBe(200)
    },
  )

  test('more requests than may run are refused, and a finished one makes room', async () => {
    let first: ScriptedCall | undefined
    const { app, inference } = api({
      options: { maxRunning: 1 },
      script: (call) => (first === undefined ? (first = call) : answer(call)),
    })
    const running = app.inject(post(CHAT))
    while (first === undefined) await new Promise((resolve) => setImmediate(resolve))
    const refused = await app.inject(post(CHAT))
    expect(refused.statusCode).toBe(429)
    expect(refused.headers['retry-after']).toBe('1')
    answer(first)
    expect((await running).statusCode).toBe(200)
    expect((await app.inject(post(CHAT))).statusCode).toBe(200)
    expect(inference.calls).toHaveLength(2)
  })
})

describe('the API key', () => {
  test.each([
    undefined,
    'correct-horse',
    'Basic correct-horse',
    'Bearer',
    'Bearer x',
    'Bearer correct-horse2',
    'Bearer correct-hors',
  ])('authorization %s is refused', async (authorization) => {
    const { app, inference } = api({ options: { apiKey: 'correct-horse' } })
    for (const request of [
      post(CHAT),
      { method: 'GET', url: '/v1/models' },
      { method: 'GET', url: '/status' },
    ] as const) {
      const headers = { ...json, ...(authorization !== undefined && { authorization }) }
      const response = await app.inject({ ...request, headers })
      expect(response.statusCode).toBe(401)
      expect(response.headers['www-authenticate']).toBe('Bearer')
      expect(response.json()).toMatchObject({ error: { code: 'invalid_api_key' } })
    }
    expect(inference.calls).toHaveLength(0)
  })

  test('the right one is served under any host name, and probes need none', async () => {
    const { app } = api({ options: { apiKey: 'correct-horse' } })
    const headers = { ...json, authorization: 'bearer correct-horse', host: 'cocoon.example' }
    expect((await app.inject({ ...post(CHAT), headers })).statusCode).toBe(200)
    expect((await app.inject('/healthz')).statusCode).toBe(200)
    expect((await app.inject('/readyz')).statusCode).toBe(200)
  })

  test('does not print with the options', () => {
    const options = clientApiOptions.parse({ apiKey: 'correct-horse' })
    expect(JSON.stringify(options)).not.toContain('horse')
  })
})

describe('CORS', () => {
  const options = { corsOrigins: ['https://app.example'], apiKey: 'correct-horse' }
  const preflight = (origin: string) =>
    ({
      method: 'OPTIONS',
      url: CHAT,
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    }) as const

  test('a preflight from a listed origin passes without the key', async () => {
    const response = await api({ options }).app.inject(preflight('https://app.example'))
    expect(response.statusCode).toBe(204)
    expect(response.headers['access-control-allow-origin']).toBe('https://app.example')
    expect(response.headers['access-control-allow-headers']).toContain('authorization')
  })

  test('another origin is not named', async () => {
    const response = await api({ options }).app.inject(preflight('https://evil.example'))
    expect(response.headers['access-control-allow-origin']).toBeUndefined()
  })

  test('answers and refusals alike can be read by the page', async () => {
    const { app } = api({ options })
    for (const [authorization, status] of [
      ['Bearer correct-horse', 200],
      ['Bearer wrong', 401],
    ] as const) {
      const headers = { ...json, origin: 'https://app.example', authorization }
      const response = await app.inject({ ...post(CHAT), headers })
      expect(response.statusCode).toBe(status)
      expect(response.headers['access-control-allow-origin']).toBe('https://app.example')
      expect(response.headers['access-control-expose-headers']).toContain('x-cocoon-cost-nano')
    }
  })
})

describe('draining', () => {
  test('refuses new requests, tells probes, and ends with the last running one', async () => {
    let call: ScriptedCall | undefined
    const { app, drain } = api({ script: (given) => (call = given) })
    const running = app.inject(post(CHAT))
    while (call === undefined) await new Promise((resolve) => setImmediate(resolve))
    const drained = drain(60_000)
    const refused = await app.inject(post(CHAT))
    expect(refused.statusCode).toBe(503)
    expect(refused.headers.connection).toBe('close')
    expect(refused.json()).toMatchObject({ error: { code: 'capacity.shutting-down' } })
    expect((await app.inject('/readyz')).statusCode).toBe(503)
    expect((await app.inject('/healthz')).statusCode).toBe(200)
    answer(call)
    expect((await running).statusCode).toBe(200)
    expect(await drained).toBe(true)
  })

  test('ends at the deadline when a request does not, which closing then cancels', async () => {
    const clock = manualClock()
    const calls: ScriptedCall[] = []
    const made = api({ clock, script: (call) => calls.push(call) })
    const url = await made.listen()
    const running = fetch(url + CHAT, { method: 'POST', headers: json, body: JSON.stringify(HELLO) }).catch(
      (error: unknown) => error,
    )
    while (calls.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const drained = made.drain(1000)
    clock.advance(1000)
    expect(await drained).toBe(false)
    await made.close()
    await calls[0]?.whenCancelled
    expect(await running).toBeInstanceOf(Error)
  })
})

describe('operations endpoints', () => {
  const ops = {
    ...quietOps,
    status: () => ({ earned: 12345678901234567890n }),
    jsonstats: () => ({ status: { wallet_balance: 12345678901234567890n }, stats: { queries: [1, 0, 0, 0, 0, 0, 0] } }),
    metricsText: () => Promise.resolve('x 1\n'),
  }

  test('of a node that is not ready say why', async () => {
    const { app } = api({ deps: { ops: { ...ops, ready: () => ['No proxy is connected.'] } } })
    const response = await app.inject('/readyz')
    expect(response.statusCode).toBe(503)
    expect(response.json()).toEqual({ ready: false, reasons: ['No proxy is connected.'] })
  })

  test('write long counts with all their digits: as text in /status, as numbers in /jsonstats', async () => {
    const { app } = api({ deps: { ops } })
    expect((await app.inject('/status')).json()).toEqual({ earned: '12345678901234567890' })
    const stats = await app.inject('/jsonstats')
    expect(stats.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(stats.body).toContain('"wallet_balance": 12345678901234567890')
  })

  test('are the whole of a node without inference', async () => {
    const deps = { clock: manualClock(), random: seededRandom(1), log: silentLog, metrics: noMetrics, ops }
    const made = createOpsApi(deps, opsApiOptions.parse({ port: 0 }))
    open.push(made)
    const url = await made.listen()
    for (const path of ['/healthz', '/readyz', '/status', '/metrics', '/jsonstats'])
      expect((await fetch(url + path)).status).toBe(200)
    expect((await fetch(`${url}/v1/models`)).status).toBe(404)
    expect((await fetch(`${url}/healthz`, { method: 'POST' })).status).toBe(405)
  })

  test('that fail answer 500 without details and log them', async () => {
    const logged: unknown[] = []
    const log = { ...silentLog, error: (_: string, fields?: object) => void logged.push(fields) }
    const broken = {
      ...ops,
      status: () => {
        throw new CocoonError('bug.broken', { message: 'details' })
      },
    }
    const response = await api({ log, deps: { ops: broken, log } }).app.inject('/status')
    expect(response.statusCode).toBe(500)
    expect(response.body).not.toContain('details')
    expect(logged).toMatchObject([{ code: 'bug.broken', message: 'details' }])
  })

  test('count requests by route and status, never by what callers put into the path', async () => {
    const metrics = createPrometheusMetrics({ prefix: 'cocoon_' })
    const { app } = api({ deps: { metrics, ops: { ...ops, metricsText: () => metrics.text() } } })
    await app.inject(post(CHAT))
    await app.inject(post(CHAT, '{'))
    await app.inject('/secret-in-path')
    const text = (await app.inject('/metrics')).body
    expect(text).toContain('cocoon_http_requests_total{route="/v1/chat/completions",status="200"} 1')
    expect(text).toContain('cocoon_http_requests_total{route="/v1/chat/completions",status="400"} 1')
    expect(text).toContain('cocoon_http_requests_total{route="none",status="404"} 1')
    expect(text).toContain('cocoon_http_running 0')
    expect(text).toContain('cocoon_http_first_byte_seconds_count 1')
    expect(text).not.toContain('secret-in-path')
    for (const line of text.trim().split('\n')) expect(line).toMatch(/^(#.*|[a-z_]+(\{[^}]*\})? [0-9.e+-]+|)$/)
  })
})

describe('options', () => {
  test.each<[string, unknown]>([
    ['port', 70_000],
    ['apiKey', 'short'],
    ['apiKey', 'has blanks in it'],
    ['maxBodyBytes', 16 * 1024 * 1024],
    ['defaultMaxTokens', 0],
    ['unknown', 1],
  ])('%s: %j is refused', (key, value) => {
    expect(clientApiOptions.safeParse({ [key]: value }).success).toBe(false)
  })

  test('nothing given means loopback', () => {
    expect(clientApiOptions.parse({})).toMatchObject({ host: '127.0.0.1', port: 10_000, corsOrigins: [] })
  })
})
