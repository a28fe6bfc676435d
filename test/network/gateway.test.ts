/** Keys, budgets and receipts through a whole network: what the client's receipts add up to is what the proxy's ledger charged. */
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Gateway } from '../../src/gateway/index.ts'
import { type GatewayUnderTest, startGateway } from '../support/gateway.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { HELLO, readStream, STREAM } from '../support/openai.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const PRICE_NANO = 2n
let engine: ScriptedEngine
let network: TestNetwork
let front: GatewayUnderTest
let gateway: Gateway
let baseURL: string
let key: string
let keyId: string

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url, worker: { maxActiveRequests: 64 } })
  front = await startGateway(network)
  gateway = front.gateway
  baseURL = `${front.url}/v1`
  const { key: text, made } = await gateway.createKey({
    project: 'default',
    name: 'test',
    scopes: ['inference', 'models'],
    models: [],
    limits: {},
    expiresMs: null,
  })
  key = text
  keyId = made.id
})
afterAll(async () => {
  await front.close(() => network.close())
  await engine.close()
})

const chargedNano = (): bigint => (network.ledger.clients()[0]?.totals.max ?? 0n) * PRICE_NANO
const nothingRuns = (): Promise<void> =>
  until(
    () =>
      network.client.status().requests.running === 0 &&
      network.proxy.status().requests.running === 0 &&
      gateway.budgets.list().every((state) => state.reservedNano === 0n),
    'every request has ended and is settled',
  )

const cut: Script = (_request, reply) => {
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  reply.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
  reply.destroy()
}
const failing: Script = (_request, reply) => void reply.writeHead(500).end('{"error":{"message":"no"}}')
const beginning: Script = (_request, reply) => {
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  reply.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
}

test('receipts add up to what the ledger charged, whatever became of the requests', async () => {
  await gateway.setBudget({
    scope: 'key',
    id: keyId,
    model: '',
    window: 'total',
    limitNano: 1_000_000_000n,
    warnAtPercent: 80,
  })
  const openai = new OpenAI({ baseURL, apiKey: key, maxRetries: 0 })
  for (const script of [answerChat(), cut, failing, beginning, answerChat()]) {
    engine.script = script
    const requests = Array.from({ length: 6 }, async (_, i) => {
      if (i % 2 === 0 && script !== beginning) return void (await openai.chat.completions.create(HELLO).catch(() => {}))
      const hangUp = new AbortController()
      const stream = await openai.chat.completions.create(STREAM, { signal: hangUp.signal }).catch(() => null)
      if (script === beginning) hangUp.abort()
      else if (stream !== null) await readStream(stream).catch(() => {})
    })
    await Promise.all(requests)
    await nothingRuns()
  }
  const page = await gateway.receipts({ limit: 100 })
  expect(page.unsettledNano).toBe(0n)
  expect(page.costNano).toBe(chargedNano())
  expect(page.costNano).toBeGreaterThan(0n)
  expect(page.count).toBe(30)
  expect(new Set(page.receipts.map((r) => r.result))).toEqual(new Set(['ok', 'failed', 'cancelled']))
  expect(gateway.budgets.list()).toMatchObject([{ spentNano: chargedNano(), reservedNano: 0n }])
  expect(await gateway.usage({ by: 'key' })).toMatchObject([{ name: keyId, requests: 30n, costNano: chargedNano() }])
  expect(JSON.stringify(page.receipts, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))).not.toContain(
    'Hello',
  )
})

test('a crowd against a budget for a few is served until it is used up, and the proxy charges no more than that', async () => {
  engine.script = answerChat()
  const openai = new OpenAI({ baseURL, apiKey: key, maxRetries: 0 })
  const quoted = await fetch(`${baseURL}/quote/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(HELLO),
  })
  const maxCost = BigInt(((await quoted.json()) as { max_cost_nano: string }).max_cost_nano)
  const before = chargedNano()
  const limitNano = before + 5n * maxCost
  await gateway.setBudget({ scope: 'key', id: keyId, model: '', window: 'total', limitNano, warnAtPercent: 80 })
  const statuses = await Promise.all(
    Array.from({ length: 60 }, () =>
      openai.chat.completions.create(HELLO).then(
        () => 200,
        (error: { status?: number }) => error.status ?? 0,
      ),
    ),
  )
  await nothingRuns()
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(5)
  expect(statuses.filter((status) => status === 402).length).toBeGreaterThan(0)
  expect(statuses.filter((status) => status !== 200 && status !== 402)).toEqual([])
  expect(chargedNano()).toBeLessThanOrEqual(limitNano)
  expect(gateway.budgets.list()).toMatchObject([{ spentNano: chargedNano(), reservedNano: 0n }])
})

test('the receipt and the headers of a request name its worker, its proxy and its times in order', async () => {
  engine.script = answerChat()
  const openai = new OpenAI({ baseURL, apiKey: key, maxRetries: 0 })
  const { response } = await openai.chat.completions.create(HELLO).withResponse()
  await nothingRuns()
  const request = response.headers.get('x-request-id') ?? ''
  const [receipt] = (await gateway.receipts({ request, limit: 1 })).receipts
  const worker = response.headers.get('x-cocoon-worker')
  expect(worker).toMatch(/^[A-Za-z0-9_-]{48}$/)
  expect(response.headers.get('x-cocoon-attempts')).toBe('1')
  expect(receipt).toMatchObject({ worker, proxy: response.headers.get('x-cocoon-proxy'), queuedMs: 0 })
  expect(receipt?.attempts).toMatchObject([{ worker, ended: 'ok' }])
  const { sentMs, firstByteMs, durationMs } = receipt ?? {}
  const times = [0, sentMs, firstByteMs, durationMs] as number[]
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  const classes = ['prompt', 'cached', 'completion', 'reasoning'].map((name) =>
    BigInt(response.headers.get(`x-cocoon-${name}-tokens`) ?? -1),
  )
  expect(classes.reduce((sum, count) => sum + count)).toBe(receipt?.total)
})
