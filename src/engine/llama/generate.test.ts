import type { LlamaContextSequence } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tinyModelPath } from '../../../test/support/tiny-model.ts'
import { silentLog } from '../../util/index.ts'
import { type AnswerPlan, generateAnswer } from './generate.ts'
import { grammarFor, type JsonSchema } from './json-grammar.ts'
import { llamaOptions } from './options.ts'
import { type Runtime, startRuntime } from './runtime.ts'

let runtime: Runtime
let sequence: LlamaContextSequence
const never = new AbortController().signal

beforeAll(async () => {
  runtime = await startRuntime(
    llamaOptions.parse({ modelPath: tinyModelPath(), gpu: 'off', threads: 1, parallel: 1 }),
    silentLog,
  )
  sequence = (await runtime.slots.acquire([], '', never)).sequence
})
afterAll(() => runtime.close())

const sampling = {
  temperature: 0.9,
  topP: 1,
  topK: 40,
  minP: 0,
  seed: 3,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map(),
}
const plan = (text: string, rest: Partial<AnswerPlan> = {}): AnswerPlan => ({
  promptTokens: runtime.model.tokenize(text),
  maxTokens: 20,
  sampling,
  stop: [],
  turnEnds: [],
  ...rest,
})

describe('one answer', () => {
  test('usage is what the sequence’s own meter counted', async () => {
    for (const text of ['x'.repeat(300), 'x'.repeat(299) + 'yz', 'new']) {
      const before = sequence.tokenMeter.getState()
      const end = await generateAnswer(runtime, sequence, plan(text), () => {}, never)
      const used = sequence.tokenMeter.diff(before)
      // The last prompt token is evaluated for its logits, which the meter counts as output, like every sampled token but the last.
      expect(end.completionTokens).toBe(used.usedOutputTokens)
      expect(end.promptTokens - end.cachedTokens - 1).toBe(used.usedInputTokens)
    }
  })

  test('after an abort nothing more is sampled', async () => {
    const controller = new AbortController()
    let pieces = 0
    const answer = generateAnswer(
      runtime,
      sequence,
      plan('abort me', { maxTokens: 1000 }),
      () => {
        if (++pieces === 5) controller.abort(new Error('left'))
      },
      controller.signal,
    )
    const before = sequence.tokenMeter.getState()
    await expect(answer).rejects.toThrow('left')
    expect(sequence.tokenMeter.diff(before).usedOutputTokens).toBeLessThanOrEqual(7)
    const after = sequence.tokenMeter.getState()
    await generateAnswer(runtime, sequence, plan('someone else', { maxTokens: 5 }), () => {}, never)
    expect(sequence.tokenMeter.diff(after).usedOutputTokens).toBe(5)
  })

  test('an abort during a long prompt is noticed before its end', async () => {
    const controller = new AbortController()
    const before = sequence.tokenMeter.getState()
    const answer = generateAnswer(runtime, sequence, plan(`unseen ${'y'.repeat(1900)}`), () => {}, controller.signal)
    controller.abort(new Error('left'))
    await expect(answer).rejects.toThrow('left')
    expect(sequence.tokenMeter.diff(before).usedInputTokens).toBeLessThan(500)
  })
})

