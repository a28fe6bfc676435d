/** One request from the caller's sink through all three roles to an engine and back: the life of a request as a test. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CocoonError } from '../../src/util/index.ts'
import type { FinalInfo, InferenceRequest, RunningInference } from '../../src/roles/client/index.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url })
})
afterAll(async () => {
  await network.close()
  await engine.close()
})

export interface Collected {
  readonly status: number | undefined
  readonly text: string
  readonly info: FinalInfo | undefined
  readonly error: CocoonError | undefined
}

function chatRequest(body: Record<string, unknown> = {}): InferenceRequest {
  const whole = { model: 'test-model', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 64, ...body }
  return {
    path: '/v1/chat/completions',
    headers: [['content-type', 'application/json']],
    body: new TextEncoder().encode(JSON.stringify(whole)),
    model: whole.model,
    maxTokens: 64,
    maxCoefficient: 4000,
    timeoutMs: 20_000,
    debug: false,
    traceId: 'test',
  }
}

function collect(n: TestNetwork, request: InferenceRequest): Promise<Collected> {
  return new Promise((resolve) => {
    let status: number | undefined
    const parts: Uint8Array[] = []
    const done = (rest: { info?: FinalInfo | undefined; error?: CocoonError }): void =>
      resolve({ status, text: Buffer.concat(parts).toString(), info: rest.info, error: rest.error })
    n.client.run(request, {
      head: (h) => void (status = h.status),
      part: (bytes) => void parts.push(bytes.slice()),
      end: (info) => done({ info }),
      fail: (error, info) => done({ error, info }),
    })
  })
}

test('an answer arrives whole, is metered and charged on both sides alike', async () => {
  const before = network.ledger.workers()[0]?.totals.max ?? 0n
  const answer = await collect(network, chatRequest())
  expect(answer.error).toBeUndefined()
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.text)).toMatchObject({
    choices: [{ message: { content: 'Hello there!' } }],
    usage: { prompt_tokens: 5, completion_tokens: 3, prompt_total_cost: 10, completion_total_cost: 6, total_cost: 16 },
  })
  expect(answer.info).toMatchObject({ tokens: { prompt: 5n, completion: 3n, total: 8n }, costNano: 16n })
  expect(network.ledger.workers()[0]?.totals.max).toBe(before + 8n)
  expect(network.ledger.clients()[0]).toMatchObject({ reserved: 0n, running: 0 })
})

test('a streamed answer is the engine’s bytes, without the usage event that nobody asked for', async () => {
  const answer = await collect(network, chatRequest({ stream: true }))
  expect(answer.text.match(/data: /g)).toHaveLength(5)
  expect(answer.text).not.toContain('usage')
  expect(answer.text.endsWith('data: [DONE]\n\n')).toBe(true)
  expect(answer.info?.tokens.total).toBe(8n)
})

test('a stream that the engine sends in pieces, cut at any byte, is the same stream', async () => {
  const event = (of: object): string =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', ...of })}\n\n`
  const events = [
    event({ choices: [{ index: 0, delta: { content: 'Hi' } }] }),
    event({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 } }),
    'data: [DONE]\n\n',
  ]
  const chunks = [...events, ''].map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('')
  const bytes = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`
  engine.script = ({ body }, { socket }) => {
    const cut = body['cut'] as number
    // The one in the middle is as long as the end of a stream: what is kept of it must outlive the one that follows.
    const pieces = [bytes.slice(0, cut), bytes.slice(cut, cut + 20), bytes.slice(cut + 20)]
    const send = (): void => {
      const piece = pieces.shift()
      if (piece === undefined) return void socket?.end()
      socket?.write(piece)
      setTimeout(send, 5)
    }
    send()
  }
  const ask = async (cut: number): Promise<string> =>
    (await collect(network, chatRequest({ stream: true, cut }))).text || `nothing, cut at ${cut}`
  const answers = new Set<string>()
  for (let from = 1; from < bytes.length; from += 50)
    for (const text of await Promise.all(
      Array.from({ length: Math.min(50, bytes.length - from) }, (_, i) => ask(from + i)),
    ))
      answers.add(text)
  engine.script = answerChat()
  expect([...answers]).toEqual([`${events[0]}${events[2]}`])
})

describe('versions', () => {
  test.each([0, 1, 2, 3, 4])('a client of protocol version %i is served', async (version) => {
    const other = await startNetwork({
      engineUrl: engine.url,
      client: { minVersion: version, maxVersion: version },
      worker: { minVersion: 1, maxVersion: Math.max(1, version) },
    })
    try {
      const answer = await collect(other, chatRequest())
      expect(answer.error).toBeUndefined()
      expect(answer.info?.tokens.total).toBe(8n)
      expect(answer.info?.workerStart === 0).toBe(version < 2)
    } finally {
      await other.close()
    }
  })
})

test('a caller that hangs up stops the engine', async () => {
  engine.script = (_request, reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' })
    reply.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
  }
  const before = engine.hungUp
  let cancel = (): void => undefined
  await new Promise<void>((resolve) => {
    cancel = network.client.run(chatRequest({ stream: true }), {
      head() {},
      part: () => resolve(),
      end() {},
      fail() {},
    }).cancel
  })
  cancel()
  await until(() => engine.hungUp > before, 'the engine’s connection is closed')
  await until(() => network.proxy.status().requests.running === 0, 'the proxy has no request left')
  expect(network.ledger.clients()[0]?.reserved).toBe(0n)
  engine.script = answerChat()
})

test('a lost worker ends its requests at once where nobody wants to wait for it', async () => {
  engine.script = () => undefined
  const client = { reconnectWaitMs: 0 }
  const other = await startNetwork({ engineUrl: engine.url, client, proxy: { maxQueueWaitMs: 600_000 } })
  const answer = collect(other, chatRequest())
  await until(() => other.proxy.status().requests.running === 1, 'the request runs')
  const [worker] = other.workers
  await worker?.close(0)
  expect((await answer).error).toMatchObject({ code: 'protocol.worker-lost' })
  expect(other.ledger.clients()[0]?.reserved).toBe(0n)
  await other.close()
  engine.script = answerChat()
})

test('a request that loses its only proxy before any answer is answered when the proxy is back, and so is the next', async () => {
  engine.script = () => undefined
  const answer = collect(network, chatRequest())
  await until(() => network.proxy.status().requests.running === 1, 'the request runs')
  engine.script = answerChat()
  await network.restartProxy()
  expect((await answer).error).toBeUndefined()
  await until(
    () => network.client.ready().length === 0 && network.proxy.status().workers.some((w) => w.enabled),
    'everybody is back',
  )
  expect((await collect(network, chatRequest())).error).toBeUndefined()
})

test('a request is found on every node by the ids in their logs', async () => {
  const log = createRecordingLog()
  const other = await startNetwork({ engineUrl: engine.url, log })
  await collect(other, chatRequest())
  const ended = (): string[] => log.lines.filter((line) => line.startsWith('info request ended'))
  const idIn = (line: string | undefined, name: string): string | undefined =>
    new RegExp(`\\b${name}: '(\\w+)'`).exec(line ?? '')?.[1]
  await until(() => ended().length === 3, 'client, proxy and worker have logged the end')
  const proxy = ended().find((line) => line.includes('clientRequest'))
  const client = ended().find((line) => line.includes("trace: 'test'"))
  const worker = ended().find((line) => line !== proxy && line !== client)
  expect(idIn(client, 'request')).toMatch(/^[0-9a-f]{16}$/)
  expect(idIn(proxy, 'clientRequest')).toBe(idIn(client, 'request'))
  expect(idIn(worker, 'request')).toBe(idIn(proxy, 'request'))
  await other.close()
})

test('a caller that hangs up still learns what the proxy charged', async () => {
  engine.script = (_request, reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' })
    reply.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
  }
  const before = network.ledger.workers()[0]?.totals.max ?? 0n
  const running = await new Promise<RunningInference>((resolve) => {
    const started = network.client.run(chatRequest({ stream: true }), {
      head() {},
      part: () => resolve(started),
      end() {},
      fail() {},
    })
  })
  running.cancel()
  const charge = await running.charge()
  const tokens = typeof charge === 'string' ? 0n : charge.tokens.total
  expect(charge).not.toBe('unknown')
  expect(network.ledger.workers()[0]?.totals.max).toBe(before + tokens)
  engine.script = answerChat()
})

test('a request that could cost more than its own limit never leaves', async () => {
  const seen = (): number => {
    const { running, succeeded, failed, refused } = network.proxy.status().requests
    return running + succeeded + failed + refused
  }
  const before = seen()
  const { maxCostNano } = network.client.quote(chatRequest())
  const answer = await collect(network, { ...chatRequest(), maxCostNano: maxCostNano - 1n })
  expect(answer.error).toMatchObject({ code: 'payment.max-cost', info: { field: 'max_cost' } })
  expect(seen()).toBe(before)
  expect((await collect(network, { ...chatRequest(), maxCostNano })).error).toBeUndefined()
})
