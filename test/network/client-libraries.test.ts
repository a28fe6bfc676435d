/** What the libraries that applications are written with see of a whole network: each driven through its own features. */
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { embedMany, generateText, Output, isStepCount, streamText, tool } from 'ai'
import OpenAI, { toFile } from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { chargeOf, settled } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { openaiAt } from '../support/openai.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url, http: true })
})
afterEach(async () => {
  engine.script = answerChat()
  await settled(network)
})
afterAll(async () => {
  await network.close()
  await engine.close()
})

const USAGE = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }
const CITY = z.object({ city: z.string() })

/** Calls the tool first; with its result at hand answers with it. Whole or streamed, as asked. */
const callThenAnswer: Script = (request, reply) => {
  const messages = request.body['messages'] as { role: string; content: string }[]
  const result = messages.findLast(({ role }) => role === 'tool')?.content
  if (result !== undefined) return answerChat(['It is ', result])(request, reply)
  const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } }
  const base = { id: 'chatcmpl-1', created: 1, model: request.body['model'] }
  if (request.body['stream'] !== true) {
    const message = { role: 'assistant', content: null, tool_calls: [call] }
    const choices = [{ index: 0, message, finish_reason: 'tool_calls' }]
    reply.writeHead(200, { 'content-type': 'application/json' })
    return void reply.end(JSON.stringify({ ...base, object: 'chat.completion', choices, usage: USAGE }))
  }
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (delta: object, finish_reason: string | null = null): void => {
    const choices = [{ index: 0, delta, finish_reason }]
    reply.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices })}\n\n`)
  }
  const { name } = call.function
  send({ role: 'assistant', tool_calls: [{ index: 0, ...call, function: { name, arguments: '' } }] })
  for (const piece of ['{"city":', '"Ulm"}']) send({ tool_calls: [{ index: 0, function: { arguments: piece } }] })
  send({}, 'tool_calls')
  reply.end(`data: ${JSON.stringify({ ...base, choices: [], usage: USAGE })}\n\ndata: [DONE]\n\n`)
}

const answerJson =
  (body: object): Script =>
  (_request, reply) =>
    void reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))

/** Starts a stream and never goes on with it. */
const beginOnly: Script = (_request, reply) => {
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  reply.write('data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
}

const lastBody = () => engine.seen.at(-1)?.body

describe('Anthropic’s library', () => {
  const anthropic = () =>
    new Anthropic({ baseURL: network.baseURL.replace(/\/v1$/, ''), apiKey: 'unused', maxRetries: 0 })
  const ask = {
    model: 'test-model',
    max_tokens: 64,
    messages: [{ role: 'user' as const, content: 'Weather in Ulm?' }],
    tools: [{ name: 'weather', input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } } }],
  }

  test.each(['whole', 'streamed'])(
    '%s: calls a tool, answers with its result, and is charged what the engine used',
    async (how) => {
      engine.script = callThenAnswer
      const run = (messages: Anthropic.MessageParam[]): Promise<Anthropic.Message> =>
        how === 'whole'
          ? anthropic().messages.create({ ...ask, messages })
          : anthropic()
              .messages.stream({ ...ask, messages })
              .finalMessage()
      const tokens = await chargeOf(network, async () => {
        const first = await run(ask.messages)
        expect(first).toMatchObject({
          stop_reason: 'tool_use',
          content: [{ type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Ulm' } }],
          usage: { input_tokens: 5, output_tokens: 3 },
        })
        const second = await run([
          ...ask.messages,
          { role: 'assistant', content: first.content },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', content: 'raining' }] },
        ])
        expect(second.content).toMatchObject([{ type: 'text', text: 'It is raining' }])
      })
      expect(tokens).toBe(8n + 7n)
    },
  )

  test('a caller that stops reading stops the engine', async () => {
    engine.script = beginOnly
    const before = engine.hungUp
    for await (const event of await anthropic().messages.create({ ...ask, stream: true }))
      if (event.type === 'content_block_delta') break
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  })

  test('tokens of a prompt are counted', async () => {
    const { messages, model } = ask
    expect(await anthropic().messages.countTokens({ messages, model })).toEqual({ input_tokens: 5 })
  })
})

describe('OpenAI’s library', () => {
  test.each(['whole', 'streamed'])('%s responses: calls a tool, takes its output, and is charged', async (how) => {
    engine.script = callThenAnswer
    const openai = openaiAt(network.baseURL)
    const ask = {
      model: 'test-model',
      max_output_tokens: 64,
      tools: [
        { type: 'function' as const, name: 'weather', strict: true, parameters: { type: 'object', properties: {} } },
      ],
    }
    const run = (input: OpenAI.Responses.ResponseInput): Promise<OpenAI.Responses.Response> =>
      how === 'whole'
        ? openai.responses.create({ ...ask, input })
        : openai.responses.stream({ ...ask, input }).finalResponse()
    const question = { role: 'user' as const, content: 'Weather in Ulm?' }
    const tokens = await chargeOf(network, async () => {
      const first = await run([question])
      expect(first.output).toMatchObject([{ type: 'function_call', call_id: 'call_1', arguments: '{"city":"Ulm"}' }])
      const output = { type: 'function_call_output' as const, call_id: 'call_1', output: 'raining' }
      const second = await run([question, ...(first.output as OpenAI.Responses.ResponseInput), output])
      expect(second.output_text).toBe('It is raining')
    })
    expect(tokens).toBe(8n + 7n)
  })

  test('a transcription travels as a form, byte for byte', async () => {
    const sound = new Uint8Array(300).map((_, i) => i)
    engine.script = answerJson({ text: 'Hello.', usage: USAGE })
    const tokens = await chargeOf(network, async () => {
      const file = await toFile(sound, 'a.wav', { type: 'audio/wav' })
      const answer = await openaiAt(network.baseURL).audio.transcriptions.create({ model: 'test-model', file })
      expect(answer.text).toBe('Hello.')
    })
    expect(tokens).toBe(8n)
    const { raw, headers } = engine.seen.at(-1) ?? {}
    const form = await new Response(new Uint8Array(raw ?? []), {
      headers: { 'content-type': headers?.['content-type'] ?? '' },
    }).formData()
    expect(await (form.get('file') as File).bytes()).toEqual(sound)
  })

  test('documents are ranked and charged', async () => {
    engine.script = answerJson({
      results: [{ index: 0, relevance_score: 0.5 }],
      usage: { prompt_tokens: 4, total_tokens: 4 },
    })
    const tokens = await chargeOf(network, async () => {
      const response = await fetch(`${network.baseURL}/rerank`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'test-model', query: 'q', documents: ['a'] }),
      })
      expect(await response.json()).toMatchObject({ results: [{ index: 0 }] })
    })
    expect(tokens).toBe(4n)
  })
})

const RETRYING: Record<string, () => Promise<string>> = {
  OpenAI: async () => {
    const openai = new OpenAI({ baseURL: network.baseURL, apiKey: 'unused', maxRetries: 2 })
    const answer = await openai.chat.completions.create({ model: 'test-model', messages: HI, max_tokens: 64 })
    return answer.choices[0]?.message.content ?? ''
  },
  Anthropic: async () => {
    const anthropic = new Anthropic({ baseURL: network.baseURL.replace(/\/v1$/, ''), apiKey: 'unused', maxRetries: 2 })
    const { content } = await anthropic.messages.create({ model: 'test-model', messages: HI, max_tokens: 64 })
    return content[0]?.type === 'text' ? content[0].text : ''
  },
  'the AI SDK': async () => {
    const model = createOpenAICompatible({ name: 'cocoon', baseURL: network.baseURL })('test-model')
    return (await generateText({ model, prompt: 'Hi', maxOutputTokens: 64, maxRetries: 2 })).text
  },
  LangChain: async () => {
    const configuration = { baseURL: network.baseURL }
    const chat = new ChatOpenAI({ model: 'test-model', apiKey: 'unused', maxTokens: 64, maxRetries: 2, configuration })
    return String((await chat.invoke('Hi')).content)
  },
}
const HI = [{ role: 'user' as const, content: 'Hi' }]

describe('a library left to retry by itself', () => {
  test.each(Object.keys(RETRYING))(
    '%s: asks again after an engine that was overloaded, and is charged once',
    async (name) => {
      let refusals = 0
      engine.script = (request, reply) => {
        if (refusals++ > 0) return answerChat()(request, reply)
        reply.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1' })
        reply.end('{"error":{"message":"overloaded","type":"server_error","code":"overloaded"}}')
      }
      let text = ''
      const tokens = await chargeOf(network, async () => {
        text = (await RETRYING[name]?.()) ?? ''
      })
      expect([text, refusals, tokens]).toEqual(['Hello there!', 2, 8n])
    },
  )
})

describe('the AI SDK', () => {
  const model = () =>
    createOpenAICompatible({
      name: 'cocoon',
      baseURL: network.baseURL,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })('test-model')
  const tools = {
    weather: tool({ description: 'Tells it.', inputSchema: CITY, execute: async ({ city }) => `raining in ${city}` }),
  }
  const ask = { prompt: 'Weather in Ulm?', tools, stopWhen: isStepCount(3), maxOutputTokens: 64, maxRetries: 0 }

  test('calls tools in a loop until the model answers', async () => {
    engine.script = callThenAnswer
    const { text, steps } = await generateText({ ...ask, model: model() })
    expect(text).toBe('It is raining in Ulm')
    expect(steps).toHaveLength(2)
  })

  test('does the same on streams', async () => {
    engine.script = callThenAnswer
    const answer = streamText({ ...ask, model: model() })
    let text = ''
    for await (const piece of answer.textStream) text += piece
    expect(text).toBe('It is raining in Ulm')
    expect(await answer.steps).toHaveLength(2)
  })

  test('gets an object by its schema', async () => {
    engine.script = answerChat(['{"city":', '"Ulm"}'])
    const { output } = await generateText({
      model: model(),
      prompt: 'Where?',
      output: Output.object({ schema: CITY }),
      maxRetries: 0,
    })
    expect(output).toEqual({ city: 'Ulm' })
    expect(lastBody()).toMatchObject({
      response_format: { type: 'json_schema', json_schema: { schema: { properties: { city: { type: 'string' } } } } },
    })
  })

  test('embeds several texts', async () => {
    const embedding = (index: number) => ({ object: 'embedding', index, embedding: [index, 0.5] })
    const usage = { prompt_tokens: 4, total_tokens: 4 }
    engine.script = answerJson({ object: 'list', data: [embedding(0), embedding(1)], usage })
    const provider = createOpenAICompatible({ name: 'cocoon', baseURL: network.baseURL })
    const answer = await embedMany({ model: provider.embeddingModel('test-model'), values: ['a', 'b'], maxRetries: 0 })
    expect(answer.embeddings).toEqual([
      [0, 0.5],
      [1, 0.5],
    ])
    expect(answer.usage.tokens).toBe(4)
  })

  test('stops the engine when it is aborted', async () => {
    engine.script = beginOnly
    const before = engine.hungUp
    const abort = new AbortController()
    const { textStream } = streamText({ model: model(), prompt: 'Count.', abortSignal: abort.signal, maxRetries: 0 })
    for await (const _ of textStream) abort.abort()
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  })
})

describe('LangChain’s client', () => {
  const chat = () =>
    new ChatOpenAI({
      model: 'test-model',
      apiKey: 'unused',
      maxTokens: 64,
      maxRetries: 0,
      configuration: { baseURL: network.baseURL },
    })

  test('answers with its usage', async () => {
    const answer = await chat().invoke('Hi')
    expect(answer.content).toBe('Hello there!')
    expect(answer.usage_metadata).toMatchObject({ input_tokens: 5, output_tokens: 3 })
  })

  test('streams piece by piece', async () => {
    const pieces: unknown[] = []
    for await (const { content } of await chat().stream('Hi')) if (content !== '') pieces.push(content)
    expect(pieces).toEqual(['Hello', ' there', '!'])
  })

  test('binds tools', async () => {
    engine.script = callThenAnswer
    const bound = chat().bindTools([{ name: 'weather', description: 'Tells it.', schema: CITY }])
    const { tool_calls } = await bound.invoke('Weather in Ulm?')
    expect(tool_calls).toMatchObject([{ id: 'call_1', name: 'weather', args: { city: 'Ulm' } }])
  })

  test('gets an object by its schema', async () => {
    engine.script = answerChat(['{"city":', '"Ulm"}'])
    const structured = chat().withStructuredOutput(CITY, { method: 'jsonSchema' })
    expect(await structured.invoke('Where?')).toEqual({ city: 'Ulm' })
    expect(lastBody()).toMatchObject({ response_format: { type: 'json_schema' } })
  })

  test('embeds', async () => {
    engine.script = answerJson({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.5, -1] }],
      usage: { prompt_tokens: 4, total_tokens: 4 },
    })
    const embeddings = new OpenAIEmbeddings({
      model: 'test-model',
      apiKey: 'unused',
      encodingFormat: 'float',
      maxRetries: 0,
      configuration: { baseURL: network.baseURL },
    })
    expect(await embeddings.embedQuery('abc')).toEqual([0.5, -1])
  })

  test('stops the engine when it is aborted', async () => {
    engine.script = beginOnly
    const before = engine.hungUp
    const abort = new AbortController()
    const read = async (): Promise<void> => {
      for await (const _ of await chat().stream('Hi', { signal: abort.signal })) abort.abort()
    }
    await read().catch(() => undefined)
    await until(() => engine.hungUp === before + 1, 'the engine is hung up on')
  })
})
