/** OpenAI's own library on the Responses API, with an engine that speaks chat completions behind it. */
import OpenAI from 'openai'
import { zodTextFormat } from 'openai/helpers/zod'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { CocoonError } from '../../util/index.ts'
import { type ApiUnderTest, apiUnderTest, DONE } from '../api-under-test.ts'
import type { ScriptedCall } from '../scripted-inference.ts'

const open: ApiUnderTest[] = []
afterEach(async () => {
  for (const api of open.splice(0)) await api.close()
})

async function serve(script: (call: ScriptedCall) => unknown) {
  const api = apiUnderTest({ script })
  open.push(api)
  const baseURL = `${await api.listen()}/v1`
  const client = new OpenAI({ baseURL, apiKey: 'unused-key', maxRetries: 0, logLevel: 'off' })
  const sent = (): unknown => JSON.parse(Buffer.from(api.inference.calls.at(-1)?.request.body ?? []).toString())
  return { api, client, sent }
}

const ASK = { model: 'test/model', input: 'hello' }
const USAGE = {
  prompt_tokens: 34,
  completion_tokens: 7,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
  total_cost: 268,
}

const answer =
  (message: object, finish_reason = 'stop', more: object = {}) =>
  (call: ScriptedCall): void => {
    call.head()
    const choices = [{ index: 0, message: { role: 'assistant', ...message }, finish_reason, ...more }]
    call.part(JSON.stringify({ id: 'c1', object: 'chat.completion', created: 5, choices, usage: USAGE }))
    call.end()
  }

const chunkOf = (delta: object, finish_reason: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c1', created: 5, choices: [{ index: 0, delta, finish_reason }] })}\n\n`
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
  test('items, tools and formats reach the engine with their meaning', async () => {
    const { client, sent } = await serve(answer({ content: 'ok' }))
    const schema = { type: 'object', properties: {}, additionalProperties: false }
    await client.responses.create({
      model: 'test/model',
      instructions: 'Be brief.',
      store: false,
      user: 'somebody',
      max_output_tokens: 50,
      parallel_tool_calls: false,
      reasoning: { effort: 'low' },
      tools: [
        { type: 'function', name: 'weather', description: 'Tells it.', parameters: schema, strict: true },
        { type: 'function', name: 'time', parameters: schema, strict: false },
      ],
      tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'weather' }] },
      text: { format: { type: 'json_schema', name: 'answer', schema, strict: true } },
      include: ['message.output_text.logprobs'],
      top_logprobs: 2,
      input: [
        { role: 'developer', content: 'Use the tools.' },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'What is this?' },
            { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' },
          ],
        },
        { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'Hm.' }] },
        {
          type: 'message',
          id: 'msg_1',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'Let me see.', annotations: [] }],
        },
        { type: 'function_call', call_id: 't1', name: 'weather', arguments: '{"city":"Ulm"}' },
        { type: 'function_call', call_id: 't2', name: 'weather', arguments: '{"city":"Bonn"}' },
        { type: 'function_call_output', call_id: 't1', output: 'rain' },
        { type: 'function_call_output', call_id: 't2', output: [{ type: 'input_text', text: 'sun' }] },
      ],
    })
    const call = (id: string, city: string) => ({
      id,
      type: 'function',
      function: { name: 'weather', arguments: JSON.stringify({ city }) },
    })
    expect(sent()).toEqual({
      model: 'test/model',
      max_tokens: 50,
      parallel_tool_calls: false,
      reasoning_effort: 'low',
      logprobs: true,
      top_logprobs: 2,
      tools: [
        {
          type: 'function',
          function: { name: 'weather', description: 'Tells it.', parameters: schema, strict: true },
        },
      ],
      tool_choice: 'required',
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
      messages: [
        { role: 'system', content: 'Be brief.\n\nUse the tools.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
          ],
        },
        {
          role: 'assistant',
          content: 'Let me see.',
          reasoning_content: 'Hm.',
          tool_calls: [call('t1', 'Ulm'), call('t2', 'Bonn')],
        },
        { role: 'tool', tool_call_id: 't1', content: 'rain' },
        { role: 'tool', tool_call_id: 't2', content: 'sun' },
      ],
    })
  })

  test('fields that an engine may know travel on, our own stay here', async () => {
    const { api, client, sent } = await serve(answer({ content: 'ok' }))
    await client.responses.create({ ...ASK, top_k: 4, timeout: 7 } as typeof ASK)
    expect(sent()).toEqual({
      model: 'test/model',
      messages: [{ role: 'user', content: 'hello' }],
      top_k: 4,
      max_tokens: 1000,
    })
    expect(api.inference.calls[0]?.request).toMatchObject({ path: '/v1/chat/completions', timeoutMs: 7000 })
  })

  test.each<[object, string, RegExp]>([
    [{ input: undefined }, 'input', /is required/],
    [{ input: 7 }, 'input', /string or an array/],
    [{ input: [{ role: 'robot', content: 'x' }] }, 'input[0].role', /user/],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'input[0].type', /message, function_call/],
    [{ input: [{ type: 'function_call_output', output: 'x' }] }, 'input[0].call_id', /is required/],
    [
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x', file_id: 'f' }] }] },
      'input[0].content[0].file_id',
      /keeps no files/,
    ],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0].type', /do not exist here/],
    [{ previous_response_id: 'resp_1' }, 'previous_response_id', /keeps no answers/],
    [{ store: true }, 'store', /keeps no answers/],
    [{ background: true }, 'background', /keeps no answers/],
    [{ max_output_tokens: 0 }, 'max_output_tokens', /at least 1/],
    [{ text: { format: { type: 'grammar' } } }, 'text.format.type', /json_schema/],
  ])('%j is refused, naming %s', async (field, param, says) => {
    const { api, client } = await serve(answer({}))
    const error = await client.responses.create({ ...ASK, ...field } as typeof ASK).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ param, code: 'request.bad-field' })
    expect((error as Error).message).toMatch(says)
    expect(api.inference.calls).toHaveLength(0)
  })
})

