import { expect, test } from 'vitest'
import { deltaEvent, doneEvent, formatTranscript } from './answer-formats.ts'
import type { Transcript, TranscriptSegment } from './transcribe.ts'

const segment = (start: number, end: number, text: string): TranscriptSegment => ({
  start,
  end,
  text,
  tokens: [1, 2],
  averageLogProbability: -0.25,
  noSpeechProbability: 0.125,
})
const TRANSCRIPT: Transcript = {
  seconds: 3_730,
  language: 'de',
  text: 'Eins. Zwei.',
  segments: [segment(0, 1.5, ' Eins.'), segment(3_725.04, 3_729.999, ' Zwei.')],
  finish: 'stop',
  usage: { audioTokens: 50, textTokens: 4, writtenTokens: 6 },
}
const USAGE = {
  type: 'tokens',
  prompt_tokens: 54,
  completion_tokens: 6,
  total_tokens: 60,
  input_tokens: 54,
  output_tokens: 6,
  input_token_details: { audio_tokens: 50, text_tokens: 4 },
}

test('SubRip counts from one and writes milliseconds behind a comma', () => {
  expect(formatTranscript(TRANSCRIPT, 'srt')).toBe(
    '1\n00:00:00,000 --> 00:00:01,500\nEins.\n\n2\n01:02:05,040 --> 01:02:09,999\nZwei.\n\n',
  )
})

test('WebVTT has its head, no numbers, and points', () => {
  expect(formatTranscript(TRANSCRIPT, 'vtt')).toBe(
    'WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nEins.\n\n01:02:05.040 --> 01:02:09.999\nZwei.\n\n',
  )
})

test('text is the text alone, JSON has the usage under both libraries’ names', () => {
  expect(formatTranscript(TRANSCRIPT, 'text')).toBe('Eins. Zwei.\n')
  expect(formatTranscript(TRANSCRIPT, 'json')).toEqual({ text: 'Eins. Zwei.', finish_reason: 'stop', usage: USAGE })
})

test('the long form names the language in English and says of each segment how sure it is', () => {
  expect(formatTranscript(TRANSCRIPT, 'verbose_json')).toMatchObject({
    task: 'transcribe',
    language: 'german',
    duration: 3_730,
    segments: [
      { id: 0, start: 0, end: 1.5, text: ' Eins.', tokens: [1, 2], avg_logprob: -0.25, no_speech_prob: 0.125 },
      { id: 1, compression_ratio: expect.closeTo(0.75, 1) },
    ],
    usage: USAGE,
  })
  expect(formatTranscript({ ...TRANSCRIPT, language: undefined }, 'verbose_json')).toMatchObject({
    language: 'unknown',
  })
})

test('events put together are the text of the last one', () => {
  const deltas = TRANSCRIPT.segments.map((one, i) => deltaEvent(one, i === 0).delta)
  expect(deltas.join('')).toBe(doneEvent(TRANSCRIPT).text)
  expect(doneEvent({ ...TRANSCRIPT, finish: 'length' })).toMatchObject({ finish_reason: 'length', usage: USAGE })
})
