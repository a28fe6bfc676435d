/**
 * Which token may come next in a transcript with times, and which of those is taken: the likeliest. Pure. Source: the rules that
 * Whisper's authors decode with ("Robust Speech Recognition via Large-Scale Weak Supervision", 4.5).
 */
import type { Vocabulary } from './vocabulary.ts'

export interface TokenRules {
  readonly vocabulary: Vocabulary
  /** Never written: signs that stand for sounds, and tokens that only open something. */
  readonly suppressed: readonly number[]
  /** Not written first: an empty answer. */
  readonly suppressedFirst: readonly number[]
}

export interface Choice {
  readonly token: number
  /** Natural logarithm, among those that were allowed. */
  readonly logProbability: number
}

/** The first words are not later than this. */
const MAX_FIRST_SECONDS = 1
const STEPS_A_SECOND = 50

/** @param logits of the next token; those that are not allowed are overwritten. @param written so far, times included */
export function chooseToken(rules: TokenRules, logits: Float32Array, written: readonly number[]): Choice {
  const { end, firstTime, noTimes } = rules.vocabulary
  const forbid = (from: number, to: number): void => {
    logits.fill(-Infinity, from, to)
  }
  for (const token of rules.suppressed) logits[token] = -Infinity
  forbid(noTimes, noTimes + 1)
  if (written.length === 0) {
    for (const token of rules.suppressedFirst) logits[token] = -Infinity
    forbid(0, firstTime)
    forbid(firstTime + MAX_FIRST_SECONDS * STEPS_A_SECOND + 1, logits.length)
  } else {
    const isTime = (token: number | undefined): boolean => token !== undefined && token >= firstTime
    const closes = isTime(written.at(-1))
    const closesTwice = closes && (written.length < 2 || isTime(written.at(-2)))
    // Times come in pairs, end of one segment and start of the next; only the very first and the very last stand alone.
    if (closesTwice) forbid(firstTime, logits.length)
    else if (closes) forbid(0, end)
    const latest = written.findLast(isTime)
    // They never go back, and a segment is not empty.
    if (latest !== undefined) forbid(firstTime, closes && !closesTwice ? latest : latest + 1)
  }
  const total = logSumExp(logits, 0, logits.length)
  // Times share among many what text gives to one: together they must not lose against it.
  if (logSumExp(logits, firstTime, logits.length) > maximum(logits, 0, firstTime)) {
    const token = indexOfMaximum(logits, firstTime, logits.length)
    return { token, logProbability: (logits[token] as number) - logSumExp(logits, firstTime, logits.length) }
  }
  const token = indexOfMaximum(logits, 0, logits.length)
  return { token, logProbability: (logits[token] as number) - total }
}

/** Part of all that one token has, before any rule. */
export const probabilityOf = (logits: Float32Array, token: number): number =>
  Math.exp((logits[token] as number) - logSumExp(logits, 0, logits.length))

export function likeliest(logits: Float32Array, among: Iterable<number>): number | undefined {
  let best: number | undefined
  for (const token of among)
    if (best === undefined || (logits[token] as number) > (logits[best] as number)) best = token
  return best
}

function indexOfMaximum(values: Float32Array, from: number, to: number): number {
  let best = from
  for (let i = from + 1; i < to; i++) if ((values[i] as number) > (values[best] as number)) best = i
  return best
}

const maximum = (values: Float32Array, from: number, to: number): number =>
  values[indexOfMaximum(values, from, to)] as number

function logSumExp(values: Float32Array, from: number, to: number): number {
  const most = maximum(values, from, to)
  if (most === -Infinity) return -Infinity
  let sum = 0
  for (let i = from; i < to; i++) sum += Math.exp((values[i] as number) - most)
  return most + Math.log(sum)
}