describe('whole answers', () => {
  test('carry reasoning, text and calls as items, and the usage with its cost', async () => {
    const tool_calls = [{ id: 't', function: { name: 'f', arguments: '{}' } }]
    const { client } = await serve(answer({ content: 'Hello.', reasoning_content: 'Hm.', tool_calls }))
    const response = await client.responses.create({ ...ASK, metadata: { a: 'b' } })
    expect(response).toMatchObject({ status: 'completed', created_at: 5, store: false, metadata: { a: 'b' } })
    expect(response.output_text).toBe('Hello.')
    expect(response.output).toMatchObject([
      { type: 'reasoning', content: [{ type: 'reasoning_text', text: 'Hm.' }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello.' }] },
      { type: 'function_call', call_id: 't', name: 'f', arguments: '{}' },
    ])
    expect(new Set(response.output.map((item) => item.id)).size).toBe(3)
    expect(response.usage).toMatchObject({
      input_tokens: 34,
      input_tokens_details: { cached_tokens: 4 },
      output_tokens: 7,
      output_tokens_details: { reasoning_tokens: 2 },
      total_tokens: 41,
      total_cost: 268,
    })
  })

  test.each([
    ['length', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ])('an answer that ended by %s is incomplete because of %s', async (finish, reason) => {
    const { client } = await serve(answer({ content: 'x' }, finish))
    expect(await client.responses.create(ASK)).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason },
      output: [{ status: 'incomplete' }],
    })
  })

  test('the output of one turn can be sent back as input of the next', async () => {
    const tool_calls = [{ id: 't', function: { name: 'f', arguments: '{}' } }]
    const { client, sent } = await serve(answer({ content: 'Hello.', reasoning: 'Hm.', tool_calls }))
    const first = await client.responses.create(ASK)
    await client.responses.create({
      model: 'test/model',
      input: [
        { role: 'user', content: 'hello' },
        ...first.output,
        { type: 'function_call_output', call_id: 't', output: '7' },
      ] as OpenAI.Responses.ResponseInput,
    })
    expect(sent()).toMatchObject({
      messages: [
        { role: 'user' },
        { role: 'assistant', content: 'Hello.', reasoning_content: 'Hm.', tool_calls: [{ id: 't' }] },
        { role: 'tool', tool_call_id: 't', content: '7' },
      ],
    })
  })

  test('the library parses a structured answer', async () => {
    const { client, sent } = await serve(answer({ content: '{"n":7}' }))
    const format = zodTextFormat(z.object({ n: z.number() }), 'number')
    const response = await client.responses.parse({ ...ASK, text: { format } })
    expect(response.output_parsed).toEqual({ n: 7 })
    expect(sent()).toMatchObject({
      response_format: { type: 'json_schema', json_schema: { name: 'number', strict: true } },
    })
  })
})

