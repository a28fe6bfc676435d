import { expect, test } from 'vitest'
import { readVocabulary } from './vocabulary.ts'

/** Letters, a blank (`Ġ`), the two bytes of `é` and three merges; then the special tokens in Whisper's order. */
const VOCAB = ['a', 'b', 'c', 'Ġ', 'Ã', '©', 'ab', 'Ġab', 'bc']
const SPECIAL = [
  '<|endoftext|>',
  '<|startoftranscript|>',
  '<|en|>',
  '<|haw|>',
  '<|translate|>',
  '<|transcribe|>',
  '<|startoflm|>',
  '<|startofprev|>',
  '<|nocaptions|>',
  '<|notimestamps|>',
]
const file = (special: readonly string[] = SPECIAL, merges: readonly (string | string[])[] = ['a b', 'Ġ ab', 'b c']) =>
  JSON.stringify({
    added_tokens: special.map((content, i) => ({ id: VOCAB.length + i, content })),
    model: { vocab: Object.fromEntries(VOCAB.map((text, id) => [text, id])), merges },
  })
const vocabulary = readVocabulary(file())

test('special tokens are found by their names, under either name for silence, and languages by their place', () => {
  expect(vocabulary).toMatchObject({
    end: 9,
    start: 10,
    transcribe: 14,
    previous: 16,
    noSpeech: 17,
    noTimes: 18,
    firstTime: 19,
  })
  expect([...vocabulary.tokenByLanguage]).toEqual([
    ['en', 11],
    ['haw', 12],
  ])
  expect(vocabulary.size).toBe(19 + 1501)
})

test('tokens become text over bytes, so that a character may be in two of them', () => {
  expect(vocabulary.text([7, 4, 5, 2])).toBe(' abéc')
  expect(vocabulary.text([4])).toBe('�')
})

test('times and special tokens say nothing', () => {
  expect(vocabulary.text([19, 0, 10, 30, 1, 9])).toBe('ab')
})

test('a text is joined in the order of the merges, not from left to right', () => {
  expect(vocabulary.encode('abc')).toEqual([6, 2])
  expect(
    readVocabulary(
      file(SPECIAL, [
        ['b', 'c'],
        ['a', 'b'],
      ]),
    ).encode('abc'),
  ).toEqual([0, 8])
  expect(vocabulary.encode(' ab abé')).toEqual([7, 7, 4, 5])
})

test('what the model has no token for is left out of a prompt', () => {
  expect(vocabulary.encode('a!b')).toEqual([0, 1])
})

test.each([
  ['no JSON', '{', 'no byte-level tokenizer'],
  ['another tokenizer', '{"model":{"type":"Unigram"}}', 'no byte-level tokenizer'],
  ['a model for English only', file(SPECIAL.filter((name) => name !== '<|transcribe|>')), 'no <|transcribe|>'],
])('%s is refused by what it lacks', (_, json, says) => {
  expect(() => readVocabulary(json)).toThrowError(
    expect.objectContaining({ code: 'engine.model-unusable', message: expect.stringContaining(says) }),
  )
})
