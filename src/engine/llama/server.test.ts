import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TINY_MODEL, tinyModelPath } from '../../../test/support/tiny-model.ts'
import { type LlamaServer, startLlamaServer } from './index.ts'

let server: LlamaServer
let client: OpenAI

beforeAll(async () => {
  server = await startLlamaServer({
    modelPath: tinyModelPath(),
    servedModelName: 'tiny',
    gpu: 'off',
    threads: 1,
    parallel: 2,
    maxQueued: 16,
    drainMs: 100,
  })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
})
afterAll(() => server.close())

const hello = [{ role: 'user' as const, content: 'Hello' }]
const ask = { model: 'tiny', messages: hello, seed: 7, max_tokens: 40 }

const post = (path: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  })

async function idle(): Promise<void> {
  await expect
    .poll(async () => (await (await fetch(`${server.url}/health`)).json()) as unknown)
    .toEqual({ status: 'ok', busy: 0, queued: 0 })
}

describe('chat', () => {
  test('an answer ends with length after exactly max_tokens, and usage counts every token', async () => {
    const answer = await client.chat.completions.create(ask)
    expect(answer.choices[0]?.finish_reason).toBe('length')
    expect(answer.choices[0]?.message.content).toMatch(/^[\x20-\x7e]{30,40}$/)
    expect(answer.usage).toMatchObject({ completion_tokens: 40, total_tokens: (answer.usage?.prompt_tokens ?? 0) + 40 })
    // One token per byte, plus the beginning of text and the marks <|im_start|>, <|im_end|>, <|im_start|>.
    expect(answer.usage?.prompt_tokens).toBe('user\nHello\nassistant\n'.length + 1 + 3)
  })

  test('the same seed gives the same answer, another seed another one', async () => {
    const text = async (seed: number) =>
      (await client.chat.completions.create({ ...ask, seed })).choices[0]?.message.content
    const first = await text(7)
    expect(await text(7)).toBe(first)
    expect(await text(8)).not.toBe(first)
  })

  test('a stream has the same text and usage as the whole answer, the usage last with no choices', async () => {
    const whole = await client.chat.completions.create(ask)
    const chunks = []
    for await (const chunk of await client.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: true },
    }))
      chunks.push(chunk)
    expect(chunks.map((c) => c.choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content)
    expect(chunks.length).toBeGreaterThan(20)
    const last = chunks.at(-1)
    expect(last?.choices).toEqual([])
    expect({ ...last?.usage, prompt_tokens_details: null }).toEqual({ ...whole.usage, prompt_tokens_details: null })
    expect(chunks.slice(0, -1).every((c) => c.usage === null)).toBe(true)
  })

  test('a stream ends in [DONE] and holds no usage unless asked for', async () => {
    const text = await (await post('/v1/chat/completions', { ...ask, max_tokens: 3, stream: true })).text()
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(text).not.toContain('usage')
  })

  test('a stop string ends the answer and no part of it is shown', async () => {
    const free = (await client.chat.completions.create(ask)).choices[0]?.message.content ?? ''
    const stop = free.slice(10, 14)
    const answer = await client.chat.completions.create({ ...ask, stop: ['never written', stop] })
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: free.slice(0, free.indexOf(stop)) },
    })
  })

  test('n answers differ from each other and are the same again for the same seed', async () => {
    const texts = async () =>
      (await client.chat.completions.create({ ...ask, n: 3 })).choices.map((c) => c.message.content)
    const first = await texts()
    expect(new Set(first).size).toBe(3)
    expect(await texts()).toEqual(first)
    const { usage } = await client.chat.completions.create({ ...ask, n: 2, max_tokens: 5 })
    expect(usage?.completion_tokens).toBe(10)
  })

  test('max_tokens beyond the context is cut to the room that is left', async () => {
    const long = { role: 'user' as const, content: 'x'.repeat(1900) }
    const { choices, usage } = await client.chat.completions.create({ ...ask, messages: [long], max_tokens: 100_000 })
    expect(choices[0]?.finish_reason).toBe('length')
    expect(usage?.total_tokens).toBe(2047)
  })

  test('biases of tokens that do not exist change nothing', async () => {
    const plain = await client.chat.completions.create(ask)
    const logit_bias = { 99_999: 100, 4_294_967_295: 100, 2_147_483_648: -100 }
    const biased = await client.chat.completions.create({ ...ask, logit_bias })
    expect(biased.choices[0]?.message.content).toBe(plain.choices[0]?.message.content)
  })

  test('the largest seeds are as good as others', async () => {
    for (const seed of [0, -1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const text = async () => (await client.chat.completions.create({ ...ask, seed })).choices[0]?.message.content
      expect(await text()).toBe(await text())
    }
  })

  test('a prompt that was seen before is not evaluated again, unless its salt is another', async () => {
    const messages = [{ role: 'user' as const, content: 'a sentence that nobody else asks about' }]
    const cached = async (salt: string) => {
      // The SDK's types know no salt.
      const request: typeof ask & { cache_salt: string } = { ...ask, messages, cache_salt: salt }
      return (await client.chat.completions.create(request)).usage?.prompt_tokens_details?.cached_tokens ?? 0
    }
    await cached('alice')
    expect(await cached('alice')).toBeGreaterThan(40)
    expect(await cached('bob')).toBe(0)
  })

  test('tool results and several turns reach the template', async () => {
    const call = { id: 'call_1', type: 'function' as const, function: { name: 'add', arguments: '{"a":1}' } }
    const answer = await client.chat.completions.create({
      ...ask,
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is ' },
            { type: 'text', text: '1+1?' },
          ],
        },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call_1', content: '{"sum":2}' },
      ],
    })
    expect(answer.usage?.prompt_tokens).toBeGreaterThan('Be brief.What is 1+1?add{"a":1}{"sum":2}'.length)
  })
})

