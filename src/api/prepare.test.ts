import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../util/index.ts'
import type { CallerRequest } from './caller.ts'
import { MAX_JSON_DEPTH } from './contract.ts'
import { prepareInference } from './prepare.ts'

const CHAT = '/v1/chat/completions'
const HELLO = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const defaults = { maxTokens: 1000, maxCoefficient: 4000, timeoutMs: 120_000 }

const prepare = (body: unknown, rest: Partial<CallerRequest> = {}) =>
  prepareInference({
    path: CHAT,
    headers: [],
    body: utf8(typeof body === 'string' ? body : JSON.stringify(body)),
    traceId: 't',
    caller: 'owner',
    defaults,
    ...rest,
  })

const sent = (body: unknown, rest: Partial<CallerRequest> = {}): unknown =>
  JSON.parse(new TextDecoder().decode(prepare(body, rest).body))

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const parts = (part: object) => ({ messages: [{ role: 'user', content: [part] }] })
const toolNamed = (name: string) => ({ type: 'function', function: { name } })
const TOOL = toolNamed('f')

describe('the body', () => {
  test('keeps everything that OpenAI defines and what only some engines know', () => {
    const body = {
      ...HELLO,
      max_tokens: 5,
      n: 2,
      seed: 7,
      logprobs: true,
      top_logprobs: 3,
      tools: [TOOL, { type: 'web_search' }],
      tool_choice: toolNamed('f'),
      parallel_tool_calls: false,
      response_format: { type: 'structural_tag', tags: [] },
      chat_template_kwargs: { enable_thinking: false },
      messages: [
        { role: 'developer', content: 'x' },
        {
          role: 'user',
          name: 'a',
          content: [
            { type: 'text', text: 'x' },
            { type: 'image_url', image_url: { url: 'https://x/y.png', detail: 'low' } },
            { type: 'video_url', video_url: { url: 'x' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'a', content: 'x' },
      ],
    }
    expect(sent(body)).toEqual(body)
  })

  test('keeps the very bytes of the caller when nothing has to change', () => {
    const body = utf8('{ "model" : "m",\n "max_tokens":7, "seed": 12345678901234567890, "messages":[{"role":"user"}] }')
    expect(prepareInference({ path: CHAT, headers: [], body, traceId: 't', caller: 'owner', defaults }).body).toEqual(
      Buffer.from(body),
    )
  })

  test('keeps every byte of the fields that stay when others are taken out', () => {
    const raw =
      '{"timeout":3,"seed":12345678901234567890,"max_tokens":7 ,"model":"m","messages":[{"role":"user"}],"x":1e3}'
    expect(text(prepare(raw).body)).toBe(
      '{"seed":12345678901234567890,"max_tokens":7 ,"model":"m","messages":[{"role":"user"}],"x":1e3}',
    )
  })

  test('loses the control fields, also when their names are escaped', () => {
    const raw =
      '{"model":"m","messages":[{"role":"user"}],"max_tokens":1,"time\\u006fut":3,"enable_debug":true,"request_guid":"g","max_coefficient":1000}'
    const prepared = prepare(raw)
    expect(JSON.parse(text(prepared.body))).toEqual({ model: 'm', messages: [{ role: 'user' }], max_tokens: 1 })
    expect(prepared).toMatchObject({ timeoutMs: 3000, debug: true, maxCoefficient: 1000 })
  })

  test('gets the default token limit when it has none, and null counts as none', () => {
    expect(sent(HELLO)).toEqual({ ...HELLO, max_tokens: 1000 })
    expect(sent({ ...HELLO, max_tokens: null, n: null, stream: null, stream_options: null })).toEqual({
      ...HELLO,
      max_tokens: 1000,
    })
  })

  test('gets no token limit on embeddings, where nothing is reserved for generation', () => {
    const prepared = prepare({ model: 'm', input: ['a', 'b'] }, { path: '/v1/embeddings' })
    expect(text(prepared.body)).toBe('{"model":"m","input":["a","b"]}')
    expect(prepared.maxTokens).toBe(0)
  })

  test('names the model by its base name, as workers are found by it', () => {
    const prepared = prepare({ ...HELLO, max_tokens: 1, model: 'a/b@commit:hash' })
    expect(prepared.model).toBe('a/b')
    expect(JSON.parse(text(prepared.body))).toMatchObject({ model: 'a/b' })
  })

  test('passes unknown fields through, "__proto__" and strings full of escapes among them', () => {
    const raw =
      '{"__proto__":{"a":1},"model":"m","messages":[{"role":"user","content":"\\\\\\"}],[{\\\\"}],"timeout":1,"ü":"\\\\"}'
    expect(text(prepare(raw).body)).toBe(
      '{"__proto__":{"a":1},"model":"m","messages":[{"role":"user","content":"\\\\\\"}],[{\\\\"}],"ü":"\\\\","max_tokens":1000}',
    )
  })

  test('says afterwards what it said before, but for the fields that are ours', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 12 }), fc.jsonValue({ maxDepth: 4 })),
        fc.nat(3),
        (extra, space) => {
          const safe = Object.fromEntries(Object.entries(extra).map(([key, value]) => [`x${key}`, value]))
          const body = { ...safe, ...HELLO, timeout: 5 }
          const { timeout: _, ...rest } = body
          expect(sent(JSON.stringify(body, null, space))).toEqual(
            JSON.parse(JSON.stringify({ ...rest, max_tokens: 1000 })),
          )
        },
      ),
    )
  })
})

