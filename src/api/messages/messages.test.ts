/** Anthropic's own library against a listening server, with an engine that speaks chat completions behind it. */
import Anthropic from '@anthropic-ai/sdk'
import { afterEach, describe, expect, test } from 'vitest'
import { CocoonError } from '../../util/index.ts'
import { type ApiUnderTest, apiUnderTest, DONE } from '../api-under-test.ts'
import type { ScriptedCall } from '../scripted-inference.ts'

const open: ApiUnderTest[] = []
afterEach(async () => {
  for (const api of open.splice(0)) await api.close()
})

async function serve(script: (call: ScriptedCall) => unknown, options: Record<string, unknown> = {}) {
  const api = apiUnderTest({ script, options })
  open.push(api)
  const client = new Anthropic({ baseURL: await api.listen(), apiKey: 'correct-horse', maxRetries: 0, logLevel: 'off' })
  const sent = (): unknown => JSON.parse(Buffer.from(api.inference.calls.at(-1)?.request.body ?? []).toString())
  return { api, client, sent }
}

const ASK = { model: 'test/model', max_tokens: 64, messages: [{ role: 'user' as const, content: 'hello' }] }
const USAGE = {
  prompt_tokens: 34,
  completion_tokens: 7,
  prompt_tokens_details: { cached_tokens: 4 },
  total_cost: 268,
}

const answer =
  (message: object, finish_reason = 'stop', more: object = {}) =>
  (call: ScriptedCall): void => {
    call.head()
    call.part(
      JSON.stringify({
        id: 'c1',
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason, ...more }],
        usage: USAGE,
      }),
    )
    call.end()
  }

const chunkOf = (delta: object, finish_reason: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
const LAST = `data: ${JSON.stringify({ choices: [], usage: USAGE })}\n\n${DONE}`

const stream =
  (...parts: (string | Uint8Array)[]) =>
  (call: ScriptedCall): void => {
    call.head('text/event-stream')
    for (const part of parts) call.part(part)
    call.end()
  }

const toolDelta = (index: number, fields: { id?: string; name?: string; arguments?: string }): object => ({
  tool_calls: [{ index, id: fields.id, function: { name: fields.name, arguments: fields.arguments } }],
})

describe('requests', () => {
  test('everything a message can hold reaches the engine with its meaning', async () => {
    const { client, sent } = await serve(answer({ content: 'ok' }))
    await client.messages.create({
      ...ASK,
      system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
      stop_sequences: ['END'],
      ...{ temperature: 0.5, top_k: 4 },
      metadata: { user_id: 'somebody' },
      tools: [{ name: 'weather', description: 'Tells it.', input_schema: { type: 'object', properties: {} } }],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
            { type: 'text', text: 'What is this?' },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm.', signature: '' },
            { type: 'text', text: 'Let me see.' },
            { type: 'tool_use', id: 't1', name: 'weather', input: { city: 'Ulm' } },
          ],
        },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 't1',
              content: [{ type: 'text', text: 'no such city' }],
              is_error: true,
            },
            { type: 'text', text: 'Go on.' },
          ],
        },
      ],
    })
    expect(sent()).toEqual({
      model: 'test/model',
      max_tokens: 64,
      temperature: 0.5,
      top_k: 4,
      stop: ['END'],
      tools: [
        {
          type: 'function',
          function: { name: 'weather', description: 'Tells it.', parameters: { type: 'object', properties: {} } },
        },
      ],
      tool_choice: 'required',
      parallel_tool_calls: false,
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
            { type: 'text', text: 'What is this?' },
          ],
        },
        {
          role: 'assistant',
          content: 'Let me see.',
          reasoning_content: 'Hm.',
          tool_calls: [{ id: 't1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } }],
        },
        { role: 'tool', tool_call_id: 't1', content: 'Error:\nno such city' },
        { role: 'user', content: 'Go on.' },
      ],
    })
  })

  test('max_tokens is what is reserved, and our own fields stay here', async () => {
    const { api, client, sent } = await serve(answer({ content: 'ok' }))
    await client.messages.create({ ...ASK, max_coefficient: 900, timeout: 7 } as typeof ASK)
    expect(api.inference.calls[0]?.request).toMatchObject({
      path: '/v1/chat/completions',
      maxTokens: 64,
      maxCoefficient: 900,
      timeoutMs: 7000,
    })
    expect(sent()).toEqual({ model: 'test/model', messages: ASK.messages, max_tokens: 64 })
  })

  test.each<[object, string, RegExp]>([
    [{ max_tokens: undefined }, 'max_tokens', /is required/],
    [{ messages: [{ role: 'system', content: 'x' }] }, 'messages[0].role', /user or assistant/],
    [{ messages: [{ role: 'user', content: 7 }] }, 'messages[0].content', /./],
    [{ messages: [{ role: 'user', content: [{ type: 'video' }] }] }, 'messages[0].content[0].type', /text, image/],
    [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text', /is required/],
    [
      {
        messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'file', file_id: 'f' } }] }],
      },
      'messages[0].content[0].source.type',
      /keeps no files/,
    ],
    [{ messages: [...ASK.messages, { role: 'assistant', content: 'I am' }] }, 'messages[1]', /user message/],
    [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools[0].type', /do not exist here/],
    [{ tool_choice: { type: 'function' } }, 'tool_choice.type', /auto, any, tool or none/],
    [{ temperature: 2 }, 'temperature', /at most 1/],
    [{ container: 'c' }, 'container', /runs no code/],
  ])('%j is refused, naming %s', async (field, param, says) => {
    const { api, client } = await serve(answer({}))
    const error = await client.messages.create({ ...ASK, ...field } as typeof ASK).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Anthropic.BadRequestError)
    const { error: body } = error as InstanceType<typeof Anthropic.APIError> & { error: { error: object } }
    expect(body).toMatchObject({ type: 'error', error: { type: 'invalid_request_error', param } })
    expect((error as Error).message).toMatch(says)
    expect(api.inference.calls).toHaveLength(0)
  })
})