describe('grammar', () => {
  const schema = {
    type: 'object',
    properties: {
      name: { enum: ['Ann', 'Bob', 'Привет 😀'] },
      age: { type: 'integer' },
      tags: { type: 'array', items: { type: 'string', maxLength: 5 }, minItems: 1, maxItems: 3 },
      note: { type: ['boolean', 'null'] },
    },
    required: ['name', 'age', 'tags', 'note'],
    additionalProperties: false,
  }

  test('a JSON schema holds for every seed', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const response_format = { type: 'json_schema' as const, json_schema: { name: 'person', schema, strict: true } }
      const answer = await client.chat.completions.create({ ...ask, seed, max_tokens: 300, response_format })
      expect(answer.choices[0]?.finish_reason).toBe('stop')
      const person = JSON.parse(answer.choices[0]?.message.content ?? '') as Record<string, unknown>
      expect(schema.properties.name.enum).toContain(person.name)
      expect(Number.isInteger(person.age)).toBe(true)
      expect((person.tags as string[]).length).toBeGreaterThan(0)
      expect([true, false, null]).toContain(person.note)
      expect(Object.keys(person)).toHaveLength(4)
    }
  })

  test('characters split over several tokens are never shown in halves', async () => {
    const text = 'Привет, 世界 😀!'
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'text', schema: { const: text } } }
    const deltas = []
    for await (const chunk of await client.chat.completions.create({
      ...ask,
      max_tokens: 100,
      response_format,
      stream: true,
    })) {
      deltas.push(chunk.choices[0]?.delta.content ?? '')
    }
    expect(deltas.join('')).toBe(JSON.stringify(text))
    expect(deltas.some((delta) => delta.includes('\uFFFD'))).toBe(false)
  })

  test('an answer cut inside a character leaves it out', async () => {
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'text', schema: { const: '😀' } } }
    const answer = await client.chat.completions.create({ ...ask, max_tokens: 3, response_format })
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: '"' } })
  })

  test('json_object starts an object', async () => {
    const answer = await client.chat.completions.create({ ...ask, response_format: { type: 'json_object' } })
    expect(answer.choices[0]?.message.content?.startsWith('{')).toBe(true)
  })
})