describe('the reservation', () => {
  test.each([
    [{ max_tokens: 7 }, 7],
    [{ max_completion_tokens: 8 }, 8],
    [{ max_completion_tokens: 8, max_tokens: 8 }, 8],
    [{ n: 3 }, 3000],
    [{ n: 3, max_tokens: 5 }, 15],
    [{ max_tokens: 2 ** 31 - 1 }, 2 ** 31 - 1],
  ])('of %j is %i tokens', (fields, tokens) => {
    expect(prepare({ ...HELLO, ...fields }).maxTokens).toBe(tokens)
  })

  test.each([
    [{ prompt: 'a', best_of: 4, n: 2 }, 40],
    [{ prompt: ['a', 'b', 'c'] }, 30],
    [{ prompt: [1, 2, 3] }, 10],
    [{ prompt: [[1, 2], [3]], n: 2 }, 40],
  ])('of a completion %j with 10 tokens each is %i tokens', (fields, tokens) => {
    expect(prepare({ model: 'm', max_tokens: 10, ...fields }, { path: '/v1/completions' }).maxTokens).toBe(tokens)
  })
})

describe('refusals', () => {
  const chat = (fields: object): object => ({ ...HELLO, ...fields })
  test.each<[unknown, string, string | undefined]>([
    ['', 'request.bad-json', undefined],
    ['{"model":', 'request.bad-json', undefined],
    ['{"a":1} x', 'request.bad-json', undefined],
    ['\ufeff{}', 'request.bad-json', undefined],
    ['[]', 'request.not-an-object', undefined],
    ['null', 'request.not-an-object', undefined],
    ['"x"', 'request.not-an-object', undefined],
    ['{}', 'request.bad-field', 'model'],
    [{ model: 'm' }, 'request.bad-field', 'messages'],
    [{ model: '', messages: [] }, 'request.bad-field', 'model'],
    [{ model: 7, messages: [] }, 'request.bad-field', 'model'],
    [chat({ model: '@x' }), 'request.bad-field', 'model'],
    [chat({ model: 'm'.repeat(600) }), 'request.bad-field', 'model'],
    [chat({ messages: [] }), 'request.bad-field', 'messages'],
    [chat({ messages: 'hi' }), 'request.bad-field', 'messages'],
    [chat({ messages: [{ role: 'user' }, { role: 1 }] }), 'request.bad-field', 'messages[1].role'],
    [chat({ max_tokens: -1 }), 'request.bad-field', 'max_tokens'],
    [chat({ max_tokens: 0 }), 'request.bad-field', 'max_tokens'],
    [chat({ max_tokens: 1.5 }), 'request.bad-field', 'max_tokens'],
    [chat({ max_tokens: '5' }), 'request.bad-field', 'max_tokens'],
    [chat({ max_tokens: 2 ** 31 }), 'request.bad-field', 'max_tokens'],
    [chat({ max_tokens: 5_000_000_000 }), 'request.bad-field', 'max_tokens'],
    [chat({ max_completion_tokens: -5 }), 'request.bad-field', 'max_completion_tokens'],
    [chat({ max_tokens: 1, max_completion_tokens: 2 }), 'request.conflicting-limits', 'max_completion_tokens'],
    [chat({ max_tokens: 2 ** 30, n: 2 }), 'request.too-many-tokens', 'max_tokens'],
    [chat({ max_completion_tokens: 2 ** 30, n: 2 }), 'request.too-many-tokens', 'max_completion_tokens'],
    [chat({ n: 0 }), 'request.bad-field', 'n'],
    [chat({ n: 129 }), 'request.bad-field', 'n'],
    [chat({ n: true }), 'request.bad-field', 'n'],
    [chat({ timeout: 'NaN' }), 'request.bad-field', 'timeout'],
    [chat({ timeout: 0 }), 'request.bad-field', 'timeout'],
    [chat({ timeout: -1 }), 'request.bad-field', 'timeout'],
    [chat({ timeout: 3601 }), 'request.bad-field', 'timeout'],
    [chat({ hedge_after: -1 }), 'request.bad-field', 'hedge_after'],
    [chat({ hedge_after: '1' }), 'request.bad-field', 'hedge_after'],
    ['{"model":"m","messages":[{"role":"user"}],"timeout":1e999}', 'request.bad-field', 'timeout'],
    ['{"model":"m","messages":[{"role":"user"}],"timeout":NaN}', 'request.bad-json', undefined],
    [chat({ max_coefficient: -1 }), 'request.bad-field', 'max_coefficient'],
    [chat({ max_coefficient: 2 ** 31 }), 'request.bad-field', 'max_coefficient'],
    [chat({ enable_debug: 1 }), 'request.bad-field', 'enable_debug'],
    [chat({ request_guid: {} }), 'request.bad-field', 'request_guid'],
    [chat({ stream: 'yes' }), 'request.bad-field', 'stream'],
    [chat({ stream: true, stream_options: [] }), 'request.bad-field', 'stream_options'],
    [chat({ stream: true, stream_options: { include_usage: 1 } }), 'request.bad-field', 'stream_options.include_usage'],
    [chat({ stream_options: {} }), 'request.bad-field', 'stream_options'],
    [chat({ temperature: 'hot' }), 'request.bad-field', 'temperature'],
    [chat({ stop: [1] }), 'request.bad-field', 'stop[0]'],
    [chat({ tools: {} }), 'request.bad-field', 'tools'],
    [chat({ seed: 1.5 }), 'request.bad-field', 'seed'],
    [chat({ top_logprobs: 3 }), 'request.bad-field', 'top_logprobs'],
    [chat({ tools: [{ type: 'function' }] }), 'request.bad-field', 'tools[0].function'],
    [chat({ tools: [{ type: 'function', function: { name: 7 } }] }), 'request.bad-field', 'tools[0].function.name'],
    [chat({ tool_choice: 'always' }), 'request.bad-field', 'tool_choice'],
    [chat({ tool_choice: 'required' }), 'request.bad-field', 'tool_choice'],
    [chat({ tools: [TOOL], tool_choice: toolNamed('g') }), 'request.bad-field', 'tool_choice'],
    [chat({ response_format: { type: 'json_schema' } }), 'request.bad-field', 'response_format.json_schema'],
    [
      chat({ response_format: { type: 'json_schema', json_schema: { schema: 'x' } } }),
      'request.bad-field',
      'response_format.json_schema.schema',
    ],
    [chat({ messages: [{ role: 'robot', content: 'x' }] }), 'request.bad-field', 'messages[0].role'],
    [chat({ messages: [{ role: 'user', content: 7 }] }), 'request.bad-field', 'messages[0].content'],
    [chat({ messages: [{ role: 'tool', content: 'x' }] }), 'request.bad-field', 'messages[0].tool_call_id'],
    [chat(parts({ type: 'text' })), 'request.bad-field', 'messages[0].content[0].text'],
    [chat(parts({ type: 'image_url', image_url: 'x' })), 'request.bad-field', 'messages[0].content[0].image_url'],
    [chat(parts({ type: 'image_url', image_url: {} })), 'request.bad-field', 'messages[0].content[0].image_url.url'],
    [chat(parts({})), 'request.bad-field', 'messages[0].content[0].type'],
    [
      chat({ messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f' } }] }] }),
      'request.bad-field',
      'messages[0].tool_calls[0].function.arguments',
    ],
    ['{"model":"a","model":"b","messages":[{"role":"user"}]}', 'request.duplicate-field', 'model'],
    [
      '{"max_tokens":1,"model":"b","max\\u005ftokens":9,"messages":[{"role":"user"}]}',
      'request.duplicate-field',
      'max_tokens',
    ],
  ])('%j is refused with %s at %s', (body, code, field) => {
    const error = refusal(() => prepare(body))
    expect([error.code, error.info.field]).toEqual([code, field])
  })

  test.each<[string, object, string]>([
    ['/v1/completions', { model: 'm' }, 'prompt'],
    ['/v1/completions', { model: 'm', prompt: ['a', 1] }, 'prompt'],
    ['/v1/completions', { model: 'm', prompt: [] }, 'prompt'],
    ['/v1/completions', { model: 'm', prompt: 'a', best_of: 1000 }, 'best_of'],
    ['/v1/embeddings', { model: 'm' }, 'input'],
    ['/v1/embeddings', { model: 'm', input: 'a', max_tokens: 5 }, 'max_tokens'],
    ['/v1/embeddings', { model: 'm', input: 'a', encoding_format: 'hex' }, 'encoding_format'],
  ])('%s refuses %j at %s', (path, body, field) => {
    expect(refusal(() => prepare(body, { path })).info.field).toBe(field)
  })

  test('a path that is not one of ours is refused whatever the body', () => {
    expect(refusal(() => prepare(HELLO, { path: '/v1/audio' })).code).toBe('request.not-found')
    expect(refusal(() => prepare(HELLO, { path: '/toString' })).code).toBe('request.not-found')
  })

  test('bytes that are not UTF-8 are refused as bad JSON', () => {
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])
    expect(
      refusal(() => prepareInference({ path: CHAT, headers: [], body, traceId: 't', caller: 'owner', defaults })).code,
    ).toBe('request.bad-json')
  })

  test('nesting is taken up to the limit and refused beyond it, a million levels as fast as one', () => {
    const nested = (levels: number): string =>
      `{"model":"m","messages":[{"role":"user"}],"x":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    expect(prepare(nested(MAX_JSON_DEPTH)).model).toBe('m')
    expect(refusal(() => prepare(nested(MAX_JSON_DEPTH + 1))).code).toBe('request.too-deep')
    expect(refusal(() => prepare('['.repeat(1_000_000))).code).toBe('request.too-deep')
    expect(refusal(() => prepare('{"a":'.repeat(1_000_000))).code).toBe('request.too-deep')
  })

  test('no refusal repeats what the caller wrote', () => {
    const secret = 'my-private-words'
    for (const body of [
      `{"model":"m","messages":"${secret}"}`,
      `{"model":"m" ${secret}`,
      `${secret}`,
      JSON.stringify({ ...HELLO, stop: { a: secret }, model: 'm' }),
      JSON.stringify({ ...HELLO, timeout: secret }),
      JSON.stringify({ ...HELLO, encoding_format: secret, temperature: secret }),
    ])
      expect(refusal(() => prepare(body)).message).not.toContain(secret)
  })

  test('any bytes at all are either taken or refused with a code of request.*', () => {
    const tokens = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      ',',
      ':',
      '"model"',
      '"messages"',
      '1',
      'null',
      ' ',
      '{"role":"user"}',
    )
    fc.assert(
      fc.property(fc.array(tokens, { maxLength: 30 }), (parts) => {
        try {
          prepare(parts.join(''))
        } catch (error) {
          expect((error as { code: string }).code).toMatch(/^request\./)
        }
      }),
    )
  })
})

describe('headers', () => {
  test('nothing but the accepted types leaves the client, whatever the name and case', () => {
    const cased = (name: string) =>
      fc
        .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
        .map((upper) => Array.from(name, (c, i) => (upper[i] === true ? c.toUpperCase() : c)).join(''))
    const names = fc.oneof(
      ...['authorization', 'cookie', 'proxy-authorization', 'host', 'connection', 'accept-encoding', 'user-agent', 'te']
        .concat(['x-forwarded-for', 'referer', 'origin', 'openai-organization', 'transfer-encoding', 'content-length'])
        .map(cased),
      fc.string({ minLength: 1, maxLength: 20 }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fc.string()), { maxLength: 10 }), (headers) => {
        const forwarded = prepare({ ...HELLO, max_tokens: 1 }, { headers }).headers.map(([name]) => name)
        expect(forwarded.filter((name) => name !== 'accept')).toEqual(['content-type', 'content-length'])
      }),
    )
  })

  test('the length is that of the body that leaves, and accept goes along', () => {
    const prepared = prepare(HELLO, {
      headers: [
        ['Accept', 'text/event-stream'],
        ['Content-Length', '1'],
      ],
    })
    expect(prepared.headers).toEqual([
      ['content-type', 'application/json'],
      ['accept', 'text/event-stream'],
      ['content-length', String(prepared.body.length)],
    ])
  })

  test('a header value with a line break stays', () => {
    expect(prepare(HELLO, { headers: [['accept', 'a\r\nx-evil: 1']] }).headers.map(([name]) => name)).toEqual([
      'content-type',
      'content-length',
    ])
  })
})

function refusal(run: () => unknown): { code: string; message: string; info: { field?: unknown } } {
  try {
    run()
  } catch (error) {
    return error as ReturnType<typeof refusal>
  }
  throw new Error('was not refused')
}
