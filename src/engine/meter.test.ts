import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMeter, formatOf, MAX_DOCUMENT_BYTES, MAX_EVENT_BYTES, type Meter, type MeterOptions } from './meter.ts'
import { NO_USAGE, type RawUsage } from './types.ts'

/** Shapes of public engines, written by hand after their documentation; ids and texts are ours. */
const vllm = (usage: string): string =>
  'data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n' +
  'data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[{"index":0,"delta":{"content":"the word \\"usage\\" is \\u0022usage\\u0022"},"logprobs":null,"finish_reason":null}]}\n\n' +
  'data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[{"index":0,"delta":{"content":"usage"},"logprobs":null,"finish_reason":"stop","stop_reason":null}]}\n\n' +
  `${usage}data: [DONE]\n\n`
const VLLM_USAGE =
  'data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[],"usage":{"prompt_tokens":21,"total_tokens":28,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":16}}}\n\n'
const SGLANG =
  'data: {"id":"a","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"x","reasoning_content":null},"finish_reason":null}],"usage":null}\n\n' +
  'data: {"id":"a","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":null},"finish_reason":"stop"}],"usage":null}\n\n' +
  'data: {"id":"a","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":9,"total_tokens":14,"completion_tokens":5,"prompt_tokens_details":null,"reasoning_tokens":3}}\n\n' +
  'data: [DONE]\n\n'
const LLAMA_SERVER =
  'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"x"}}],"object":"chat.completion.chunk"}\n\n' +
  'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"object":"chat.completion.chunk","usage":{"completion_tokens":2,"prompt_tokens":4,"total_tokens":6},"timings":{"prompt_n":4}}\n\n' +
  'data: [DONE]\n\n'
const OLLAMA =
  'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"q","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}]}\n\n' +
  'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"q","system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}\n\n' +
  'data: [DONE]\n\n'
const BODY =
  '{"id":"c","choices":[{"message":{"content":"{\\"usage\\":{}}"}}],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}'

const cost = (usage: RawUsage) => ({
  promptNano: BigInt(usage.promptTokens) * 10n,
  completionNano: BigInt(usage.completionTokens) * 100n,
})
const EVENTS: MeterOptions = {
  contentType: 'text/event-stream; charset=utf-8',
  streamed: true,
  callerWantsUsage: true,
  cost,
}
const HIDING: MeterOptions = { ...EVENTS, callerWantsUsage: false }
const JSON_BODY: MeterOptions = { contentType: 'application/json', streamed: false, callerWantsUsage: false, cost }
const LINES: MeterOptions = { contentType: 'application/x-ndjson', streamed: true, callerWantsUsage: true, cost }

interface Outcome {
  readonly out: string
  readonly usage: RawUsage
  readonly cutOff: boolean
  readonly done: boolean
}

function run(options: MeterOptions, chunks: Iterable<Uint8Array>): Outcome {
  const meter = createMeter(options)
  const out: Uint8Array[] = []
  for (const chunk of chunks) out.push(Uint8Array.from(meter.push(chunk)))
  const { bytes, cutOff } = meter.end()
  out.push(bytes)
  return { out: Buffer.concat(out).toString(), usage: meter.usage, cutOff, done: meter.done }
}
const whole = (options: MeterOptions, text: string): Outcome => run(options, [Buffer.from(text)])
function pieces(text: string, cuts: readonly number[]): Uint8Array[] {
  const bytes = Buffer.from(text)
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}
const used = (promptTokens: number, completionTokens: number, more: Partial<RawUsage> = {}): RawUsage => ({
  ...NO_USAGE,
  promptTokens,
  completionTokens,
  ...more,
})

