/**
 * Prompts and answers are the caller's alone: a mark is planted into both, requests succeed and fail in every way we know,
 * and then the mark is looked for in everything that the nodes write, count and show.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPrometheusMetrics } from '../../src/api/index.ts'
import { settled } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const MARK = 'violet-narwhal'
/** In headers; of no business to anybody but this node's door. */
const CREDENTIAL = 'crimson-pangolin'

const log = createRecordingLog()
const metrics = createPrometheusMetrics({ prefix: 'cocoon_' })
let engine: ScriptedEngine
let network: TestNetwork

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({
    engineUrl: engine.url,
    http: true,
    log,
    metrics,
    metricsText: () => metrics.text(),
    // A lost proxy shall be an error here: errors are searched.
    client: { reconnectWaitMs: 0 },
  })
})
afterAll(async () => {
  await network.close()
  await engine.close()
})

const PROMPT = { model: 'test-model', max_tokens: 64, messages: [{ role: 'user', content: `Tell me of ${MARK}.` }] }

interface Answer {
  readonly status: number
  readonly headers: string
  readonly text: string
}

async function ask(body: object | string, init: RequestInit = {}, path = '/chat/completions'): Promise<Answer> {
  const answer = await fetch(`${network.baseURL}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${CREDENTIAL}`,
      cookie: `session=${CREDENTIAL}`,
      'x-api-key': CREDENTIAL,
      'user-agent': CREDENTIAL,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  })
  const text = await answer.text().catch(() => '')
  return { status: answer.status, headers: JSON.stringify([...answer.headers]), text }
}

/** Whatever the nodes show to anybody. */
async function everythingShown(): Promise<string> {
  const root = network.baseURL.replace('/v1', '')
  const pages = ['/status', '/jsonstats', '/metrics', '/readyz', '/healthz', '/v1/models']
  const texts = await Promise.all(pages.map(async (page) => (await fetch(root + page)).text()))
  const nodes = [network.client, network.proxy, ...network.workers]
  const own = nodes.map((node) =>
    JSON.stringify([node.status(), node.jsonstats()], (_key, value: unknown) => bigintAsText(value)),
  )
  return [...log.lines, ...texts, ...own].join('\n')
}

const bigintAsText = (value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

/** Says the mark and then goes wrong. */
const breaksOff: Script = (_request, reply) => {
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  reply.write(`data: {"choices":[{"index":0,"delta":{"content":"${MARK}"}}]}\n\n`, () => reply.destroy())
}
const answersWith =
  (text: string, contentType = 'application/json', headers: Readonly<Record<string, string>> = {}): Script =>
  (_request, reply) =>
    void reply.writeHead(200, { 'content-type': contentType, ...headers }).end(text)

describe('a mark in prompt and answer', () => {
  test.each<[what: string, body: object | string, script: Script]>([
    ['a body that is no JSON', `{"model": "test-model", "messages": [{"role": "${MARK}`, answerChat()],
    ['a field of the wrong type', { ...PROMPT, temperature: MARK }, answerChat()],
    ['a message that is no object', { ...PROMPT, messages: [MARK] }, answerChat()],
    ['a field given twice', `{"model":"${MARK}","model":"${MARK}","messages":[]}`, answerChat()],
    ['an unknown field name', { ...PROMPT, [MARK]: 1, temperature: 'x' }, answerChat()],
    ['a price too high', { ...PROMPT, max_coefficient: 1 }, answerChat()],
    ['a limit above the balance', { ...PROMPT, max_tokens: 2 ** 31 - 1, max_coefficient: 2 ** 31 - 1 }, answerChat()],
    ['a stalled engine', { ...PROMPT, timeout: 0.2 }, () => undefined],
    ['a broken connection', PROMPT, (_request, reply) => void reply.destroy()],
    ['a status no answer has', PROMPT, (_request, reply) => void reply.writeHead(304, { 'x-mark': MARK }).end()],
    [
      'an impossible usage',
      PROMPT,
      answersWith(`{"answer":"${MARK}","usage":{"prompt_tokens":5,"completion_tokens":900000}}`),
    ],
    ['half a JSON document', PROMPT, answersWith(`{"answer":"${MARK}"`)],
    ['a compressed answer', PROMPT, answersWith(MARK, 'application/json', { 'content-encoding': 'gzip' })],
  ])('stays out of the error for %s', async (_what, body, script) => {
    engine.script = script
    const answer = await ask(body)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.text).toContain('"error"')
    expect(answer.text + answer.headers).not.toContain(MARK)
    await settled(network)
  })

  test('reaches the caller and nobody else: no log line, no metric, no status page', async () => {
    engine.script = answerChat(['It is ', MARK])
    const whole = await ask({ ...PROMPT, enable_debug: true })
    const stream = await ask({ ...PROMPT, stream: true })
    for (const answer of [whole, stream])
      expect(answer).toMatchObject({ status: 200, text: expect.stringContaining(MARK) })
    engine.script = breaksOff
    expect((await ask({ ...PROMPT, stream: true })).text).toContain('"error"')
    // The engine's own error body is its answer to the caller.
    engine.script = (_request, reply) => void reply.writeHead(500).end(`{"error":{"message":"${MARK}"}}`)
    expect((await ask(PROMPT)).text).toContain(MARK)

    engine.script = () => undefined
    const abort = new AbortController()
    const hungUp = ask(PROMPT, { signal: abort.signal }).catch(() => undefined)
    await until(() => network.proxy.status().requests.running === 1, 'the request runs')
    abort.abort()
    await hungUp
    const lost = ask(PROMPT)
    await until(() => network.proxy.status().requests.running === 1, 'the request runs')
    await network.restartProxy()
    expect((await lost).text).not.toContain(MARK)
    await until(() => network.client.ready().length === 0, 'the client is back')
    await settled(network)

    const shown = await everythingShown()
    // What was searched is what there is: requests left their traces in it.
    for (const trace of ['info request ended', 'request failed', 'cocoon_http_requests_total{', '"accounts"'])
      expect(shown).toContain(trace)
    expect(shown).not.toContain(MARK)
    expect(shown).not.toContain(CREDENTIAL)
  })
})

test('credentials and other headers of the caller never reach the engine', () => {
  expect(engine.seen.length).toBeGreaterThan(5)
  for (const { headers, body } of engine.seen) {
    expect(JSON.stringify([headers, body])).not.toContain(CREDENTIAL)
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['authorization']))
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['cookie']))
  }
})
