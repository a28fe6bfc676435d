/** From the tokens of one window to stretches of text with their times, and to where the next window begins. Pure. */
import { WINDOW_SECONDS } from './spectrogram.ts'
import { TIME_STEP, type Vocabulary } from './vocabulary.ts'

export interface Segment {
  /** Seconds from the beginning of the sound. */
  readonly start: number
  readonly end: number
  readonly text: string
  /** Its times included. */
  readonly tokens: readonly number[]
}

export interface WindowReading {
  readonly segments: readonly Segment[]
  /** Seconds by which the next window begins later. */
  readonly advance: number
}

/** A window that ends in the middle of a sentence is read again from there, but never for less than this: it has to end. */
const MIN_ADVANCE_SECONDS = 2

export interface WrittenWindow {
  /** As written, without the end. */
  readonly tokens: readonly number[]
  /** Seconds at which the window begins. */
  readonly offset: number
  /** Seconds of sound in it. */
  readonly length: number
  /** The writer was stopped: no other window follows. */
  readonly isCut: boolean
}

export function readWindow(
  vocabulary: Pick<Vocabulary, 'firstTime' | 'text'>,
  { tokens, offset, length, isCut }: WrittenWindow,
): WindowReading {
  const { firstTime } = vocabulary
  const isTime = (token: number | undefined): boolean => token !== undefined && token >= firstTime
  const secondsOf = (token: number | undefined): number => ((token ?? firstTime) - firstTime) * TIME_STEP
  const segmentOf = (part: readonly number[]): Segment => ({
    start: round(offset + Math.min(isTime(part[0]) ? secondsOf(part[0]) : 0, length)),
    end: round(offset + Math.min(part.length > 1 && isTime(part.at(-1)) ? secondsOf(part.at(-1)) : length, length)),
    text: vocabulary.text(part),
    tokens: part,
  })
  // Between two times one segment ends and another begins.
  const cuts = tokens.flatMap((token, i) => (i > 0 && isTime(token) && isTime(tokens[i - 1]) ? [i] : []))
  const parts = [0, ...cuts].map((from, i) => tokens.slice(from, cuts[i] ?? tokens.length))
  const lastCut = cuts.at(-1)
  const isOpen = !isTime(tokens.at(-1)) || isTime(tokens.at(-2))
  // The window was full of words: what stands open at its end is heard better in the next one.
  const goesBack = lastCut !== undefined && isOpen && !isCut && length >= WINDOW_SECONDS
  return {
    segments: (goesBack ? parts.slice(0, -1) : parts).map(segmentOf).filter(({ text }) => text.trim() !== ''),
    advance: goesBack ? Math.max(MIN_ADVANCE_SECONDS, secondsOf(tokens[lastCut - 1])) : length,
  }
}

/** Times are in steps of 20 ms; sums of them have longer tails. */
const round = (seconds: number): number => Math.round(seconds * 100) / 100
