import { describe, expect, test } from 'vitest'
import { abilitiesFrom } from '../../util/index.ts'
import { fitnessOf, type Needs, needsOf, needsOfPath } from './needs.ts'

const CHAT = '/v1/chat/completions'
const chat = (body: Record<string, unknown>, maxTokens = 100): Needs => needsOf(CHAT, body, maxTokens)
const words = (needs: Needs): string[] => needs.abilities.map(({ what, field }) => `${what} ${field}`)
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })

describe('what a request needs', () => {
  test.each([
    ['its kind alone, where it is plain text', user('hi'), []],
    ['tools, where it brings some', { ...user('hi'), tools: [{}] }, ['tools tools']],
    ['no tools, where it forbids them', { ...user('hi'), tools: [{}], tool_choice: 'none' }, []],
    ['no tools, where the list is empty', { ...user('hi'), tools: [] }, []],
    [
      'a schema, where one binds the answer',
      { ...user('hi'), response_format: { type: 'json_schema' } },
      ['json-schema response_format'],
    ],
    [
      'sight, at the first image',
      user([{ type: 'text', text: 'see' }, { type: 'image_url' }, { type: 'image_url' }]),
      ['vision messages[0].content[1]'],
    ],
    ['hearing, at the first sound', user([{ type: 'input_audio' }]), ['audio messages[0].content[0]']],
  ])('is %s', (_, body, expected) => {
    expect(words(chat(body))).toEqual(['chat messages', ...expected])
  })

  test.each([
    [{ messages: 7, tools: 'x', response_format: null }],
    [{ messages: [null, { content: [null, 3, { type: '__proto__' }, { type: 'constructor' }] }] }],
    [{ messages: { length: 9 } }],
  ])('is its kind alone for a body that is none: %j', (body) => {
    expect(words(chat(body))).toEqual(['chat messages'])
  })

  test('is known from the path where there is no chat, and nothing on a path that nobody knows', () => {
    expect(words(needsOfPath('/v1/embeddings'))).toEqual(['embeddings input'])
    expect(words(needsOfPath('constructor'))).toEqual([])
  })

  test('counts a prompt’s tokens from below: long texts only, blanks once', () => {
    expect(chat(user('x'.repeat(30_000))).promptAtLeast).toBe(0)
    expect(chat(user('x'.repeat(64_000))).promptAtLeast).toBe(4_000)
    expect(chat(user(' '.repeat(1_000_000))).promptAtLeast).toBe(0)
  })
})

describe('a worker', () => {
  const says = (can: string[], cannot: string[], length: number | null = null) => abilitiesFrom(can, cannot, length)

  test('that has said nothing, or nothing of this, is fit', () => {
    const needs = chat({ ...user([{ type: 'image_url' }]), tools: [{}] })
    for (const abilities of [null, says([], []), says(['vision', 'tools'], ['rerank'])])
      expect(fitnessOf(abilities, needs)).toBe('fit')
    expect(fitnessOf(says([], ['vision']), undefined)).toBe('fit')
  })

  test('that says it cannot is not, and the field that asks for it is named', () => {
    const needs = chat(user([{ type: 'image_url' }]))
    expect(fitnessOf(says(['chat'], ['vision']), needs)).toEqual({ what: 'vision', field: 'messages[0].content[0]' })
  })

  test.each([
    ['all of it', 100, 3_900, 'fit'],
    ['the prompt, and less of the answer than its limit', 4_000, 1_000, 'tight'],
    ['nothing behind the prompt', 4_096, 1, { what: 'context', field: 'messages', contextLength: 4_096 }],
    ['less than the limit of one answer', 0, 5_000, { what: 'context', field: 'max_tokens', contextLength: 4_096 }],
  ])('with room for %s', (_, promptAtLeast, maxTokens, expected) => {
    expect(fitnessOf(says([], [], 4_096), { abilities: [], promptAtLeast, maxTokens })).toEqual(expected)
  })

  test('with a small context takes a request that wishes for no length', () => {
    expect(fitnessOf(says([], [], 256), { abilities: [], promptAtLeast: 0, maxTokens: 1_000 })).toBe('tight')
  })
})
