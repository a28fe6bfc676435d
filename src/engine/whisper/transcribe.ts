/** A whole recording, window by window, as far as it goes. */
import { CocoonError } from '../../util/index.ts'
import type { TranscriptionRequest } from './contract.ts'
import type { Places } from './places.ts'
import { sourceRange } from './resample.ts'
import type { Segment } from './segments.ts'
import { SAMPLE_RATE, WINDOW_SAMPLES } from './spectrogram.ts'
import type { WindowAnswer } from './speech-thread.ts'
import { parseWav, SAMPLE_BYTES, type Sound } from './wav.ts'

export interface Transcript {
  readonly seconds: number
  /** A code: as asked, or as heard in the first window with something to hear; undefined where there was none. */
  readonly language: string | undefined
  readonly text: string
  readonly segments: readonly TranscriptSegment[]
  readonly finish: 'stop' | 'length'
  readonly usage: TranscriptUsage
}

export interface TranscriptSegment extends Segment {
  /** Of the window that it was heard in. */
  readonly averageLogProbability: number
  readonly noSpeechProbability: number
}

export interface TranscriptUsage {
  /** 50 for each second of sound, as many as the encoder makes of it. */
  readonly audioTokens: number
  /** Fed beside the sound: opening tokens and the prompt, for each window. */
  readonly textTokens: number
  readonly writtenTokens: number
}

/** Half an hour: more does not fit into one request of the network either, at any quality that is worth reading. */
export const MAX_SOUND_SECONDS = 1_800
const AUDIO_TOKENS_A_SECOND = 50
/** What is left behind the last window is the tail of a word that has been heard, not another. */
const MIN_REST_SECONDS = 0.5

/** Throws `request.invalid` about the file, or what a place rejects with. */
export async function transcribe(
  places: Pick<Places, 'write'>,
  request: TranscriptionRequest,
  signal: AbortSignal,
  onSegment: (segment: TranscriptSegment) => void = () => {},
): Promise<Transcript> {
  const sound = parseWav(request.file)
  const seconds = sound.frames / sound.rate
  if (seconds > MAX_SOUND_SECONDS)
    throw new CocoonError('request.invalid', {
      message: `file: lasts ${Math.ceil(seconds)} seconds; at most ${MAX_SOUND_SECONDS} are read. Cut it into several.`,
      param: 'file',
      code: 'audio_too_long',
    })
  const total = Math.max(1, Math.floor(seconds * SAMPLE_RATE))
  const segments: TranscriptSegment[] = []
  let { language } = request
  let [at, textTokens, writtenTokens] = [0, 0, 0]
  let finish: Transcript['finish'] = 'stop'
  while (at === 0 || total - at > MIN_REST_SECONDS * SAMPLE_RATE) {
    const window = await places.write(
      { ...windowOf(sound, at, total), language, prompt: request.prompt, maxTokens: request.maxTokens - writtenTokens },
      signal,
    )
    language ??= window.language
    textTokens += window.fedTokens
    writtenTokens += window.writtenTokens
    for (const segment of window.segments) {
      const { averageLogProbability, noSpeechProbability } = window
      segments.push({ ...segment, averageLogProbability, noSpeechProbability })
      onSegment(segments.at(-1) as TranscriptSegment)
    }
    at += samplesIn(window)
    const isOver = at >= total || total - at <= MIN_REST_SECONDS * SAMPLE_RATE
    if (window.isCut || (writtenTokens >= request.maxTokens && !isOver)) {
      finish = 'length'
      break
    }
  }
  return {
    seconds,
    language,
    text: segments
      .map(({ text }) => text)
      .join('')
      .trim(),
    segments,
    finish,
    usage: { audioTokens: Math.ceil(seconds * AUDIO_TOKENS_A_SECOND), textTokens, writtenTokens },
  }
}

const samplesIn = ({ advance }: WindowAnswer): number => Math.round(advance * SAMPLE_RATE)

/** The bytes of the file that one window needs, copied: the thread gets no more. */
function windowOf(sound: Sound, at: number, total: number) {
  const { rate, channels, encoding, frames } = sound
  const samples = Math.min(WINDOW_SAMPLES, total - at)
  const { from, to } = sourceRange({ fromRate: rate, toRate: SAMPLE_RATE }, at, samples)
  const frameBytes = SAMPLE_BYTES[encoding] * channels
  const dataStart = Math.max(0, from)
  return {
    format: { rate, channels, encoding },
    data: Uint8Array.from(sound.data.subarray(dataStart * frameBytes, Math.min(frames, to) * frameBytes)),
    dataStart,
    startSample: at,
    samples,
  }
}
