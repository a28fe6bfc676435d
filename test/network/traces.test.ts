/** One request through all roles, seen by a collector: three spans of one trace, in the right order, without a word of it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOtlpTrace, type OtlpTrace, postSpans } from '../../src/telemetry/index.ts'
import { noMetrics, silentLog, systemClock } from '../../src/util/index.ts'
import { startNetwork, type TestNetwork } from '../support/network.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const MARK = 'violet-narwhal'
const received: string[] = []
const collector = createServer((request, reply) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    received.push(Buffer.concat(chunks).toString())
    reply.end('{}')
  })
})
let engine: ScriptedEngine
let network: TestNetwork
let trace: OtlpTrace

beforeAll(async () => {
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`
  const deps = { clock: systemClock, log: silentLog, metrics: noMetrics, post: postSpans }
  trace = createOtlpTrace(deps, { url, ratio: 1, role: 'test' })
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url, http: true, trace })
})
afterAll(async () => {
  await network.close()
  await engine.close()
  collector.close()
})

interface SentSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, string>> }[]
}

test('client, proxy and worker tell one story, and the engine hears its name', async () => {
  let heard: unknown
  engine.script = (request, reply) => {
    heard = request.headers['traceparent']
    return answerChat([MARK])(request, reply)
  }
  const answer = await fetch(`${network.baseURL}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'test-model', max_tokens: 9, messages: [{ role: 'user', content: MARK }] }),
  })
  expect(await answer.text()).toContain(MARK)
  await network.close()
  await trace.close()
  const spans = received.flatMap((body) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans as SentSpan[])
  const byName = Object.fromEntries(spans.map((span) => [span.name, span]))
  const { inference, route, serve } = byName
  expect(Object.keys(byName).toSorted()).toEqual(['inference', 'route', 'serve'])
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
  expect([inference?.parentSpanId, route?.parentSpanId, serve?.parentSpanId]).toEqual([
    undefined,
    inference?.spanId,
    route?.spanId,
  ])
  expect(heard).toMatch(new RegExp(`^00-${inference?.traceId}-[0-9a-f]{16}-01$`))
  const tokens = spans.map((span) => span.attributes.find(({ key }) => key === 'tokens')?.value['intValue'])
  expect(new Set(tokens).size).toBe(1)
  expect(received.join()).not.toContain(MARK)
})
