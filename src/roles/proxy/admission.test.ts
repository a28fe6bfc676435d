import { describe, expect, test } from 'vitest'
import { createMemoryLedger } from '../../ledger/index.ts'
import { decode, encode, httpRequest } from '../../tl/index.ts'
import { admit, type AdmissionView, type Ask, sayRefusal } from './admission.ts'

const flat = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }

function view(over: Partial<AdmissionView> = {}, balanceNano = 1_000_000n): AdmissionView {
  const account = createMemoryLedger({ pricePerToken: 1n }).openClient('0:c', {
    balanceNano,
    stakeNano: balanceNano,
    scTokensUsed: 0n,
  })
  return { configVersion: 5, enabled: true, multipliers: flat, account, ...over }
}

function ask(body: unknown, over: Partial<Ask> = {}, url = '/v1/chat/completions'): Ask {
  const payload = new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
  const query = encode(httpRequest, { method: 'POST', url, httpVersion: 'HTTP/1.1', headers: [], payload })
  return { model: 'm', query, maxCoefficient: 4000, maxTokens: 100, timeout: 60, minConfigVersion: 5, ...over }
}

const bodyOf = (query: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(decode(httpRequest, query).payload))

test('a request within its limits is admitted, holding its upper bound at the caller’s highest price', () => {
  const asked = ask({ model: 'm', max_tokens: 100 })
  expect(admit(asked, view())).toMatchObject({
    kind: 'whole',
    hold: BigInt((100 + asked.query.length) * 4),
  })
})

test.each([
  ['negative max_tokens', ask({}, { maxTokens: -1 }), {}, 621, 'max_tokens'],
  ['a negative price cap', ask({}, { maxCoefficient: -1 }), {}, 621, 'max_coefficient'],
  ['a timeout of zero', ask({}, { timeout: 0 }), {}, 621, 'timeout'],
  ['an endless timeout', ask({}, { timeout: Number.POSITIVE_INFINITY }), {}, 621, 'timeout'],
  ['a newer registry than ours', ask({}, { minConfigVersion: 6 }), {}, 602, 'config version'],
  ['a registry version above 2³¹', ask({}, { minConfigVersion: -1 }), {}, 602, 'config version'],
  ['a proxy that is closing', ask({}), { enabled: false }, 651, 'disabled'],
  [
    'an encrypted request without keys here',
    ask({}, { publicKey: new Uint8Array(32).fill(0xab) }),
    {},
    602,
    'unknown public key ABAB',
  ],
  ['a body that asks for more than its envelope', ask({ max_tokens: 101 }), {}, 621, '101'],
  ['the larger of two limits above the envelope', ask({ max_tokens: 5, max_completion_tokens: 500 }), {}, 621, '500'],
  ['several choices above the envelope', ask({ max_tokens: 60, n: 2 }), {}, 621, '120'],
  [
    'several prompts above the envelope',
    ask({ prompt: ['a', 'b', 'c'], max_tokens: 40 }, {}, '/v1/completions'),
    {},
    621,
    '120',
  ],
] as const)('%s is refused with the wire’s code', (_, asked, over, code, text) => {
  expect(admit(asked, view(over))).toMatchObject({ code, message: expect.stringContaining(text) })
})

test.each([
  [99n, 602],
  [399n, 651],
])('%i tokens of credit for 100 tokens at four times the price are too few', (credit, code) => {
  expect(admit(ask({ max_tokens: 100 }), view({}, credit))).toMatchObject({
    code,
    message: expect.stringContaining('balance is too low'),
  })
})

test('a body without a limit gets the envelope’s, and stays the same otherwise', () => {
  const body = { model: 'm', messages: [{ role: 'user', content: '{"max_tokens":7}' }], n: 2 }
  const admitted = admit(ask(body), view())
  expect('query' in admitted && bodyOf(admitted.query)).toEqual({ ...body, max_tokens: 50 })
})

test.each([
  ['{}', '{"max_tokens":100}'],
  ['{ "a" : 1 }', '{"max_tokens":100, "a" : 1 }'],
])('the limit goes first into %s', (before, after) => {
  const admitted = admit(ask(before), view())
  expect('query' in admitted && new TextDecoder().decode(decode(httpRequest, admitted.query).payload)).toBe(after)
})