describe('whole answers', () => {
  test('carry text, usage with the cost, and the id under which the log tells of them', async () => {
    const { client } = await serve(answer({ content: 'Hello.', reasoning_content: 'Hm.' }))
    const message = await client.messages.create(ASK)
    expect(message).toMatchObject({ type: 'message', role: 'assistant', model: 'test/model', stop_reason: 'end_turn' })
    expect(message.content).toEqual([{ type: 'text', text: 'Hello.', citations: null }])
    expect(message.usage).toMatchObject({
      input_tokens: 30,
      cache_read_input_tokens: 4,
      output_tokens: 7,
      total_cost: 268,
    })
    expect(message.id).toBe(`msg_${message._request_id}`)
  })

  test('show the reasoning to a caller that asked for thinking, in front of the answer', async () => {
    const { client, sent } = await serve(answer({ content: 'Hello.', reasoning: 'Hm.' }))
    const message = await client.messages.create({ ...ASK, thinking: { type: 'enabled', budget_tokens: 1024 } })
    expect(message.content.map(({ type }) => type)).toEqual(['thinking', 'text'])
    expect(sent()).toMatchObject({ chat_template_kwargs: { enable_thinking: true } })
  })

  test.each<[string, object, object, string]>([
    ['length', { content: 'x' }, {}, 'max_tokens'],
    ['content_filter', { content: '' }, {}, 'refusal'],
    ['stop', { refusal: 'No.' }, {}, 'refusal'],
    ['stop', { content: 'x' }, { stop_reason: 'END' }, 'stop_sequence'],
    ['stop', { content: 'x' }, { stop_reason: 128_001 }, 'end_turn'],
    [
      'stop',
      { content: null, tool_calls: [{ id: 't', function: { name: 'f', arguments: '{"a":1}' } }] },
      {},
      'tool_use',
    ],
  ])('finish reason %s with %j is told as %j, %s', async (finish, message, more, reason) => {
    const { client } = await serve(answer(message, finish, more))
    const got = await client.messages.create({ ...ASK, stop_sequences: ['END'] })
    expect(got.stop_reason).toBe(reason)
    expect(got.stop_sequence).toBe(reason === 'stop_sequence' ? 'END' : null)
    if (reason === 'tool_use') expect(got.content).toEqual([{ type: 'tool_use', id: 't', name: 'f', input: { a: 1 } }])
  })

  test('arguments that are no JSON are the engine’s fault, unless the answer was cut short', async () => {
    const call = { content: null, tool_calls: [{ id: 't', function: { name: 'f', arguments: '{"a":' } }] }
    const bad = await serve(answer(call, 'tool_calls'))
    await expect(bad.client.messages.create(ASK)).rejects.toMatchObject({ status: 502 })
    const cut = await serve(answer(call, 'length'))
    expect(await cut.client.messages.create(ASK)).toMatchObject({ stop_reason: 'max_tokens', content: [{ input: {} }] })
  })
})