describe('tools', () => {
  const parameters = { type: 'object', properties: { city: { enum: ['Paris', 'Rome'] } }, required: ['city'] }
  const tools = [
    { type: 'function' as const, function: { name: 'get_weather', description: 'Weather of a city', parameters } },
    { type: 'function' as const, function: { name: 'get_weather_map', parameters } },
  ]

  test('required: the answer is a call of one of the tools with arguments of its schema', async () => {
    const answer = await client.chat.completions.create({ ...ask, tools, tool_choice: 'required' })
    const call = answer.choices[0]?.message.tool_calls?.[0]
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } })
    if (call?.type !== 'function') throw new Error('no call')
    expect(['get_weather', 'get_weather_map']).toContain(call.function.name)
    expect(['Paris', 'Rome']).toContain((JSON.parse(call.function.arguments) as { city: string }).city)
  })

  test('a named tool is called, and streamed as OpenAI streams calls', async () => {
    const runner = client.chat.completions.stream({
      ...ask,
      tools,
      tool_choice: { type: 'function', function: { name: 'get_weather_map' } },
    })
    const deltas = []
    for await (const chunk of runner) deltas.push(...(chunk.choices[0]?.delta.tool_calls ?? []))
    expect(deltas[0]).toMatchObject({
      index: 0,
      type: 'function',
      function: { name: 'get_weather_map', arguments: '' },
    })
    expect(deltas.slice(1).every((d) => d.id === undefined && d.function?.name === undefined)).toBe(true)
    const call = (await runner.finalChatCompletion()).choices[0]?.message.tool_calls?.[0]
    expect(call?.type === 'function' && JSON.parse(call.function.arguments)).toMatchObject({
      city: expect.stringMatching(/Paris|Rome/),
    })
  })

  test('auto: an answer in words stays one, and a call the model opens itself is finished under the grammar', async () => {
    const words = await client.chat.completions.create({ ...ask, tools })
    expect(words.choices[0]).toMatchObject({
      finish_reason: 'length',
      message: { content: expect.stringMatching(/./) },
    })
    expect(words.choices[0]?.message.tool_calls).toBeUndefined()
    const call = await client.chat.completions.create({ ...ask, tools, logit_bias: { [TINY_MODEL.callToken]: 100 } })
    expect(call.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ type: 'function' }] },
    })
  })

  test('none: tools are not even mentioned to the model', async () => {
    const without = await client.chat.completions.create(ask)
    const none = await client.chat.completions.create({ ...ask, tools, tool_choice: 'none' })
    expect(none.usage?.prompt_tokens).toBe(without.usage?.prompt_tokens)
  })

  test('arguments cut by max_tokens end with length', async () => {
    const answer = await client.chat.completions.create({
      ...ask,
      tools: tools.slice(0, 1),
      tool_choice: 'required',
      max_tokens: 4,
    })
    expect(answer.choices[0]?.finish_reason).toBe('length')
  })
})

describe('completions and embeddings', () => {
  test('a text completion continues each prompt', async () => {
    const answer = await client.completions.create({ model: 'tiny', prompt: ['one', 'three'], max_tokens: 5, seed: 1 })
    expect(answer.choices.map((c) => c.index)).toEqual([0, 1])
    expect(answer.choices.every((c) => c.text.length > 0 && c.finish_reason === 'length')).toBe(true)
    expect(answer.usage).toMatchObject({ prompt_tokens: 2 + 3 + 5, completion_tokens: 10 })
  })

  test('a streamed completion has the text of the whole one', async () => {
    const request = { model: 'tiny', prompt: 'one', max_tokens: 20, seed: 1 }
    const whole = await client.completions.create(request)
    let text = ''
    for await (const chunk of await client.completions.create({ ...request, stream: true }))
      text += chunk.choices[0]?.text ?? ''
    expect(text).toBe(whole.choices[0]?.text)
  })

  test('embeddings are unit vectors of the model size, the same as floats and as Base64', async () => {
    const floats = await client.embeddings.create({ model: 'tiny', input: ['cat', 'dog'], encoding_format: 'float' })
    // The SDK asks for Base64 by default and decodes it.
    const decoded = await client.embeddings.create({ model: 'tiny', input: ['cat', 'dog'] })
    expect(floats.data.map((d) => d.embedding.length)).toEqual([TINY_MODEL.embeddingSize, TINY_MODEL.embeddingSize])
    expect(Math.hypot(...(floats.data[0]?.embedding ?? []))).toBeCloseTo(1)
    for (const [i, { embedding }] of decoded.data.entries()) {
      for (const [k, value] of embedding.entries())
        expect(value).toBeCloseTo(floats.data[i]?.embedding[k] ?? Number.NaN, 5)
    }
    expect(floats.data[0]?.embedding).not.toEqual(floats.data[1]?.embedding)
    expect(floats.usage).toEqual({ prompt_tokens: 8, total_tokens: 8 })
  })

  test('models lists the served name', async () => {
    expect((await client.models.list()).data.map((m) => m.id)).toEqual(['tiny'])
  })
})