test.each([
  ['embeddings', ask({ model: 'm', input: 'x' }, { maxTokens: 0 }, '/v1/embeddings')],
  ['a body that is no JSON: the worker judges it', ask('not json')],
  ['a body that has its limit', ask({ max_tokens: 3 })],
])('%s pass unchanged', (_, asked) => {
  expect(admit(asked, view())).toMatchObject({ query: asked.query })
})

test.each([
  ['unknown-model', 621, 'unknown model m'],
  ['no-workers', 651, 'no workers for model m; try again in 2000 ms'],
  ['busy', 651, 'no ready workers for model m; try again in 2000 ms'],
  ['queue-full', 651, 'no ready workers for model m: the queue is full; try again in 2000 ms'],
  ['queue-wait', 651, 'no ready workers for model m: the wait would be about 1.5 s; try again in 2000 ms'],
  ['queue-expired', 651, 'no ready workers for model m: waited 1.5 s; try again in 2000 ms'],
] as const)('the refusal %s is told with the wire’s code and a sentence that peers know', (reason, code, message) => {
  expect(sayRefusal('m', { reason, waitMs: 1500, retryAfterMs: 2000 })).toEqual({ code, reason, message })
})

test.each(['price', 'busy', 'queue-expired'] as const)(
  'a caller refused for %s is told what the cheapest free worker takes, where one is above its cap',
  (reason) => {
    const refusal = { reason, waitMs: 0, retryAfterMs: 1000, lowestCoefficient: 1500 }
    expect(sayRefusal('m', refusal)).toMatchObject({ code: 651, message: 'can run this query with coefficient=1500' })
  },
)

test.each([
  ['streamed', { stream: true, max_tokens: 1 }],
  ['whole', { max_tokens: 1 }],
] as const)('a body says whether its answer comes %s', (kind, body) => {
  expect(admit(ask(body), view())).toMatchObject({ kind })
})

describe('a form', () => {
  const TYPE = 'multipart/form-data; boundary=xyz'
  const part = (name: string, value: string): string =>
    `--xyz\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const form = (...parts: readonly string[]): string => `${parts.join('')}--xyz--\r\n`
  const SOUND = part('file', 'RIFF\r\n--xy\r\n')
  const asking = (payload: string, type = TYPE, maxTokens = 100): Ask => {
    const headers = [{ name: 'Content-Type', value: type }]
    const http = { method: 'POST', url: '/v1/audio/transcriptions', httpVersion: 'HTTP/1.1', headers }
    const query = encode(httpRequest, { ...http, payload: new TextEncoder().encode(payload) })
    return { ...ask({}), query, maxTokens }
  }

  test.each([
    ['more than its envelope', form(SOUND, part('max_tokens', '101'))],
    ['more in the other field', form(SOUND, part('max_completion_tokens', '5000'))],
    ['more in one of two fields of a name, whichever', form(part('max_tokens', '101'), SOUND, part('max_tokens', '5'))],
    ['more, in another spelling', form(SOUND, part('max_tokens', ' 1e3 '))],
  ])('that asks for %s is refused', (_, payload) => {
    expect(admit(asking(payload), view())).toMatchObject({ code: 621, reason: 'limit-mismatch' })
  })

  test.each([
    ['that stays within its envelope', asking(form(SOUND, part('max_tokens', '100')))],
    ['whose limit is no number: the worker judges it', asking(form(SOUND, part('max_tokens', 'many')))],
    ['that is none: the worker judges it', asking('not a form')],
    ['of another type', asking(form(SOUND, part('max_tokens', '101')), 'application/json')],
    ['without a limit, where nothing is reserved for one', asking(form(SOUND), TYPE, 0)],
  ])('%s passes unchanged', (_, asked) => {
    expect(admit(asked, view())).toMatchObject({ query: asked.query })
  })

  test('without a limit gets the envelope’s, and stays the same otherwise', () => {
    const admitted = admit(asking(form(SOUND, part('model', 'm'))), view())
    const { payload } = decode(httpRequest, 'query' in admitted ? admitted.query : new Uint8Array())
    expect(new TextDecoder().decode(payload)).toBe(form(SOUND, part('model', 'm'), part('max_tokens', '100')))
  })
})