describe('streams', () => {
  const parts = [
    chunkOf({ role: 'assistant', content: '' }),
    chunkOf({ reasoning_content: 'Hm' }),
    chunkOf({ content: 'Grüße' }),
    chunkOf({ content: '!' }),
    chunkOf(toolDelta(0, { id: 't1', name: 'weather', arguments: '' })),
    chunkOf(toolDelta(0, { arguments: '{"city":' })),
    chunkOf(toolDelta(0, { arguments: '"Ulm"}' })),
    chunkOf(toolDelta(1, { id: 't2', name: 'time' })),
    chunkOf({}, 'tool_calls'),
    LAST,
  ]

  test.each([1, 3, 17, 100_000])('cut into pieces of %i bytes, give the library the same message', async (size) => {
    const bytes = Buffer.from(parts.join(''))
    const cuts: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += size) cuts.push(bytes.subarray(at, at + size))
    const { client, sent } = await serve(stream(...cuts))
    const message = await client.messages.stream({ ...ASK, thinking: { type: 'adaptive' } }).finalMessage()
    expect(message.content).toEqual([
      { type: 'thinking', thinking: 'Hm', signature: '' },
      { type: 'text', text: 'Grüße!', citations: null },
      { type: 'tool_use', id: 't1', name: 'weather', input: { city: 'Ulm' } },
      { type: 'tool_use', id: 't2', name: 'time', input: {} },
    ])
    expect(message).toMatchObject({ stop_reason: 'tool_use', usage: { input_tokens: 30, output_tokens: 7 } })
    expect(sent()).toMatchObject({ stream: true, stream_options: { include_usage: true } })
  })

  test('have their events in Anthropic’s order, with a ping for an engine’s comment', async () => {
    const { api } = await serve(stream(chunkOf({ content: 'a' }), ': still here\n\n', chunkOf({}, 'stop'), LAST))
    const response = await api.app.inject({
      method: 'POST',
      url: '/v1/messages?beta=true',
      headers: { 'content-type': 'application/json' },
      payload: JSON.stringify({ ...ASK, stream: true }),
    })
    expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    const events = response.body
      .trim()
      .split('\n\n')
      .map((event) => event.split('\n'))
    expect(events.map(([name]) => name)).toEqual(
      [
        'message_start',
        'ping',
        'content_block_start',
        'content_block_delta',
        'ping',
        'content_block_stop',
        'message_delta',
        'message_stop',
      ].map((name) => `event: ${name}`),
    )
    for (const [name, data] of events)
      expect(`event: ${(JSON.parse(data?.slice(6) ?? '') as { type: string }).type}`).toBe(name)
  })

  test('that fail in the middle raise the error after what was said before it', async () => {
    const { client } = await serve((call) => {
      call.head('text/event-stream')
      call.part(chunkOf({ content: 'a' }))
      call.fail(new CocoonError('capacity.no-worker', { message: 'The worker is gone.' }))
    })
    const seen: string[] = []
    const running = client.messages.stream(ASK).on('text', (text) => void seen.push(text))
    const error = await running.finalMessage().catch((thrown: unknown) => thrown)
    expect(seen).toEqual(['a'])
    expect(error).toBeInstanceOf(Anthropic.APIError)
    expect((error as Error).message).toContain('The worker is gone.')
  })

  test.each<[string, string[]]>([
    ['an event that is no JSON', [chunkOf({ content: 'a' }), 'data: {oops\n\n', LAST]],
    ['an event that is no chunk', [chunkOf({ content: 'a' }), 'data: {"choices": 7}\n\n', LAST]],
    ['a call without a name', [chunkOf(toolDelta(0, { id: 't' })), LAST]],
    [
      'calls in each other',
      [0, 1, 0].map((i) => chunkOf(toolDelta(i, { id: `t${i}`, name: 'f', arguments: '{}' }))).concat(LAST),
    ],
    ['the engine’s own error', [chunkOf({ content: 'a' }), 'data: {"error": {"message": "boom"}}\n\n', LAST]],
  ])('with %s raise an error and never look complete', async (_what, events) => {
    const { client } = await serve(stream(...events))
    await expect(client.messages.stream(ASK).finalMessage()).rejects.toBeInstanceOf(Anthropic.APIError)
  })

  test('that the caller gives up cancel the inference', async () => {
    let call: ScriptedCall | undefined
    const { client } = await serve((given) => {
      call = given
      given.head('text/event-stream')
      given.part(chunkOf({ content: 'a' }))
    })
    for await (const _ of await client.messages.create({ ...ASK, stream: true })) break
    await call?.whenCancelled
    expect(call?.cancelled).toBe(true)
  })
})