describe('event streams', () => {
  test('vLLM: the usage event gets its cost and nothing else changes', () => {
    const { out, usage, done } = whole(EVENTS, vllm(VLLM_USAGE))
    const priced = VLLM_USAGE.replace(
      '"cached_tokens":16}}',
      '"cached_tokens":16},"prompt_total_cost":210,"completion_total_cost":700,"total_cost":910}',
    )
    expect(out).toBe(vllm(priced))
    expect(usage).toEqual(used(21, 7, { cachedTokens: 16 }))
    expect(done).toBe(true)
  })

  test('vLLM: the usage event is dropped for a caller who did not ask', () => {
    expect(whole(HIDING, vllm(VLLM_USAGE))).toMatchObject({ out: vllm(''), usage: used(21, 7, { cachedTokens: 16 }) })
  })

  test('SGLang: null usage is removed with the usage event, and its own reasoning count is read', () => {
    const { out, usage } = whole(HIDING, SGLANG)
    const kept = SGLANG.replaceAll(',"usage":null', '').replace(/data: [^\n]*"choices":\[\][^\n]*\n\n/, '')
    expect(out).toBe(kept)
    expect(usage).toEqual(used(9, 5, { reasoningTokens: 3 }))
    expect(whole(EVENTS, SGLANG).out).toContain('"finish_reason":"stop"}],"usage":null}')
  })

  test('llama-server: usage on the last choice is taken out and the choice stays', () => {
    const { out, usage } = whole(HIDING, LLAMA_SERVER)
    expect(out).toBe(LLAMA_SERVER.replace(/"usage":\{[^}]*\},/, ''))
    expect(usage).toEqual(used(4, 2))
  })

  test('Ollama: usage is metered', () => {
    expect(whole(HIDING, OLLAMA)).toMatchObject({ usage: used(11, 3), done: true })
  })

  test('with usage on every chunk the maxima count, and cost is added where one grew', () => {
    const chunk = (p: number, c: number): string =>
      `data: {"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":${p},"completion_tokens":${c}}}\n\n`
    const { out, usage } = whole(EVENTS, chunk(5, 1) + chunk(5, 1) + chunk(4, 2) + chunk(5, 0))
    expect(out.split('\n\n').map((event) => event.match(/"total_cost":(\d+)/)?.[1])).toEqual([
      '150',
      undefined,
      '250',
      undefined,
      undefined,
    ])
    expect(usage).toEqual(used(5, 2))
  })

  test('CRLF, comments, ids and several data lines pass byte for byte, cost falls into the right line', () => {
    const stream =
      ': ping\r\n\r\nid: 1\r\nevent: x\r\ndata: {"choices":[],\r\ndata: "usage":{"prompt_tokens":1}\r\ndata: }\r\n\r\n: end\r\n\r\n'
    const { out } = whole(EVENTS, stream)
    expect(out).toBe(
      stream.replace(
        '"prompt_tokens":1}',
        '"prompt_tokens":1,"prompt_total_cost":10,"completion_total_cost":0,"total_cost":10}',
      ),
    )
  })

  test('events without choices keep their usage: include_usage does not govern them', () => {
    const { out, usage } = whole(HIDING, 'data: {"type":"transcript.text.done","usage":{"prompt_tokens":3}}\n\n')
    expect(out).toContain('"total_cost":30')
    expect(usage).toEqual(used(3, 0))
  })

  test.each([
    '{"usage":[1]}',
    '{"usage":7}',
    '{"usage":{bad}}',
    '{"usage":{"prompt_tokens":1}',
    'usage"',
    '["usage"]',
    '{"a":{"usage":{"prompt_tokens":9}}}',
  ])('data %s counts nothing and passes', (data) => {
    for (const options of [EVENTS, HIDING])
      expect(whole(options, `data: ${data}\n\n`)).toMatchObject({ out: `data: ${data}\n\n`, usage: NO_USAGE })
  })

  test('an event goes out with its last byte, not later', () => {
    const meter = createMeter(EVENTS)
    const event = Buffer.from('data: {"choices":[]}\n\n')
    for (let i = 0; i < event.length - 1; i++) expect(meter.push(event.subarray(i, i + 1)).length).toBe(0)
    expect(Buffer.from(meter.push(event.subarray(-1))).equals(event)).toBe(true)
  })

  test('events without usage are not copied', () => {
    const chunk = Buffer.from('data: {"a":1}\n\ndata: {"a":2}\n\n')
    expect(createMeter(HIDING).push(chunk)).toBe(chunk)
  })

  test('a last event without its blank line is metered all the same', () => {
    expect(whole(EVENTS, `${VLLM_USAGE.trimEnd()}`).usage).toEqual(used(21, 7, { cachedTokens: 16 }))
    expect(whole(EVENTS, 'data: {}\n\ndata: [DONE]').done).toBe(true)
  })

  test('an endless event is refused', () => {
    const meter = createMeter(EVENTS)
    expect(() => pour(meter, 'data: x', MAX_EVENT_BYTES)).toThrow(
      expect.objectContaining({ code: 'engine.event-too-large' }),
    )
  })
})

