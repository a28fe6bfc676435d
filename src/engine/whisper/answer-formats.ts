/** A transcript in the shapes that OpenAI's API gives it, and the events of a streamed one. */
import { compressionRatio } from './compression-ratio.ts'
import type { TranscriptFormat } from './contract.ts'
import type { Transcript, TranscriptSegment, TranscriptUsage } from './transcribe.ts'

/** Counts under both names: `prompt_tokens` is what the network charges by, `input_tokens` what OpenAI's libraries read. */
export function usageOf({ audioTokens, textTokens, writtenTokens }: TranscriptUsage) {
  const prompt = audioTokens + textTokens
  return {
    type: 'tokens',
    prompt_tokens: prompt,
    completion_tokens: writtenTokens,
    total_tokens: prompt + writtenTokens,
    input_tokens: prompt,
    output_tokens: writtenTokens,
    input_token_details: { audio_tokens: audioTokens, text_tokens: textTokens },
  }
}

/** The body, and its type where it is no JSON. */
export function formatTranscript(transcript: Transcript, format: TranscriptFormat): object | string {
  switch (format) {
    case 'json':
      return { text: transcript.text, finish_reason: transcript.finish, usage: usageOf(transcript.usage) }
    case 'verbose_json':
      return {
        task: 'transcribe',
        language: languageName(transcript.language),
        duration: transcript.seconds,
        text: transcript.text,
        segments: transcript.segments.map(verboseSegment),
        finish_reason: transcript.finish,
        usage: usageOf(transcript.usage),
      }
    case 'text':
      return `${transcript.text}\n`
    case 'srt':
      return transcript.segments
        .map((segment, i) => `${i + 1}\n${times(segment, ',')}\n${segment.text.trim()}\n\n`)
        .join('')
    case 'vtt':
      return `WEBVTT\n\n${transcript.segments.map((s) => `${times(s, '.')}\n${s.text.trim()}\n\n`).join('')}`
  }
}

export const CONTENT_TYPES: Readonly<Record<TranscriptFormat, string>> = {
  json: 'application/json; charset=utf-8',
  verbose_json: 'application/json; charset=utf-8',
  text: 'text/plain; charset=utf-8',
  srt: 'application/x-subrip; charset=utf-8',
  vtt: 'text/vtt; charset=utf-8',
}

export const deltaEvent = ({ text }: TranscriptSegment, isFirst: boolean) => ({
  type: 'transcript.text.delta',
  delta: isFirst ? text.trimStart() : text,
})

export const doneEvent = (transcript: Transcript) => ({
  type: 'transcript.text.done',
  text: transcript.text,
  finish_reason: transcript.finish,
  usage: usageOf(transcript.usage),
})

const verboseSegment = (segment: TranscriptSegment, id: number) => ({
  id,
  seek: 0,
  start: segment.start,
  end: segment.end,
  text: segment.text,
  tokens: segment.tokens,
  temperature: 0,
  avg_logprob: segment.averageLogProbability,
  compression_ratio: compressionRatio(segment.text),
  no_speech_prob: segment.noSpeechProbability,
})

/** OpenAI's answers have English names, in lower case. */
function languageName(code: string | undefined): string {
  return code === undefined
    ? 'unknown'
    : (new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' }).of(code) ?? code).toLowerCase()
}

const times = ({ start, end }: TranscriptSegment, point: string): string =>
  `${time(start, point)} --> ${time(end, point)}`

function time(seconds: number, point: string): string {
  const ms = Math.round(seconds * 1000)
  const two = (n: number): string => String(Math.floor(n)).padStart(2, '0')
  const [hours, minutes, rest] = [two(ms / 3_600_000), two((ms / 60_000) % 60), two((ms / 1000) % 60)]
  return `${hours}:${minutes}:${rest}${point}${String(ms % 1000).padStart(3, '0')}`
}