describe('grammars from schemas', () => {
  async function instance(schema: JsonSchema, seed: number): Promise<unknown> {
    let text = ''
    const grammar = { gbnf: grammarFor(schema, { strict: true, param: 'schema' }), param: 'schema' }
    const rest = { grammar, maxTokens: 1500, sampling: { ...sampling, temperature: 1.5, topK: 0, seed } }
    await generateAnswer(
      runtime,
      sequence,
      plan('give', rest),
      (piece) => {
        if (piece.type === 'content') text += piece.text
      },
      never,
    )
    return JSON.parse(text)
  }

  test.each<readonly [string, JsonSchema, (value: unknown) => boolean]>([
    [
      'optional properties',
      {
        type: 'object',
        properties: { a: { type: 'boolean' }, b: { type: 'null' }, c: { type: 'integer' } },
        required: ['b'],
      },
      (v) => Object.keys(v as object).every((k) => 'abc'.includes(k)) && 'b' in (v as object),
    ],
    [
      'extra properties',
      { type: 'object', properties: { a: { const: 1 } }, additionalProperties: { type: 'boolean' } },
      (v) => Object.entries(v as object).every(([k, x]) => (k === 'a' && x === 1) || typeof x === 'boolean'),
    ],
    [
      'a list in itself',
      { type: 'object', properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } }, required: ['next'] },
      (v) => 'next' in (v as object),
    ],
    [
      'definitions',
      {
        $defs: { 'a/b': { enum: ['x', 2, null] } },
        type: 'array',
        items: { $ref: '#/$defs/a~1b' },
        minItems: 2,
        maxItems: 4,
      },
      (v) => Array.isArray(v) && v.length >= 2 && v.length <= 4 && v.every((x) => ['x', 2, null].includes(x as string)),
    ],
    [
      'tuples',
      { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'string', minLength: 2, maxLength: 4 }] },
      (v) => Array.isArray(v) && Number.isInteger(v[0]) && /^.{2,4}$/su.test(v[1] as string),
    ],
    [
      'formats',
      {
        type: 'object',
        properties: {
          d: { type: 'string', format: 'date' },
          u: { type: 'string', format: 'uuid' },
          t: { type: 'string', format: 'date-time' },
        },
        required: ['d', 'u', 't'],
      },
      (v) => !Number.isNaN(Date.parse((v as { t: string }).t)) && /^[\da-fA-F-]{36}$/.test((v as { u: string }).u),
    ],
    [
      'names that need escapes',
      {
        type: 'object',
        properties: { 'a "quoted" \\ name é': { type: 'number' } },
        required: ['a "quoted" \\ name é'],
      },
      (v) => typeof (v as Record<string, unknown>)['a "quoted" \\ name é'] === 'number',
    ],
    [
      'nothing at all',
      { type: 'object', properties: {}, additionalProperties: false },
      (v) => Object.keys(v as object).length === 0,
    ],
  ])('whatever is written for %s is an instance', async (_, schema, holds) => {
    for (let seed = 1; seed <= 6; seed++) expect(holds(await instance(schema, seed))).toBe(true)
  })

  test.each<readonly [string, JsonSchema]>([
    ['schema.minimum', { type: 'number', minimum: 1 }],
    ['schema.pattern', { type: 'string', pattern: 'a' }],
    ['schema.format', { type: 'string', format: 'email' }],
    ['schema.maxLength', { type: 'string', maxLength: 5000 }],
    ['schema.maxItems', { type: 'array', minItems: 3, maxItems: 2 }],
    ['schema.anyOf[0].$ref', { anyOf: [{ $ref: '#' }, { type: 'null' }] }],
    ['schema.$ref', { $ref: '#/$defs/absent' }],
    ['schema.$ref', { $ref: 'other.json' }],
    ['schema.required', { type: 'object', properties: {}, required: ['a'] }],
    ['schema.enum', { enum: Array.from({ length: 501 }, (_, i) => i) }],
  ])('strict refuses %s', (param, schema) => {
    expect(() => grammarFor(schema, { strict: true, param: 'schema' })).toThrowError(
      expect.objectContaining({
        code: 'request.invalid',
        info: expect.objectContaining({ param: expect.stringContaining(param.split('.').at(-1) as string) }),
      }),
    )
  })

  test('without strict, what cannot be held is left to the model', () => {
    expect(() =>
      grammarFor({ type: 'string', pattern: 'a', maxLength: 5000 }, { strict: false, param: 'schema' }),
    ).not.toThrow()
  })

  test('a schema nested without end is refused', () => {
    let schema: JsonSchema = true
    for (let i = 0; i < 100; i++) schema = { type: 'array', items: schema }
    expect(() => grammarFor(schema, { strict: false, param: 'schema' })).toThrowError(
      expect.objectContaining({ code: 'request.invalid' }),
    )
  })
})