describe('load', () => {
  test('eight streams on two places all finish, each with a text of its own', async () => {
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8]
    const read = async (seed: number) => {
      let text = ''
      for await (const chunk of await client.chat.completions.create({ ...ask, seed, stream: true }))
        text += chunk.choices[0]?.delta.content ?? ''
      return text
    }
    const together = await Promise.all(seeds.map(read))
    expect(together.every((text) => text.length >= 30)).toBe(true)
    expect(new Set(together).size).toBe(8)
    await idle()
  })

  test('a caller who leaves frees the place within moments', async () => {
    const controller = new AbortController()
    const response = await post('/v1/chat/completions', { ...ask, max_tokens: 1900, stream: true }, controller.signal)
    const reader = response.body?.getReader()
    await reader?.read()
    controller.abort()
    await reader?.read().catch(() => undefined)
    await idle()
  })

  test('a caller who leaves while waiting or before the first token frees everything too', async () => {
    const controller = new AbortController()
    const calls = Array.from({ length: 6 }, () =>
      post('/v1/chat/completions', { ...ask, max_tokens: 1500 }, controller.signal),
    )
    await expect
      .poll(async () => ((await (await fetch(`${server.url}/health`)).json()) as { queued: number }).queued)
      .toBeGreaterThan(0)
    controller.abort()
    await Promise.allSettled(calls)
    await idle()
  })

  test('beyond the queue a request is refused with 503 and told when to return', async () => {
    const controller = new AbortController()
    const calls = Array.from({ length: 3 }, () =>
      post('/v1/chat/completions', { ...ask, n: 6, max_tokens: 1500 }, controller.signal),
    )
    await expect
      .poll(async () => ((await (await fetch(`${server.url}/health`)).json()) as { queued: number }).queued)
      .toBe(16)
    const refused = await post('/v1/chat/completions', ask)
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refused.json()).toMatchObject({ error: { code: 'queue_full', type: 'server_error' } })
    controller.abort()
    await Promise.allSettled(calls)
    await idle()
  })

  test('a model that thinks first: its thoughts are reasoning, and constrained answers skip them', async () => {
    const thinker = await startLlamaServer({
      modelPath: tinyModelPath('thinking'),
      gpu: 'off',
      threads: 1,
      parallel: 1,
    })
    const request = async (body: object) => {
      const response = await fetch(`${thinker.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages: hello, max_tokens: 10, seed: 1, ...body }),
      })
      return (await response.json()) as OpenAI.ChatCompletion
    }
    // The model is brought into its thoughts by the start of an answer, which it continues.
    const messages = [...hello, { role: 'assistant', content: '<think>' }]
    const free = await request({ messages })
    expect(free.choices[0]?.message).toMatchObject({ content: '', reasoning_content: expect.stringMatching(/\w/) })
    expect(free.usage?.completion_tokens_details?.reasoning_tokens).toBe(10)
    const response_format = { type: 'json_schema', json_schema: { name: 's', schema: { const: 'yes' } } }
    const held = await request({ messages, response_format })
    expect(held.choices[0]?.message.content).toBe('"yes"')
    expect(held.choices[0]?.message).not.toHaveProperty('reasoning_content')
    await thinker.close()
  })

  test('a model without a chat template is still asked, in its architecture’s usual form', async () => {
    const plain = await startLlamaServer({
      modelPath: tinyModelPath('none'),
      gpu: 'off',
      threads: 1,
      parallel: 1,
    })
    const answer = await fetch(`${plain.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: hello, max_tokens: 5, seed: 1 }),
    })
    expect(await answer.json()).toMatchObject({
      choices: [{ finish_reason: 'length' }],
      usage: { completion_tokens: 5 },
    })
    await plain.close()
  })

  test('closing cuts a running stream with an error event, never with [DONE]', async () => {
    const other = await startLlamaServer({
      modelPath: tinyModelPath(),
      gpu: 'off',
      threads: 1,
      parallel: 1,
      drainMs: 1,
    })
    const response = await fetch(`${other.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: hello, max_tokens: 2000, stream: true }),
    })
    const closed = other.close()
    const text = await response.text()
    await closed
    expect(text).toContain('"error"')
    expect(text).not.toContain('[DONE]')
  })
})

describe('refusals', () => {
  const message = { role: 'user', content: 'Hello' }
  const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }
  const strict = (schema: unknown) => ({ type: 'json_schema', json_schema: { name: 's', strict: true, schema } })

  test.each<readonly [string, object]>([
    ['messages', {}],
    ['messages', { messages: [] }],
    ['messages[0].role', { messages: [{ role: 'robot', content: 'x' }] }],
    ['messages[0].content', { messages: [{ role: 'user' }] }],
    [
      'messages[0].content[0].type',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] },
    ],
    ['messages[0].tool_call_id', { messages: [{ role: 'tool', tool_call_id: 'x', content: 'y' }] }],
    ['temperature', { messages: [message], temperature: 3 }],
    ['top_p', { messages: [message], top_p: 0 }],
    ['max_tokens', { messages: [message], max_tokens: 0 }],
    ['n', { messages: [message], n: 9 }],
    ['seed', { messages: [message], seed: 1.5 }],
    ['stop', { messages: [message], stop: Array.from({ length: 17 }, () => 'x') }],
    ['stop[0]', { messages: [message], stop: [''] }],
    ['logprobs', { messages: [message], logprobs: true }],
    ['logit_bias.x', { messages: [message], logit_bias: { x: 1 } }],
    ['stream', { messages: [message], stream: 'yes' }],
    ['response_format.type', { messages: [message], response_format: { type: 'xml' } }],
    ['response_format', { messages: [message], response_format: { type: 'json_object' }, tools: [tool] }],
    [
      'response_format.json_schema.schema.properties.a.pattern',
      {
        messages: [message],
        response_format: strict({ type: 'object', properties: { a: { type: 'string', pattern: 'x' } } }),
      },
    ],
    ['response_format.json_schema.schema.$ref', { messages: [message], response_format: strict({ $ref: '#' }) }],
    ['tool_choice', { messages: [message], tool_choice: 'required' }],
    [
      'tool_choice.function.name',
      { messages: [message], tools: [tool], tool_choice: { type: 'function', function: { name: 'g' } } },
    ],
    ['tools', { messages: [message], tools: [tool, tool] }],
    ['tools[0].function.name', { messages: [message], tools: [{ type: 'function', function: { name: 'no spaces' } }] }],
    [
      'tools[0].function.parameters.type',
      { messages: [message], tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'tuple' } } }] },
    ],
  ])('a bad request is answered with 400 naming %s', async (param, body) => {
    const response = await post('/v1/chat/completions', body)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: { param, type: 'invalid_request_error', message: expect.any(String), code: expect.any(String) },
    })
  })

  test('a prompt longer than the context is refused before anything is generated', async () => {
    const response = await post('/v1/chat/completions', { messages: [{ role: 'user', content: 'x'.repeat(2100) }] })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: 'context_length_exceeded', param: 'messages' } })
  })

  test('another model’s name, another path and a body that is no JSON have their own answers', async () => {
    expect((await post('/v1/chat/completions', { ...ask, model: 'gpt-5' })).status).toBe(404)
    expect((await post('/v1/images', {})).status).toBe(404)
    const broken = await post('/v1/chat/completions', '{"messages": ')
    expect(broken.status).toBe(400)
    expect(await broken.json()).toMatchObject({ error: { param: 'body' } })
  })

  test('an error never repeats what the caller wrote', async () => {
    const text = await (
      await post('/v1/chat/completions', { messages: [{ role: 'user', content: { secret: 'my diary' } }] })
    ).text()
    expect(text).not.toContain('diary')
  })

  test('a file that is no model is refused with its path', async () => {
    await expect(startLlamaServer({ modelPath: import.meta.filename, gpu: 'off' })).rejects.toMatchObject({
      code: 'engine.model-unusable',
      info: { path: import.meta.filename },
    })
  })
})