describe('streams', () => {
  const parts = [
    chunkOf({ role: 'assistant', content: '' }),
    chunkOf({ reasoning_content: 'Hm' }),
    chunkOf({ reasoning_content: '.' }),
    chunkOf({ content: 'Grüße' }),
    chunkOf({ content: '!' }),
    ': still here\n\n',
    chunkOf(toolDelta(0, { id: 't1', name: 'weather', arguments: '' })),
    chunkOf(toolDelta(0, { arguments: '{"city":' })),
    chunkOf(toolDelta(0, { arguments: '"Ulm"}' })),
    chunkOf(toolDelta(1, { id: 't2', name: 'time', arguments: '{}' })),
    chunkOf({}, 'tool_calls'),
    LAST,
  ]

  test.each([1, 3, 17, 100_000])('cut into pieces of %i bytes, give the library the same response', async (size) => {
    const bytes = Buffer.from(parts.join(''))
    const cuts: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += size) cuts.push(bytes.subarray(at, at + size))
    const { client } = await serve(stream(...cuts))
    const deltas: string[] = []
    const running = client.responses
      .stream(ASK)
      .on('response.output_text.delta', ({ delta }) => void deltas.push(delta))
    const response = await running.finalResponse()
    expect(deltas).toEqual(['Grüße', '!'])
    expect(response).toMatchObject({ status: 'completed', created_at: 5, usage: { total_tokens: 41, total_cost: 268 } })
    expect(response.output).toMatchObject([
      { type: 'reasoning', content: [{ text: 'Hm.' }], status: 'completed' },
      { type: 'message', content: [{ type: 'output_text', text: 'Grüße!' }], status: 'completed' },
      { type: 'function_call', call_id: 't1', name: 'weather', arguments: '{"city":"Ulm"}' },
      { type: 'function_call', call_id: 't2', name: 'time', arguments: '{}' },
    ])
  })

  test('have their events in OpenAI’s order, numbered without gaps', async () => {
    const { client } = await serve(stream(chunkOf({ content: 'a' }), chunkOf({}, 'length'), LAST))
    const events: OpenAI.Responses.ResponseStreamEvent[] = []
    for await (const event of await client.responses.create({ ...ASK, stream: true })) events.push(event)
    expect(events.map(({ type }) => type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.incomplete',
    ])
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, i) => i))
  })

  test('that fail in the middle tell the response’s failure and raise', async () => {
    const { client } = await serve((call) => {
      call.head('text/event-stream')
      call.part(chunkOf({ content: 'a' }))
      call.fail(new CocoonError('capacity.no-worker', { message: 'The worker is gone.' }))
    })
    const types: string[] = []
    const read = async (): Promise<void> => {
      for await (const { type } of await client.responses.create({ ...ASK, stream: true })) types.push(type)
    }
    await expect(read()).rejects.toMatchObject({ code: 'capacity.no-worker', message: 'The worker is gone.' })
    expect(types.slice(-2)).toEqual(['response.output_item.done', 'response.failed'])
  })

  test.each<[string, string[]]>([
    ['an event that is no JSON', [chunkOf({ content: 'a' }), 'data: {oops\n\n', LAST]],
    ['a call without a name', [chunkOf(toolDelta(0, { id: 't' })), LAST]],
    [
      'calls in each other',
      [0, 1, 0].map((i) => chunkOf(toolDelta(i, { id: `t${i}`, name: 'f', arguments: '{}' }))).concat(LAST),
    ],
    ['the engine’s own error', [chunkOf({ content: 'a' }), 'data: {"error": {"message": "boom"}}\n\n', LAST]],
  ])('with %s raise an error and never look complete', async (_what, events) => {
    const { client } = await serve(stream(...events))
    const read = async (): Promise<void> => {
      for await (const { type } of await client.responses.create({ ...ASK, stream: true }))
        expect(type).not.toBe('response.completed')
    }
    await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError)
  })
})