describe('JSON documents', () => {
  const PRICED = BODY.replace(
    '"total_tokens":30',
    '"total_tokens":30,"prompt_total_cost":100,"completion_total_cost":2000,"total_cost":2100',
  )

  test('one body keeps its usage whatever the caller asked, with cost', () => {
    expect(whole(JSON_BODY, BODY)).toMatchObject({ out: PRICED, usage: used(10, 20), cutOff: false })
  })

  test('documents in a row, with and without line ends, are each priced when a count grew', () => {
    const second = BODY.replace('"completion_tokens":20', '"completion_tokens":21')
    for (const between of ['', '\n', ' \r\n ']) {
      const { out, usage } = whole(LINES, BODY + between + BODY + between + second + between)
      expect(out).toBe(
        PRICED +
          between +
          BODY +
          between +
          second.replace('30}}', '30,"prompt_total_cost":100,"completion_total_cost":2100,"total_cost":2200}}') +
          between,
      )
      expect(usage).toEqual(used(10, 21))
    }
  })

  test('of streamed documents the usage is taken out again', () => {
    const chunk = '{"choices":[{"delta":{}}],"usage":null}\n'
    const last = '{"choices":[],"usage":{"prompt_tokens":2}}\n'
    const { out, usage } = whole({ ...LINES, callerWantsUsage: false }, chunk + last)
    expect(out).toBe('{"choices":[{"delta":{}}]}\n\n')
    expect(usage).toEqual(used(2, 0))
  })

  test('a number before an object does not hide its usage', () => {
    for (const size of [1, 2, 3, 100]) {
      const stream = Buffer.from('1 {"usage":{"prompt_tokens":6}}')
      expect(
        run(
          LINES,
          (function* () {
            for (let i = 0; i < stream.length; i += size) yield stream.subarray(i, i + size)
          })(),
        ).usage,
      ).toEqual(used(6, 0))
    }
  })

  test('after something that is no JSON the rest passes unread', () => {
    const stream = `${BODY}<html>{"usage":{"prompt_tokens":99}}`
    expect(whole(LINES, stream)).toMatchObject({
      usage: used(10, 20),
      cutOff: false,
      out: `${PRICED}<html>{"usage":{"prompt_tokens":99}}`,
    })
  })

  test('white space that keeps a connection alive is not held back', () => {
    const meter = createMeter(JSON_BODY)
    expect(Buffer.from(meter.push(Buffer.from(' \n'))).toString()).toBe(' \n')
    expect(meter.push(Buffer.from('{')).length).toBe(0)
  })

  test('a cut document goes out verbatim and is marked', () => {
    expect(whole(JSON_BODY, BODY.slice(0, -1))).toMatchObject({ out: BODY.slice(0, -1), cutOff: true })
    expect(whole(JSON_BODY, '42')).toMatchObject({ out: '42', cutOff: false })
    expect(whole(JSON_BODY, '')).toMatchObject({ out: '', cutOff: false })
  })

  test.each([
    [{ prompt_tokens: -1, completion_tokens: 1.5 }, NO_USAGE],
    [{ prompt_tokens: '7', completion_tokens: null }, NO_USAGE],
    [{ prompt_tokens: 1e300, completion_tokens: 3 }, used(0, 3)],
    [
      { prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 5 } },
      used(0, 0, { cachedTokens: 4, reasoningTokens: 5 }),
    ],
    [
      { prompt_tokens_details: [], completion_tokens_details: 'x', reasoning_tokens: 6 },
      used(0, 0, { reasoningTokens: 6 }),
    ],
  ])('usage %j counts as %j', (usage, expected) => {
    expect(whole(JSON_BODY, JSON.stringify({ usage })).usage).toEqual(expected)
  })

  test('an empty usage object gets no leading comma, and zero counts no cost', () => {
    expect(whole(JSON_BODY, '{"usage":{}}').out).toBe('{"usage":{}}')
  })

  test('an endless document is refused', () => {
    expect(() => pour(createMeter(JSON_BODY), '{"a":"', MAX_DOCUMENT_BYTES)).toThrow(
      expect.objectContaining({ code: 'engine.too-large' }),
    )
  })
})

