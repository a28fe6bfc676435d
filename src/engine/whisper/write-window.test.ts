import { describe, expect, test } from 'vitest'
import type { Heard } from './speech-model.ts'
import type { Vocabulary } from './vocabulary.ts'
import { writeWindow } from './write-window.ts'

/** Texts 0 to 9, then the special tokens, then times. */
const vocabulary = {
  end: 10,
  start: 11,
  transcribe: 14,
  previous: 15,
  noSpeech: 16,
  noTimes: 17,
  firstTime: 18,
  tokenByLanguage: new Map([
    ['en', 12],
    ['de', 13],
  ]),
  text: (tokens: readonly number[]) =>
    tokens
      .filter((token) => token < 10)
      .map((token) => `word-${token} `)
      .join(''),
} as unknown as Vocabulary
const [END, TIME, SIZE] = [10, 18, 18 + 1501]
const model = { rules: { vocabulary, suppressed: [], suppressedFirst: [] }, maxTokens: 40 }

const logits = (...tokens: readonly number[]): Float32Array => {
  const all = new Float32Array(SIZE).fill(-30)
  for (const token of tokens) all[token] = 10
  return all
}

/** A decoder that writes these one after the other, and keeps what it was given. */
function script(written: readonly number[], opening: (tokens: readonly number[]) => Float32Array = () => logits()) {
  const opened: (readonly number[])[] = []
  const fed: number[] = []
  const heard: Heard = {
    async open(tokens) {
      opened.push(tokens)
      return [
        ...tokens.slice(1).map(() => opening(tokens)),
        tokens.length === 1 ? opening(tokens) : logits(written[0] as number),
      ]
    },
    async next(token) {
      fed.push(token)
      return logits(written[fed.length] ?? END)
    },
  }
  return { heard, opened, fed }
}

const TASK = { language: 'en', previous: [], maxTokens: 100 }
const never = (): boolean => false

test('tokens are written until the end, each fed back once', async () => {
  const { heard, opened, fed } = script([TIME, 1, 2, TIME + 50, END])
  expect(await writeWindow(model, heard, TASK, never)).toMatchObject({
    tokens: [TIME, 1, 2, TIME + 50],
    writtenTokens: 5,
    fedTokens: 3,
    isCut: false,
    language: 'en',
  })
  expect(opened).toEqual([[11, 12, 14]])
  expect(fed).toEqual([TIME, 1, 2, TIME + 50])
})

test('without a language the model is asked for the one it hears', async () => {
  const { heard, opened } = script([TIME, 1, TIME + 5, END], (tokens) => logits(tokens.length === 1 ? 13 : 1))
  expect(await writeWindow(model, heard, { ...TASK, language: undefined }, never)).toMatchObject({
    language: 'de',
    fedTokens: 4,
  })
  expect(opened).toEqual([[11], [11, 13, 14]])
})

test('of what was said before, the end stands in front of the transcript', async () => {
  const { heard, opened } = script([TIME, 1, TIME + 5, END])
  const previous = Array.from({ length: 30 }, (_, i) => i % 10)
  expect((await writeWindow(model, heard, { ...TASK, previous }, never)).fedTokens).toBe(1 + 19 + 3)
  expect(opened).toEqual([[15, ...previous.slice(-19), 11, 12, 14]])
})

test('a limit of the caller cuts, one of the window does not', async () => {
  const endless = Array.from({ length: 100 }, (_, i) => (i === 0 ? TIME : 1))
  const cut = await writeWindow(model, script(endless).heard, { ...TASK, maxTokens: 5 }, never)
  expect(cut).toMatchObject({ writtenTokens: 5, isCut: true })
  expect(cut.tokens).toHaveLength(5)
  expect(await writeWindow(model, script(endless).heard, TASK, never)).toMatchObject({
    writtenTokens: 20,
    isCut: false,
  })
})

test('a caller that has left costs one token more at most', async () => {
  const { heard, fed } = script(Array.from({ length: 100 }, (_, i) => (i === 0 ? TIME : 1)))
  expect((await writeWindow(model, heard, TASK, () => fed.length >= 3)).writtenTokens).toBe(3)
  expect(fed).toHaveLength(3)
})

describe('where the model thinks that nobody speaks', () => {
  const silence = (): Float32Array => logits(16)
  test('words that it believes are kept', async () => {
    const { heard } = script([TIME, 1, TIME + 5, END], silence)
    const written = await writeWindow(model, heard, TASK, never)
    expect(written.noSpeechProbability).toBeGreaterThan(0.9)
    expect(written.tokens).toHaveLength(3)
  })

  test('words that go round in circles are left out', async () => {
    const { heard } = script([TIME, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, TIME + 5, END], silence)
    const written = await writeWindow(model, heard, TASK, never)
    expect(written).toMatchObject({ tokens: [], writtenTokens: 15 })
  })

  test('words that it doubts are left out, and counted', async () => {
    const { heard } = script([], silence)
    const flat = new Float32Array(SIZE)
    const doubting: Heard = {
      open: async (tokens) => [...(await heard.open(tokens)).slice(0, -1), flat.slice()],
      next: async () => flat.slice(),
    }
    expect(await writeWindow(model, doubting, { ...TASK, maxTokens: 6 }, never)).toMatchObject({
      tokens: [],
      writtenTokens: 6,
    })
  })
})
