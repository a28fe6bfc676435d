/** Keys, budgets and limits as callers meet them: over HTTP, on every endpoint that runs a request. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, gatewayOptions, meterInference, openGateway } from '../gateway/index.ts'
import { type Clock, CocoonError, manualClock, noMetrics, Secret, silentLog, systemRandom } from '../util/index.ts'
import type { AdminAccess } from './admin.ts'
import { type ApiUnderTest, apiUnderTest, CHAT, COMPLETION, DONE, HELLO } from './api-under-test.ts'
import { INFERENCE_PATHS } from './contract.ts'
import { TRANSLATED_PATHS } from './translated-paths.ts'
import { FINAL, type ScriptedCall, type ScriptedInference, scriptedInference } from './scripted-inference.ts'

const ADMIN = 'an-admin-key-for-tests'
let folder: string
let clock: Clock & { advance(ms: number): void }
let gateway: Gateway
let inference: ScriptedInference
let api: ApiUnderTest

const answer = (call: ScriptedCall): void => {
  call.head()
  call.part(COMPLETION)
  call.end()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-keys-'))
  clock = manualClock(Date.UTC(2026, 7, 12))
  gateway = await openGateway(
    { clock, random: systemRandom, log: silentLog, metrics: noMetrics, fetch },
    { ...gatewayOptions.parse({ fiat: { currency: 'USD', perTon: '2.5' } }), path: join(folder, 'gateway.sqlite') },
  )
  use(answer)
})
afterEach(async () => {
  await api.close()
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

function use(
  script: (call: ScriptedCall) => unknown,
  options: Record<string, unknown> = {},
  more: Pick<AdminAccess, 'leave'> = {},
): void {
  inference = scriptedInference(script)
  const admin = { key: new Secret(ADMIN), fiat: gateway.fiat, ...more }
  const metered = meterInference({ inference, gateway, clock })
  api = apiUnderTest({ clock, options, deps: { inference: metered, gateway, admin } })
}

const ask = (body: object = HELLO, key?: string, url = CHAT) =>
  api.app.inject({
    method: 'POST',
    url,
    payload: body,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  })
const admin = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object, key = ADMIN) =>
  api.app.inject({
    method,
    url: `/admin${url}`,
    headers: { authorization: `Bearer ${key}` },
    ...(payload === undefined ? {} : { payload }),
  })
const makeKey = async (wanted: object = {}): Promise<{ readonly id: string; readonly key: string }> =>
  (await admin('POST', '/keys', wanted)).json()
const FAILURE = new CocoonError('engine.failed', { message: 'the engine failed' })
const ONES = { prompt: 1, cached: 1, completion: 1, reasoning: 1 }
const REQUEST = {
  path: CHAT,
  headers: [],
  body: new Uint8Array(),
  model: 'm',
  maxCoefficient: 1,
  timeoutMs: 1000,
  debug: false,
  traceId: 't',
  caller: 'owner',
}
const BODY_BY_PATH: Readonly<Record<string, object>> = {
  '/v1/chat/completions': { ...HELLO, max_tokens: 50 },
  '/v1/completions': { model: 'test/model', prompt: 'hello', max_tokens: 50 },
  '/v1/embeddings': { model: 'test/model', input: 'hello' },
  '/v1/rerank': { model: 'test/model', query: 'hello', documents: ['a', 'b'] },
  '/v1/responses': { model: 'test/model', input: 'hello', max_output_tokens: 50 },
  '/v1/messages': { ...HELLO, max_tokens: 50 },
  '/v1/messages/count_tokens': HELLO,
}

describe('keys over HTTP', () => {
  test('without any key everybody is served; from the first one on, only keys are', async () => {
    expect((await ask()).statusCode).toBe(200)
    const { key, id } = await makeKey()
    expect((await ask(HELLO, key)).statusCode).toBe(200)
    const refused = await ask()
    expect([refused.statusCode, refused.json().error.code]).toEqual([401, 'invalid_api_key'])
    await admin('POST', `/keys/${id}/revoke`)
    const revoked = await ask(HELLO, key)
    expect([revoked.statusCode, revoked.json().error.code]).toEqual([401, 'request.key-revoked'])
    expect((await ask()).statusCode).toBe(401)
  })

  test('the node’s own API key stays the owner’s, beside the gateway’s', async () => {
    await makeKey()
    use(answer, { apiKey: 'the-owners-own-key' })
    expect((await ask(HELLO, 'the-owners-own-key')).statusCode).toBe(200)
    expect((await ask(HELLO, 'another-key')).statusCode).toBe(401)
    expect((await gateway.receipts({ limit: 9 })).receipts).toMatchObject([
      { result: 'refused', code: 'request.invalid-key', status: 401, key: '-', project: '-' },
      { result: 'ok', key: 'owner', project: 'default' },
    ])
  })

  test.each([
    ['a model it was not made for', { models: ['other'] }, HELLO, 403, 'request.key-model'],
    ['an endpoint it was not made for', { scopes: ['models'] }, HELLO, 403, 'request.key-scope'],
    ['more than its time', { expires_at: '2026-08-12T00:00:00Z' }, HELLO, 401, 'request.key-expired'],
    ['more tokens than its minute has', { limits: { tokens_per_minute: 10 } }, HELLO, 400, 'request.above-rate-limit'],
  ])('a key that is used for %s is refused, and nothing runs', async (_, wanted, body, status, code) => {
    const { key } = await makeKey(wanted)
    const refused = await ask(body, key)
    expect([refused.statusCode, refused.json().error.code]).toEqual([status, code])
    expect(inference.calls).toHaveLength(0)
  })

  test('a key for listing lists, and one for asking alone does not', async () => {
    const keys = await Promise.all([{ scopes: ['models'] }, { scopes: ['inference'] }].map(makeKey))
    const statuses = keys.map(async ({ key }) => {
      const headers = { authorization: `Bearer ${key}` }
      return (await api.app.inject({ method: 'GET', url: '/v1/models', headers })).statusCode
    })
    expect(await Promise.all(statuses)).toEqual([200, 403])
  })

  test('Anthropic’s header carries a key as well', async () => {
    const { key } = await makeKey()
    const reply = await api.app.inject({ method: 'POST', url: CHAT, payload: HELLO, headers: { 'x-api-key': key } })
    expect(reply.statusCode).toBe(200)
  })

  test('limits are told with every answer, and the time to wait with every refusal', async () => {
    const { key } = await makeKey({ limits: { requests_per_minute: 2, tokens_per_minute: 100_000 } })
    const first = await ask(HELLO, key)
    expect(first.headers).toMatchObject({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '1',
      'x-ratelimit-limit-tokens': '100000',
    })
    await ask(HELLO, key)
    const third = await ask(HELLO, key)
    expect(third.statusCode).toBe(429)
    expect(third.json().error.type).toBe('rate_limit_error')
    expect(third.headers).toMatchObject({ 'retry-after': '30', 'x-ratelimit-remaining-requests': '0' })
  })
})

describe('budgets over HTTP', () => {
  const budget = { scope: 'node', window: 'day' }
  const spentNano = async (): Promise<bigint> => BigInt((await admin('GET', '/budgets')).json().data[0].spent_nano)

  test.each([...INFERENCE_PATHS, ...TRANSLATED_PATHS])(
    '%s is refused when its upper bound is not left',
    async (path) => {
      use((call) => {
        call.head()
        call.part(COMPLETION)
        call.end({ costNano: 1n })
      })
      inference.quote = () => ({ maxCostNano: 100n, pricePerTokenNano: 1n, multipliers: ONES })
      await admin('PUT', '/budgets', { ...budget, limit: 101 })
      const replies = [await ask(BODY_BY_PATH[path], undefined, path), await ask(BODY_BY_PATH[path], undefined, path)]
      expect(replies.map((reply) => reply.statusCode)).toEqual([200, 200])
      const refused = await ask(BODY_BY_PATH[path], undefined, path)
      expect(refused.statusCode).toBe(402)
      expect(refused.json().error.message).toContain('The day budget of this node has')
      expect(inference.calls).toHaveLength(2)
    },
  )

  test('a transcription, which is a form, is refused when its upper bound is not left', async () => {
    inference.quote = () => ({ maxCostNano: 100n, pricePerTokenNano: 1n, multipliers: ONES })
    await admin('PUT', '/budgets', { ...budget, limit: 99 })
    const form = ['model', 'file'].map(
      (name) => `--b\r\ncontent-disposition: form-data; name="${name}"; filename="f"\r\n\r\ntest/model\r\n`,
    )
    const refused = await api.app.inject({
      method: 'POST',
      url: '/v1/audio/transcriptions',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      payload: `${form.join('').replace('; filename="f"', '')}--b--\r\n`,
    })
    expect(refused.statusCode).toBe(402)
    expect(inference.calls).toEqual([])
  })

  test('a thousand requests at once against a budget for a hundred spend at most the budget', async () => {
    const held: ScriptedCall[] = []
    use((call) => void held.push(call))
    const request = { ...HELLO, max_tokens: 50 }
    await admin('PUT', '/budgets', { ...budget, limit: 100 * 100 })
    const replies = Array.from({ length: 1000 }, () => ask(request))
    await Promise.race([...replies])
    for (const call of held) {
      call.head()
      call.part(COMPLETION)
      call.end({ costNano: 100n })
    }
    const statuses = (await Promise.all(replies)).map((reply) => reply.statusCode)
    expect(statuses.filter((status) => status === 200)).toHaveLength(100)
    expect(statuses.filter((status) => status === 402)).toHaveLength(900)
    expect(await spentNano()).toBe(10_000n)
    expect((await gateway.receipts({ limit: 1 })).costNano).toBe(10_000n)
  })

  test('however requests end and on whatever endpoint, the budget is never overspent and nothing stays reserved', async () => {
    const end = fc.constantFrom('ok', 'failed', 'failed-charged', 'before-head', 'cut')
    const asked = fc.record({ path: fc.constantFrom(...INFERENCE_PATHS), end, share: fc.bigInt(0n, 100n) })
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 25 }), fc.bigInt(0n, 900n), async (list, limit) => {
        let next = 0
        let charged = 0n
        const maxNano = 100n
        use((call) => {
          const { end: how, share } = list[next++ % list.length] ?? { end: 'ok', share: 0n }
          const costNano = (maxNano * share) / 100n
          if (how !== 'before-head') call.head('text/event-stream')
          if (how === 'ok') call.part(DONE)
          if (how === 'ok' || how === 'cut') {
            charged += costNano
            call.end({ costNano })
          } else if (how === 'failed-charged') {
            charged += costNano
            call.fail(FAILURE, { ...FINAL, costNano })
          } else call.fail(FAILURE)
        })
        inference.quote = () => ({ maxCostNano: maxNano, pricePerTokenNano: 1n, multipliers: ONES })
        clock.advance(86_400_000)
        await admin('PUT', '/budgets', { ...budget, limit: Number(limit) })
        await Promise.all(list.map(({ path }) => ask({ ...BODY_BY_PATH[path] }, undefined, path)))
        const [state] = gateway.budgets.list()
        expect(state?.spentNano).toBe(charged)
        expect(charged).toBeLessThanOrEqual(limit)
        expect(state?.reservedNano).toBe(0n)
        await api.close()
      }),
      { numRuns: 40 },
    )
  })

  test('a caller that hangs up pays what the proxy says, and all it could cost where nobody says', async () => {
    await admin('PUT', '/budgets', { ...budget, limit: 1_000_000 })
    for (const [charge, spent] of [
      ['nothing', 0n],
      ['unknown', 100n],
    ] as const) {
      const before = await spentNano()
      const metered = meterInference({
        inference: scriptedInference((call) => void (call.charge = charge)),
        gateway,
        clock,
      })
      const running = metered.run({ ...REQUEST, maxTokens: 50 }, { head() {}, part() {}, end() {}, fail() {} })
      expect(gateway.budgets.list()[0]?.reservedNano).toBe(100n)
      running.cancel()
      await running.charge()
      await Promise.resolve()
      expect((await spentNano()) - before).toBe(spent)
      expect(gateway.budgets.list()[0]?.reservedNano).toBe(0n)
    }
    expect((await gateway.receipts({ limit: 2 })).receipts).toMatchObject([
      { result: 'cancelled', costNano: 0n, unsettledNano: 100n },
      { result: 'cancelled', costNano: 0n, unsettledNano: 0n },
    ])
  })
})

describe('/admin', () => {
  test('asks for its own key, which is none of the callers’', async () => {
    const { key } = await makeKey()
    for (const wrong of ['', 'guess', key]) {
      const reply = await admin('GET', '/keys', undefined, wrong)
      expect(reply.statusCode).toBe(401)
    }
    expect((await ask(HELLO, ADMIN)).statusCode).toBe(200)
    expect((await gateway.receipts({ limit: 1 })).receipts).toMatchObject([{ key: 'owner' }])
  })

  test('shows a key once, and never its hash', async () => {
    const { key } = await makeKey({ name: 'app' })
    const list = await admin('GET', '/keys')
    expect(list.json().data).toMatchObject([{ name: 'app', project: 'default', revoked_at: null }])
    expect(list.payload).not.toContain(key.slice(-43))
    expect(list.payload).not.toContain('hash')
  })

  test.each([
    ['POST', '/keys', { scopes: ['everything'] }, 'scopes'],
    ['POST', '/keys', { expires_at: 'soon' }, 'expires_at'],
    ['POST', '/keys', { limits: { max_concurrent: 0 } }, 'limits'],
    ['POST', '/projects', { id: 'Not A Name' }, 'project'],
    ['PUT', '/budgets', { ...{ scope: 'node', window: 'day' }, limit: 'much' }, 'limit'],
    ['PUT', '/budgets', { scope: 'node', window: 'year', limit: 1 }, 'window'],
    ['GET', '/usage?by=colour', undefined, 'by'],
    ['GET', '/receipts?limit=0', undefined, 'limit'],
  ] as const)('%s %s with a wrong value names the field', async (method, url, body, field) => {
    const reply = await admin(method, url, body)
    expect(reply.statusCode).toBe(400)
    expect(String(reply.json().error.param)).toContain(field)
  })

  test('receipts and usage come as JSON and CSV, with amounts that agree', async () => {
    await ask()
    const receipts = (await admin('GET', '/receipts')).json()
    expect(receipts).toMatchObject({
      count: 1,
      cost_nano: '268',
      cost_ton: '0.000000268',
      cost_fiat: '0.000000 USD',
      data: [{ model: 'test/model', result: 'ok', status: 200, cost_nano: '268', key: 'owner', evidence: 'simulated' }],
    })
    const csv = await admin('GET', '/usage?by=model&format=csv')
    expect(csv.headers['content-type']).toContain('text/csv')
    const [head, row] = csv.payload
      .trim()
      .split('\r\n')
      .map((line) => line.split(','))
    expect(head?.[0]).toBe('model')
    expect(row?.[head?.indexOf('cost_nano') ?? -1]).toBe('268')
  })

  test('a name that a spreadsheet would run is written as text', async () => {
    await ask({ ...HELLO, model: '=1+2' })
    expect((await admin('GET', '/usage?by=model&format=csv')).payload).toContain("\r\n'=1+2,")
  })
})

describe('prices', () => {
  test('a quote is the reservation, in nanoTON, TON and a currency, and runs nothing', async () => {
    const quote = await ask({ ...HELLO, max_tokens: 500_000_000 }, undefined, '/v1/quote/chat/completions')
    expect(quote.json()).toMatchObject({
      model: 'test/model',
      max_cost_nano: '1000000000',
      max_cost_ton: '1',
      max_cost_fiat: '2.500000 USD',
    })
    expect(inference.calls).toHaveLength(0)
  })

  test.each([
    ['the field in nanoTON', { max_cost: 77 }, {}, 77n],
    ['the field in TON', { max_cost: '0.5 TON' }, {}, 500_000_000n],
    ['the header', {}, { 'x-cocoon-max-cost': '12' }, 12n],
    ['the lower of both', { max_cost: 13 }, { 'x-cocoon-max-cost': '0.1 TON' }, 13n],
  ])('%s limits what a request may cost, and does not leave the node', async (_, body, headers, nano) => {
    inference.quote = () => ({ maxCostNano: nano, pricePerTokenNano: 1n, multipliers: ONES })
    for (const url of [CHAT, '/v1/responses', '/v1/messages'])
      await api.app.inject({ method: 'POST', url, payload: { ...BODY_BY_PATH[url], ...body }, headers })
    expect(inference.calls.map((call) => call.request.maxCostNano)).toEqual([nano, nano, nano])
    for (const call of inference.calls) expect(Buffer.from(call.request.body).toString()).not.toContain('max_cost')
  })

  test.each([CHAT, '/v1/responses', '/v1/messages'])(
    '%s says when a second proxy is asked, and it does not leave the node',
    async (url) => {
      for (const hedge_after of [0.25, 0, undefined])
        await api.app.inject({ method: 'POST', url, payload: { ...BODY_BY_PATH[url], hedge_after } })
      expect(inference.calls.map((call) => call.request.hedgeAfterMs)).toEqual([250, 0, undefined])
      for (const call of inference.calls) expect(Buffer.from(call.request.body).toString()).not.toContain('hedge')
    },
  )

  test('a request that could cost more than its caller allows is refused with its reason, everywhere', async () => {
    const refused = await ask({ ...HELLO, max_tokens: 50, max_cost: 99 })
    expect([refused.statusCode, refused.json().error.code]).toEqual([402, 'payment.max-cost'])
    expect(inference.calls).toHaveLength(0)
    expect((await admin('GET', '/receipts?result=refused')).json().data).toMatchObject([
      { result: 'refused', code: 'payment.max-cost', model: 'test/model', cost_nano: '0', attempts: 0 },
    ])
    expect((await admin('GET', '/receipts?result=failed')).json().data).toEqual([])
    expect((await admin('GET', '/usage?by=code')).json().data).toEqual([
      { code: 'payment.max-cost', requests: 1, failed: 0, refused: 1 },
    ])
    expect((await admin('GET', '/usage?by=key')).json().data).toEqual([])
  })

  test('a request whose price cap no worker is within is refused, after the proxies were asked; it has not failed', async () => {
    const story = { proxy: 'p:1', worker: null, sentMs: 1, firstByteMs: null, endedMs: 2, ended: 'capacity.price' }
    use((call) => {
      call.story = { queuedMs: null, attempts: [story] }
      const error = new CocoonError('capacity.price', { message: 'can run this query with coefficient=900' })
      // As proxies tell it: with what it cost.
      const tokens = { prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n, total: 0n }
      call.fail(error, { ...FINAL, tokens, costNano: 0n })
    })
    expect((await ask({ ...HELLO, max_coefficient: 800 })).statusCode).toBe(503)
    expect((await admin('GET', '/receipts')).json().data).toMatchObject([
      { result: 'refused', code: 'capacity.price', tries: [{ proxy: 'p:1', ended: 'capacity.price' }] },
    ])
    expect((await admin('GET', '/usage?by=code')).json().data).toEqual([
      { code: 'capacity.price', requests: 1, failed: 0, refused: 1 },
    ])
    expect((await admin('GET', '/usage?by=code&format=csv')).body.split('\r\n').slice(0, 2)).toEqual([
      'code,requests,failed,refused',
      'capacity.price,1,0,1',
    ])
    expect((await admin('GET', '/usage?by=day')).json().data).toEqual([])
  })

  test('an answer that is an engine’s refusal has failed, with its status, and the caller gets the engine’s words', async () => {
    use((call) => {
      call.head('application/json', 422)
      call.part('{"error":{"message":"no log probabilities"}}')
      call.end({ costNano: 0n })
    })
    const reply = await ask()
    expect([reply.statusCode, reply.json().error.message]).toEqual([422, 'no log probabilities'])
    expect((await admin('GET', '/receipts')).json().data).toMatchObject([
      { result: 'failed', code: 'engine.status', status: 422 },
    ])
    expect((await admin('GET', '/usage?by=day')).json().data).toMatchObject([{ requests: 1, failed: 1 }])
  })

  test('the price list has each model at its cheapest and dearest worker', async () => {
    const worker = { runningRequests: 0, maxRunningRequests: 1, proxies: ['p:1'] }
    inference.offers = [{ id: 'm', workers: [2000, 500].map((coefficient) => ({ ...worker, coefficient })) }]
    const list = (await api.app.inject({ method: 'GET', url: '/v1/prices' })).json()
    expect(list.data).toMatchObject([
      {
        id: 'm',
        workers: 2,
        cheapest: { coefficient: 500, completion_per_million_nano: '1000000' },
        dearest: { coefficient: 2000, completion_per_million_nano: '4000000' },
      },
    ])
  })
})

test('closing an account is the owner’s order: with the admin key, to one proxy or to all, with the proxy’s refusal told', async () => {
  const asked: (string | null)[] = []
  const leave = (proxy: string | null): Promise<void> => {
    asked.push(proxy)
    return proxy === 'busy'
      ? Promise.reject(new CocoonError('payment.in-use', { message: 'the proxy refunds nothing while 2 requests run' }))
      : Promise.resolve()
  }
  expect((await admin('POST', '/accounts/close', {})).statusCode).toBe(404)
  await api.close()
  use(answer, {}, { leave })
  expect((await admin('POST', '/accounts/close', {}, 'another key')).statusCode).toBe(401)
  expect((await admin('POST', '/accounts/close', { proxy_contract: 5 })).json()).toMatchObject({
    error: { code: 'request.bad-field', message: expect.stringContaining('proxy_contract') },
  })
  expect(asked).toEqual([])
  expect((await admin('POST', '/accounts/close', {})).statusCode).toBe(202)
  expect((await admin('POST', '/accounts/close', { proxy_contract: 'EQ' })).json()).toEqual({ refund: 'submitted' })
  const busy = await admin('POST', '/accounts/close', { proxy_contract: 'busy' })
  expect([busy.statusCode, busy.json()]).toMatchObject([402, { error: { code: 'payment.in-use' } }])
  expect(asked).toEqual([null, 'EQ', 'busy'])
})

test('counting tokens is a request like any other: it counts against the limits of a key, and leaves a receipt', async () => {
  const { key } = await makeKey({ limits: { requests_per_minute: 1 } })
  expect((await ask(HELLO, key, '/v1/messages/count_tokens')).statusCode).toBe(200)
  expect((await ask(HELLO, key)).statusCode).toBe(429)
  expect((await gateway.receipts({ limit: 9, result: 'ok' })).receipts).toMatchObject([
    { path: '/v1/chat/completions', total: FINAL.tokens.total, costNano: FINAL.costNano },
  ])
  expect(inference.calls[0]?.request.maxTokens).toBe(1)
})
