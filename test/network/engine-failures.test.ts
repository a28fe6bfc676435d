/** Engines that stall, fail, lie or break off: the caller hears of it in the right words, and pays for nothing. */
import OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { chargeOf } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { HELLO, openaiAt, readStream, refusalOf, STREAM, type Streamed } from '../support/openai.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork
let openai: OpenAI

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url, http: true })
  openai = openaiAt(network.baseURL)
})
afterEach(() => {
  engine.script = answerChat()
})
afterAll(async () => {
  await network.close()
  await engine.close()
})

/** The refusal of one request under this script, which must cost nothing. */
async function refusalUnder(script: Script, request: object = {}): Promise<InstanceType<typeof OpenAI.APIError>> {
  engine.script = script
  let error: InstanceType<typeof OpenAI.APIError> | undefined
  const tokens = await chargeOf(network, async () => {
    error = await refusalOf(openai.chat.completions.create({ ...HELLO, ...request }))
  })
  expect(tokens).toBe(0n)
  return error as InstanceType<typeof OpenAI.APIError>
}

/** What a stream came to under this script, which must cost nothing. */
async function streamUnder(script: Script, request: object = {}): Promise<Streamed> {
  engine.script = script
  let answer: Streamed | undefined
  const tokens = await chargeOf(network, async () => {
    answer = await readStream(await openai.chat.completions.create({ ...STREAM, ...request }))
  })
  expect(tokens).toBe(0n)
  return answer as Streamed
}

const EVENTS = { 'content-type': 'text/event-stream' }
const PIECE = 'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'

/** A whole answer that claims this usage. */
const claim =
  (usage: object): Script =>
  (_request, reply) => {
    const choices = [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }]
    reply.writeHead(200, { 'content-type': 'application/json' })
    reply.end(JSON.stringify({ id: 'c', object: 'chat.completion', choices, usage }))
  }

describe('an engine that stalls', () => {
  test('before its answer is a 504 at the timeout, and is hung up on', async () => {
    const before = engine.hungUp
    const error = await refusalUnder(() => undefined, { timeout: 0.3 })
    expect(error).toMatchObject({ status: 504, type: 'server_error' })
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  })

  test('in the middle of a stream ends it with an error event at the timeout', async () => {
    const { text, error } = await streamUnder((_request, reply) => void reply.writeHead(200, EVENTS).write(PIECE), {
      timeout: 0.3,
    })
    expect(text).toBe('a')
    expect(error).toMatchObject({ code: expect.stringMatching(/timeout/) })
  })
})

describe('an engine that fails', () => {
  test.each([500, 503, 400, 422])('with status %d passes its own status and words', async (status) => {
    const error = await refusalUnder((_request, reply) => {
      reply.writeHead(status, { 'content-type': 'application/json' })
      reply.end(JSON.stringify({ error: { message: 'out of cheese', type: 'cheese', usage: { prompt_tokens: 9 } } }))
    })
    expect(error).toMatchObject({ status, type: 'cheese' })
    expect(error.message).toContain('out of cheese')
  })

  test('by closing the connection without a word is a 502', async () => {
    const error = await refusalUnder((_request, reply) => void reply.destroy())
    expect(error).toMatchObject({ status: 502, code: 'engine.failed' })
  })

  test('in the middle of a whole answer is a 502, not half an answer', async () => {
    const error = await refusalUnder((_request, reply) => {
      reply.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      reply.write('{"choices":[', () => reply.destroy())
    })
    expect(error).toMatchObject({ status: 502, code: 'engine.failed' })
  })

  test('with a page of HTML is free of charge', async () => {
    engine.script = (_request, reply) =>
      void reply.writeHead(200, { 'content-type': 'text/html' }).end('<html>It works!</html>')
    expect(await chargeOf(network, () => openai.chat.completions.create(HELLO))).toBe(0n)
  })

  test.each([
    ['by closing the connection', (reply: { destroy(): unknown }) => void reply.destroy()],
    ['by ending the body without [DONE]', (reply: { end(): unknown }) => void reply.end()],
  ])('in the middle of a stream %s raises an error in the library', async (_how, breakOff) => {
    const { text, error } = await streamUnder((_request, reply) => {
      reply.writeHead(200, EVENTS)
      reply.write(PIECE, () => breakOff(reply))
    })
    expect(text).toBe('a')
    expect(error).toBeInstanceOf(OpenAI.APIError)
  })
})

describe('a usage report', () => {
  test.each([
    ['far above what was reserved', { prompt_tokens: 5, completion_tokens: 2_000_000_000 }],
    ['above the caller’s limit', { prompt_tokens: 5, completion_tokens: 100_000 }],
    [
      'with more cached tokens than prompt',
      { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 9 } },
    ],
    [
      'with more reasoning than completion',
      { prompt_tokens: 5, completion_tokens: 3, completion_tokens_details: { reasoning_tokens: 9 } },
    ],
    ['of more tokens than the answer has bytes', { prompt_tokens: 5, completion_tokens: 3000 }],
  ])('%s is refused: the caller gets an error and pays nothing', async (_what, usage) => {
    const error = await refusalUnder(claim(usage), { max_tokens: 5000 })
    expect(error).toMatchObject({ status: 502, code: 'protocol.usage' })
  })

  test('far above what was reserved ends a stream with an error in the place of its terminator, and free', async () => {
    // The end comes when the beginning has left: what comes at once would be refused as a whole.
    const usage = { prompt_tokens: 5, completion_tokens: 2_000_000_000, total_tokens: 2_000_000_005 }
    engine.script = (_request, reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' })
      reply.write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
      setTimeout(() => reply.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`), 20)
    }
    const tokens = await chargeOf(network, async () => {
      const answer = await openai.chat.completions.create(STREAM).asResponse()
      const text = await answer.text()
      expect(text).toMatch(/data: \{"error":\{[^\n]*"protocol\.usage"\}\}\n\n$/)
      expect(text).not.toContain('[DONE]')
    })
    expect(tokens).toBe(0n)
  })

  test('far above what was reserved is refused with a status when the stream is there at once, and free', async () => {
    engine.script = answerChat(['a', 'b'], { prompt_tokens: 5, completion_tokens: 2_000_000_000 })
    const tokens = await chargeOf(network, async () => {
      const refused = openai.chat.completions.create(STREAM).asResponse()
      await expect(refused).rejects.toMatchObject({ status: 502, code: 'protocol.usage' })
    })
    expect(tokens).toBe(0n)
  })

  test.each([
    ['negative', { prompt_tokens: -5, completion_tokens: -3 }],
    ['not numbers', { prompt_tokens: '5', completion_tokens: null }],
    ['missing', {}],
  ])('whose counts are %s earns nothing', async (_what, usage) => {
    engine.script = claim(usage)
    expect(await chargeOf(network, () => openai.chat.completions.create(HELLO))).toBe(0n)
  })
})

test('an engine that is down turns its worker off: 503 at once, until it is back', async () => {
  const isEnabled = (): boolean => network.proxy.status().workers.some((worker) => worker.enabled)
  engine.isUp = false
  await until(() => !isEnabled(), 'the worker is disabled')
  const error = await refusalUnder(answerChat())
  expect(error).toMatchObject({ status: 503, code: 'capacity.no-workers' })
  expect(network.workers[0]?.ready()).toEqual(['the engine does not answer'])
  engine.isUp = true
  await until(isEnabled, 'the worker is enabled again')
  expect(await chargeOf(network, () => openai.chat.completions.create(HELLO))).toBe(8n)
})
