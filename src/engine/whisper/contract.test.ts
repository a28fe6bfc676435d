import { expect, test } from 'vitest'
import { utf8, writeForm } from '../../util/index.ts'
import { parseTranscriptionRequest } from './contract.ts'

const BOUNDARY = 'boundary'
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`
const form = (fields: readonly (readonly [string, string])[], withFile = true): Uint8Array =>
  writeForm({
    boundary: BOUNDARY,
    parts: [
      ...(withFile ? [{ name: 'file', fileName: 'audio.wav', value: utf8('sound') }] : []),
      ...fields.map(([name, value]) => ({ name, value: utf8(value) })),
    ],
  })
const parse = (...fields: readonly (readonly [string, string])[]) =>
  parseTranscriptionRequest(form(fields), TYPE, ['en', 'de'])
const refusal = (param: string, message: unknown = expect.any(String)): object =>
  expect.objectContaining({ code: 'request.invalid', info: expect.objectContaining({ param, message }) }) as object

test('a file is enough, and nothing limits what is written of it', () => {
  expect(parse()).toEqual({
    file: utf8('sound'),
    model: undefined,
    language: undefined,
    prompt: '',
    format: 'json',
    stream: false,
    maxTokens: Number.MAX_SAFE_INTEGER,
  })
})

test('of two limits the lower counts, and of a long prompt its end', () => {
  const prompt = `${'x'.repeat(5_000)}end`
  expect(parse(['max_tokens', '7'], ['max_completion_tokens', '9'], ['prompt', prompt])).toMatchObject({
    maxTokens: 7,
    prompt: `${'x'.repeat(1_997)}end`,
  })
})

test('fields are read as they are meant, and those of other engines are nobody’s business', () => {
  const fields = [
    ['language', ' DE '],
    ['stream', 'true'],
    ['temperature', '0.0'],
    ['timestamp_granularities[]', 'segment'],
    ['chunking_strategy', 'auto'],
  ] as const
  expect(parse(...fields)).toMatchObject({ language: 'de', stream: true, format: 'json' })
})

test.each<readonly [param: string, fields: readonly (readonly [string, string])[]]>([
  ['language', [['language', 'english']]],
  ['temperature', [['temperature', '0.2']]],
  ['max_tokens', [['max_tokens', '0']]],
  ['max_tokens', [['max_tokens', '1e3']]],
  ['response_format', [['response_format', 'diarized_json']]],
  [
    'timestamp_granularities[]',
    [
      ['timestamp_granularities[]', 'segment'],
      ['timestamp_granularities[]', 'word'],
    ],
  ],
  ['include[]', [['include[]', 'logprobs']]],
  ['stream', [['stream', 'yes']]],
  [
    'stream',
    [
      ['stream', 'true'],
      ['response_format', 'srt'],
    ],
  ],
  [
    'prompt',
    [
      ['prompt', 'a'],
      ['prompt', 'b'],
    ],
  ],
  [
    'a field',
    [
      ['__proto__', 'a'],
      ['__proto__', 'b'],
    ],
  ],
])('%s is refused by its name for %o', (param, fields) => {
  expect(() => parse(...fields)).toThrowError(refusal(param))
})

test('a field’s value does not get into the error', () => {
  expect(() => parse(['language', 'secret-words'])).toThrowError(
    refusal('language', expect.not.stringContaining('secret-words')),
  )
})

test.each<readonly [string, string, unknown, string]>([
  ['a form without a file', 'file', form([], false), TYPE],
  ['a form that is cut off', 'body', form([]).subarray(0, 40), TYPE],
  ['a form of another boundary', 'body', form([]), 'multipart/form-data; boundary=other'],
  ['no form', 'body', undefined, ''],
])('%s is refused', (_, param, body, type) => {
  expect(() => parseTranscriptionRequest(body, type, ['en'])).toThrowError(refusal(param))
})
