import { expect, test } from 'vitest'
import { writeWav } from '../../../test/support/wav-writer.ts'
import type { TranscriptionRequest } from './contract.ts'
import type { WindowAnswer, WindowJob } from './speech-thread.ts'
import { transcribe } from './transcribe.ts'

const RATE = 8_000
const request = (seconds: number, rest: Partial<TranscriptionRequest> = {}): TranscriptionRequest => ({
  file: writeWav({ rate: RATE, data: new Uint8Array(2 * RATE * seconds) }),
  model: undefined,
  language: undefined,
  prompt: '',
  format: 'json',
  stream: false,
  maxTokens: 1_000,
  ...rest,
})

/** Hears the same in every window, and advances as it is told. */
function places(advance: (job: Omit<WindowJob, 'cancelled'>) => number, rest: Partial<WindowAnswer> = {}) {
  const jobs: Omit<WindowJob, 'cancelled'>[] = []
  return {
    jobs,
    async write(job: Omit<WindowJob, 'cancelled'>, signal: AbortSignal): Promise<WindowAnswer> {
      signal.throwIfAborted()
      jobs.push(job)
      const start = job.startSample / 16_000
      return {
        language: 'de',
        tokens: [],
        writtenTokens: 10,
        fedTokens: 3,
        isCut: false,
        averageLogProbability: -0.2,
        noSpeechProbability: 0.1,
        segments: [{ start, end: start + 1, text: ` at ${start}`, tokens: [] }],
        advance: advance(job),
        ...rest,
      }
    },
  }
}
const all = (job: Omit<WindowJob, 'cancelled'>): number => job.samples / 16_000
const patient = new AbortController().signal

test('windows follow each other by what each advanced, in the language of the first', async () => {
  const engine = places((job) => (job.startSample === 0 ? 22 : all(job)))
  const found = await transcribe(engine, request(70), patient)
  expect(engine.jobs.map(({ startSample, samples }) => [startSample / 16_000, samples / 16_000])).toEqual([
    [0, 30],
    [22, 30],
    [52, 18],
  ])
  expect(engine.jobs.map(({ language }) => language)).toEqual([undefined, 'de', 'de'])
  expect(found).toMatchObject({ text: 'at 0 at 22 at 52', seconds: 70, language: 'de', finish: 'stop' })
  expect(found.usage).toEqual({ audioTokens: 3_500, textTokens: 9, writtenTokens: 30 })
})

test('a thread gets the part of the file that its window needs, and no more', async () => {
  const engine = places(all)
  await transcribe(engine, request(90), patient)
  const [first, second] = engine.jobs
  expect(first?.dataStart).toBe(0)
  expect(second?.dataStart).toBeGreaterThan(30 * RATE - 100)
  expect(second?.data.length).toBeLessThan(2 * (30 * RATE + 200))
  expect(second?.data.buffer.byteLength).toBe(second?.data.length)
})

test('the tail that a window leaves behind is not heard as another', async () => {
  const engine = places((job) => all(job) - 0.4)
  await transcribe(engine, request(10), patient)
  expect(engine.jobs).toHaveLength(1)
})

test('a limit counts over all windows, and what it cut says so', async () => {
  const engine = places(all)
  const found = await transcribe(engine, request(90, { maxTokens: 20 }), patient)
  expect(engine.jobs.map(({ maxTokens }) => maxTokens)).toEqual([20, 10])
  expect(found).toMatchObject({ finish: 'length', usage: { writtenTokens: 20 } })
  expect(await transcribe(places(all), request(60, { maxTokens: 20 }), patient)).toMatchObject({ finish: 'stop' })
  expect(await transcribe(places(all, { isCut: true }), request(90), patient)).toMatchObject({ finish: 'length' })
})

test('after the caller has left no other window begins', async () => {
  const leaving = new AbortController()
  const engine = places((job) => {
    if (job.startSample > 0) leaving.abort(new Error('left'))
    return all(job)
  })
  await expect(transcribe(engine, request(300), leaving.signal)).rejects.toThrow('left')
  expect(engine.jobs).toHaveLength(2)
})
