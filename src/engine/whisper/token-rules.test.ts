import { expect, test } from 'vitest'
import { chooseToken, likeliest, probabilityOf, type TokenRules } from './token-rules.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Five texts (0 to 4), the end (5), something special (6), no times (7), and the times of one window from 8 on. */
const [END, NO_TIMES, TIME] = [5, 7, 8]
const SIZE = TIME + 1501
const vocabulary = { end: END, noTimes: NO_TIMES, firstTime: TIME, size: SIZE } as unknown as Vocabulary
const rules: TokenRules = { vocabulary, suppressed: [4, 6], suppressedFirst: [END] }

const logits = (high: Readonly<Record<number, number>>): Float32Array => {
  const all = new Float32Array(SIZE).fill(-20)
  for (const [token, value] of Object.entries(high)) all[Number(token)] = value
  return all
}
const choose = (high: Readonly<Record<number, number>>, written: readonly number[]): number =>
  chooseToken(rules, logits(high), written).token

test('the first token is a time within the first second, whatever is likelier', () => {
  expect(choose({ 0: 9, [END]: 9, [TIME + 51]: 8, [TIME + 50]: 1 }, [])).toBe(TIME + 50)
})

test('suppressed tokens and "no times" are never taken', () => {
  expect(choose({ 4: 9, 6: 9, [NO_TIMES]: 9, 1: 1 }, [TIME, 0])).toBe(1)
})

test('behind the opening time comes text, and behind text anything but another beginning', () => {
  expect(choose({ [TIME + 10]: 9, 2: 1 }, [TIME])).toBe(2)
  expect(choose({ [TIME + 10]: 9, 2: 1 }, [TIME, 1])).toBe(TIME + 10)
})

test('a time that closes is followed by the next one or by the end, not by text', () => {
  expect(choose({ 0: 9, [TIME + 10]: 1 }, [TIME, 1, TIME + 10])).toBe(TIME + 10)
  expect(choose({ 0: 9, [END]: 2, [TIME + 10]: 1 }, [TIME, 1, TIME + 10])).toBe(END)
})

test('times never go back, and a segment ends later than it begins', () => {
  expect(choose({ [TIME + 9]: 9, [TIME + 10]: 8, [TIME + 11]: 7 }, [TIME, 1, TIME + 10, TIME + 10, 1])).toBe(TIME + 11)
})

test('many times that are unlikely each win together against one text', () => {
  const spread = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [TIME + 20 + i, 0]))
  expect(choose({ ...spread, 1: 4 }, [TIME, 1])).toBe(TIME + 20)
  expect(choose({ ...spread, 1: 5 }, [TIME, 1])).toBe(1)
})

test('the probability is among the tokens that were allowed', () => {
  const { token, logProbability } = chooseToken(rules, logits({ 1: 3, 2: 3, 4: 50 }), [TIME, 0])
  expect(token).toBe(1)
  expect(Math.exp(logProbability)).toBeCloseTo(0.5, 6)
})

test('the probability of one token is taken before any rule, and the likeliest is among those asked about', () => {
  const all = logits({ 1: 3, 6: 3 })
  expect(probabilityOf(all, 6)).toBeCloseTo(0.5, 6)
  expect(likeliest(all, [0, 6, 2])).toBe(6)
  expect(likeliest(all, [])).toBeUndefined()
})
