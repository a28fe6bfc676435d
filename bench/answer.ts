/** The answer that the scripted engine gives, and what a right one looks like to whoever reads it. */
import { seededRandom } from '../src/util/index.ts'

export const MODEL = 'bench-model'
export const EVENTS = 50
export const EVENT_BYTES = 128
/** The field of a request that says how to answer; engines and nodes pass unknown fields on. */
export const MANNER = 'bench_manner'
/**
 * Each event by itself, as an engine makes them; all events in one go; few, a millisecond apart, each with the time of its sending;
 * or all in one go after a while.
 */
export type Manner = 'single' | 'burst' | 'stamped' | 'slow'
export const SLOW_MS = 200
export const STAMPED_EVENTS = 10

const BEFORE = 'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"'
const AFTER = '"}}]}\n\n'

export const USAGE = { prompt_tokens: 20, completion_tokens: EVENTS, total_tokens: 20 + EVENTS }
export const LAST_EVENTS = [
  `data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":${JSON.stringify(USAGE)}}\n\n`,
  'data: [DONE]\n\n',
]

/** One event of exactly `EVENT_BYTES` around this text, filled up with dots. */
export const eventAround = (text: string): string =>
  BEFORE + text.padEnd(EVENT_BYTES - BEFORE.length - AFTER.length, '.') + AFTER

/** Seeded, so that every run sends the same bytes. */
export function burstEvents(seed: number): readonly string[] {
  const random = seededRandom(seed)
  const letter = (): string => String.fromCharCode(97 + Math.floor(random.fraction() * 26))
  return Array.from({ length: EVENTS }, () => eventAround(Array.from({ length: 20 }, letter).join('')))
}

/** The time of sending, as it stands in a stamped event. One clock for all processes of a machine, in nanoseconds. */
export const stamp = (): string => `@${process.hrtime.bigint()}@`

export function stampIn(text: string): bigint | undefined {
  const found = /@(\d+)@/.exec(text)
  return found === null ? undefined : BigInt(found[1] as string)
}

export const wholeAnswer = (seed: number): string =>
  JSON.stringify({
    id: 'c',
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: burstEvents(seed)[0]?.slice(-40, -10) } }],
    usage: USAGE,
  })

export function requestBody(options: { readonly stream: boolean; readonly manner?: Manner }): string {
  return JSON.stringify({
    model: MODEL,
    messages: [{ role: 'user', content: 'Name fifty rivers.' }],
    max_tokens: 100,
    ...(options.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    [MANNER]: options.manner ?? 'burst',
  })
}