describe('errors', () => {
  test.each([
    ['request.unknown-model', 404, 'not_found_error', Anthropic.NotFoundError],
    ['payment.balance', 402, 'billing_error', Anthropic.APIError],
    ['capacity.busy', 429, 'rate_limit_error', Anthropic.RateLimitError],
    ['capacity.no-worker', 503, 'overloaded_error', Anthropic.InternalServerError],
    ['engine.timeout', 504, 'timeout_error', Anthropic.InternalServerError],
    ['bug.unexpected', 500, 'api_error', Anthropic.InternalServerError],
  ] as const)('%s is status %i and type %s', async (code, status, type, kind) => {
    const { client } = await serve((call) => call.fail(new CocoonError(code, { message: 'Details.' })))
    const error = await client.messages.create(ASK).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(kind)
    expect(error).toMatchObject({ status, error: { type: 'error', error: { type } } })
  })

  test('the engine’s own refusal keeps its sentence', async () => {
    const { client } = await serve((call) => {
      call.head('application/json', 400)
      call.part('{"object":"error","message":"This model sees no images.","type":"BadRequestError","code":400}')
      call.end()
    })
    const error = await client.messages.create(ASK).catch((thrown: unknown) => thrown as Error)
    expect(error).toBeInstanceOf(Anthropic.BadRequestError)
    expect((error as Error).message).toContain('This model sees no images.')
  })

  test('the library’s key header is this node’s API key', async () => {
    const right = await serve(answer({ content: 'ok' }), { apiKey: 'correct-horse' })
    expect((await right.client.messages.create(ASK)).content).toHaveLength(1)
    const wrong = await serve(answer({ content: 'ok' }), { apiKey: 'another-horse' })
    const error = await wrong.client.messages.create(ASK).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Anthropic.AuthenticationError)
    expect(error).toMatchObject({ error: { type: 'error', error: { type: 'authentication_error' } } })
  })
})

test('tokens are counted by the engine, for the price of the prompt and one token', async () => {
  const { api, client, sent } = await serve(answer({ content: 'x' }, 'length'))
  const { max_tokens: _, ...prompt } = ASK
  expect(await client.messages.countTokens({ ...prompt, system: 'Be brief.' })).toEqual({ input_tokens: 34 })
  expect(sent()).toMatchObject({ max_tokens: 1, messages: [{ role: 'system' }, { role: 'user' }] })
  expect(api.inference.calls[0]?.request.maxTokens).toBe(1)
})
