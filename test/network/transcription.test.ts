/**
 * Speech to text with a real model: OpenAI's library, a whole network, and `cocoon engine` with Whisper as users start it. The
 * recording and the words it must give: spec/vectors/speech.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { APIError, type OpenAI, toFile } from 'openai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { chargeOf, settled } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { openaiAt } from '../support/openai.ts'
import { type Cocoon, cocoonHome } from '../support/processes.ts'
import { homeWithSpeechModel, SPEECH_MODEL } from '../support/speech-model.ts'
import { writeWav } from '../support/wav-writer.ts'

const RECORDING = readFileSync(resolve(import.meta.dirname, '../../spec/vectors/speech/inaugural-1961.wav'))
const RATE = 8_000
/** Behind 44 bytes of header. */
const SAMPLES = RECORDING.subarray(44)
const WORDS =
  'and so my fellow americans ask not what your country can do for you ask what you can do for your country'.split(' ')
/** Of 22: the smallest of all Whispers hears "as" for "ask" where the sound is fainter. */
const MAX_WRONG_WORDS = 1
const MIB = 1024 * 1024

let cocoon: Cocoon
let engineUrl: string
let network: TestNetwork
let openai: OpenAI

beforeAll(async () => {
  const home = await homeWithSpeechModel()
  cocoon = await cocoonHome()
  const engine = cocoon.start(['engine', '--model', SPEECH_MODEL], { COCOON_HOME: home })
  engineUrl = `http://127.0.0.1:${cocoon.env['COCOON_ENGINE_PORT']}`
  const isUp = (): Promise<boolean> =>
    fetch(`${engineUrl}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until(
    async () => {
      if (engine.child.exitCode !== null) throw new Error(`the engine has ended: ${engine.output()}`)
      return isUp()
    },
    'the engine has its model',
    60_000,
  )
  const http = { maxBodyBytes: 15 * MIB }
  network = await startNetwork({ engineUrl, http, worker: { model: SPEECH_MODEL } })
  openai = openaiAt(network.baseURL)
})
afterEach(() => settled(network))
afterAll(async () => {
  await network?.close()
  cocoon?.close()
})

const wordsOf = (text: string): string =>
  text
    .toLowerCase()
    .match(/\p{L}+/gu)
    ?.join(' ') ?? ''
/** Words that have to be changed, added or taken out to make one text of the other. */
function wrongWords(text: string, expected: readonly string[] = WORDS): number {
  const words = wordsOf(text).split(' ')
  let row = words.map((_, i) => i + 1)
  for (const [i, wanted] of expected.entries()) {
    let [corner, left] = [i, i + 1]
    row = row.map((above, j) => {
      left = Math.min(above + 1, left + 1, corner + (words[j] === wanted ? 0 : 1))
      corner = above
      return left
    })
  }
  return row.at(-1) ?? expected.length
}

const recording = (bytes: Uint8Array = RECORDING, name = 'speech.wav'): Promise<File> =>
  toFile(bytes, name, { type: 'audio/wav' })

test('a recording becomes its words, and is charged by its length and by what was written', async () => {
  let total = 0
  const tokens = await chargeOf(network, async () => {
    const answer = await openai.audio.transcriptions.create({ model: SPEECH_MODEL, file: await recording() })
    expect(wrongWords(answer.text), answer.text).toBeLessThanOrEqual(MAX_WRONG_WORDS)
    // 50 for each of 11 seconds, three that open the transcript and one that asked for the language.
    expect(answer.usage).toMatchObject({ type: 'tokens', input_tokens: 554 })
    expect(answer.usage).toMatchObject({ input_token_details: { audio_tokens: 550, text_tokens: 4 } })
    total = answer.usage?.type === 'tokens' ? answer.usage.total_tokens : 0
  })
  expect(total).toBeGreaterThan(570)
  expect(tokens).toBe(BigInt(total))
})

test('stereo floats of which one side is silent give the same words, with times and the language', async () => {
  const data = new Float32Array(SAMPLES.length)
  for (let i = 0; i < data.length; i += 2) data[i] = SAMPLES.readInt16LE(i) / 32_768
  const file = writeWav({ rate: RATE, channels: 2, kind: 3, bits: 32, data: new Uint8Array(data.buffer) })
  const answer = await openai.audio.transcriptions.create({
    model: SPEECH_MODEL,
    file: await recording(file),
    response_format: 'verbose_json',
    temperature: 0,
  })
  expect(wrongWords(answer.text), answer.text).toBeLessThanOrEqual(MAX_WRONG_WORDS)
  expect(answer).toMatchObject({ language: 'english', duration: expect.closeTo(11, 2) })
  expect(answer.segments?.[0]).toMatchObject({ id: 0, start: expect.any(Number), temperature: 0 })
  const last = answer.segments?.at(-1)
  expect(last?.end).toBeGreaterThan(8)
  expect(last?.end).toBeLessThanOrEqual(11)
})

test('subtitles are charged although their body has no place for the usage', async () => {
  let text = ''
  const tokens = await chargeOf(network, async () => {
    const request = { model: SPEECH_MODEL, file: await recording(), language: 'en' }
    text = await openai.audio.transcriptions.create({ ...request, response_format: 'srt' })
  })
  expect(text).toMatch(/^1\n00:00:0\d,\d{3} --> 00:00:\d{2},\d{3}\n/)
  expect(wrongWords(text), text).toBeLessThanOrEqual(MAX_WRONG_WORDS)
  expect(tokens).toBeGreaterThan(570n)
})

test('more than one window arrives piece by piece, and nothing of it twice or not at all', async () => {
  const file = writeWav({ rate: RATE, data: Buffer.concat([SAMPLES, SAMPLES, SAMPLES]) })
  const deltas: string[] = []
  let text = ''
  for await (const event of await openai.audio.transcriptions.create({
    model: SPEECH_MODEL,
    file: await recording(file),
    stream: true,
  }))
    if (event.type === 'transcript.text.delta') deltas.push(event.delta)
    else if (event.type === 'transcript.text.done') text = event.text
  expect(deltas.length).toBeGreaterThan(1)
  expect(deltas.join('')).toBe(text)
  for (const words of ['fellow americans', 'ask not what', 'what you can do for your country'])
    expect(wordsOf(text).split(words), words).toHaveLength(4)
})

test('silence has no words, and costs its length', async () => {
  const file = writeWav({ rate: RATE, data: new Uint8Array(2 * RATE * 70) })
  const request = { model: SPEECH_MODEL, file: await recording(file) }
  const answer = await openai.audio.transcriptions.create({ ...request, response_format: 'verbose_json' })
  expect(answer).toMatchObject({ text: '', segments: [], duration: 70, usage: { prompt_tokens: 3_500 } })
})

test('a token limit ends the transcript, which says so', async () => {
  const body = new FormData()
  for (const [name, value] of Object.entries({ model: SPEECH_MODEL, max_tokens: '9', language: 'en' }))
    body.set(name, value)
  body.set('file', await recording())
  const answer = await fetch(`${network.baseURL}/audio/transcriptions`, { method: 'POST', body })
  expect(await answer.json()).toMatchObject({
    text: expect.stringMatching(/\w/),
    finish_reason: 'length',
    usage: { completion_tokens: 9, total_cost: 2 * (550 + 3 + 9) },
  })
})

test('a caller that leaves stops the engine, which then answers others', async () => {
  const health = async (): Promise<{ busy: number; queued: number }> =>
    (await (await fetch(`${engineUrl}/health`)).json()) as { busy: number; queued: number }
  const file = writeWav({ rate: RATE, data: Buffer.concat(Array.from({ length: 80 }, () => SAMPLES)) })
  const tokens = await chargeOf(network, async () => {
    const stop = new AbortController()
    const asked = openai.audio.transcriptions.create(
      { model: SPEECH_MODEL, file: await recording(file) },
      { signal: stop.signal },
    )
    asked.catch(() => undefined)
    await until(async () => (await health()).busy > 0, 'the engine works', 20_000)
    stop.abort()
    await expect(asked).rejects.toThrow('aborted')
    // All 15 minutes of it would take minutes.
    await until(async () => (await health()).busy === 0, 'the engine is idle', 30_000)
  })
  expect(tokens).toBe(0n)
})

test('the measure of the tests above counts a changed, a lost and an invented word', () => {
  expect(wrongWords(WORDS.join(' '))).toBe(0)
  expect(wrongWords(WORDS.join(' ').replace('americans', 'america'))).toBe(1)
  expect(wrongWords(WORDS.slice(1).join(' '))).toBe(1)
  expect(wrongWords(`${WORDS.join(' ')} today`)).toBe(1)
  expect(wrongWords('ich bin ein berliner')).toBe(WORDS.length)
})

const SECOND = new Uint8Array(2 * RATE)
const REFUSED: Readonly<Record<string, readonly [file: () => Uint8Array, says: RegExp]>> = {
  'an MP3 file': [() => Buffer.from(`ID3${'x'.repeat(500)}`), /^file: is an MP3 file.*ffmpeg -i INPUT/],
  'no sound at all': [() => Buffer.from('hello'.repeat(100)), /^file: is no sound file.*ffmpeg -i INPUT/],
  'a WAV file that was cut off': [
    () => RECORDING.subarray(0, 50_000),
    /cut off: 176000 bytes of sound are announced and 49956 are there/,
  ],
  'a WAV file without a sound in it': [() => writeWav({ rate: RATE, data: new Uint8Array() }), /holds no sound/],
  'a WAV file in an encoding of telephones': [
    () => writeWav({ rate: RATE, kind: 7, bits: 8, data: SECOND }),
    /encoding that this engine does not read.*ffmpeg/,
  ],
  'more than half an hour': [
    () => writeWav({ rate: RATE, bits: 8, data: new Uint8Array(1_801 * RATE) }),
    /lasts 1801 seconds; at most 1800 are read. Cut it/,
  ],
}

test.each(Object.keys(REFUSED))('%s is refused with the mend and costs nothing', async (name) => {
  const [file, says] = REFUSED[name] as (typeof REFUSED)[string]
  const tokens = await chargeOf(network, async () => {
    const asked = openai.audio.transcriptions.create({ model: SPEECH_MODEL, file: await recording(file()) })
    const error = await asked.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof APIError)) throw new Error('it was not refused', { cause: error })
    expect(error).toMatchObject({ status: 400, param: 'file', type: 'invalid_request_error' })
    expect((error.error as { message: string }).message).toMatch(says)
  })
  expect(tokens).toBe(0n)
})

test.each([
  [{ temperature: 0.5 }, 'temperature'],
  [{ language: 'xx' }, 'language'],
  [{ response_format: 'diarized_json' as const }, 'response_format'],
  [{ timestamp_granularities: ['word' as const], response_format: 'verbose_json' as const }, 'timestamp_granularities'],
])('%o is refused by the name of its field, not ignored', async (field, name) => {
  const asked = openai.audio.transcriptions.create({ model: SPEECH_MODEL, file: await recording(), ...field })
  await expect(asked).rejects.toMatchObject({ status: 400, param: expect.stringContaining(name) })
})

test('a chat with a speech model is refused before it reaches the engine', async () => {
  const asked = openai.chat.completions.create({ model: SPEECH_MODEL, messages: [{ role: 'user', content: 'Hi' }] })
  await expect(asked).rejects.toMatchObject({
    status: 400,
    message: expect.stringMatching(/no worker of this model can do chat/),
  })
})