function pour(meter: Meter, start: string, bytes: number): void {
  meter.push(Buffer.from(start))
  const chunk = Buffer.alloc(65_536, 'x')
  for (let sent = 0; sent < bytes; sent += chunk.length) meter.push(chunk)
}

describe('any body', () => {
  const STREAMS = [
    vllm(VLLM_USAGE),
    SGLANG,
    LLAMA_SERVER,
    OLLAMA,
    SGLANG.replaceAll('\n', '\r\n'),
    BODY,
    `${BODY}\n1 ${BODY}<p>`,
    '{"choices":[{}]}\n \n{"choices":[],"usage":{"prompt_tokens":2}} {}',
    vllm('').slice(0, -9),
  ]

  test('comes out the same however it is cut', () => {
    const options = fc.constantFrom(
      EVENTS,
      HIDING,
      JSON_BODY,
      LINES,
      { ...LINES, callerWantsUsage: false },
      { ...LINES, contentType: undefined },
    )
    fc.assert(
      fc.property(
        options,
        fc.constantFrom(...STREAMS),
        fc.array(fc.nat(4000), { maxLength: 30 }),
        (option, stream, cuts) => {
          expect(run(option, pieces(stream, cuts))).toEqual(whole(option, stream))
        },
      ),
      { numRuns: 500 },
    )
    for (const option of [EVENTS, HIDING, JSON_BODY])
      for (const stream of STREAMS)
        expect(run(option, pieces(stream, Array.from(Buffer.from(stream).keys())))).toEqual(whole(option, stream))
  })

  test('passes byte for byte when there is no usage in it', () => {
    const bytes = fc.uint8Array({ maxLength: 300 })
    const lines = fc
      .array(fc.constantFrom('data: {"a":"b"}', '\n', '\r\n', ': x', '{"choices":[]}', '"', '[', 'data: [DONE]'))
      .map((l) => Buffer.from(l.join('')))
    fc.assert(
      fc.property(
        fc.constantFrom(EVENTS, HIDING, JSON_BODY, LINES),
        fc.array(fc.oneof(bytes, lines)),
        (option, chunks) => {
          expect(run(option, chunks).out).toBe(Buffer.concat(chunks).toString())
        },
      ),
    )
  })

  test.each([
    ['text/event-stream', 'events'],
    ['Text/Event-Stream;charset=utf-8', 'events'],
    ['application/json; charset=utf-8', 'json'],
    ['application/x-ndjson', 'json'],
    ['application/jsonl', 'json'],
    ['application/problem+json', 'json'],
    ['text/plain', 'unknown'],
    [undefined, 'unknown'],
    ['audio/mpeg', 'opaque'],
  ])('of type %s is read as %s', (type, format) => {
    expect(formatOf(type)).toBe(format)
  })

  test('of no or a text type is JSON if it begins like an object', () => {
    for (const contentType of [undefined, 'text/plain']) {
      expect(whole({ ...JSON_BODY, contentType }, ` \n${BODY}`).usage).toEqual(used(10, 20))
      expect(whole({ ...JSON_BODY, contentType }, `x${BODY}`)).toMatchObject({ usage: NO_USAGE, out: `x${BODY}` })
    }
  })
})
