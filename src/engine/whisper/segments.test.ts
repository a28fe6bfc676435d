import { expect, test } from 'vitest'
import { readWindow, type WrittenWindow } from './segments.ts'

const TIME = 100
const vocabulary = {
  firstTime: TIME,
  text: (tokens: readonly number[]) =>
    tokens
      .filter((t) => t < TIME)
      .map((t) => String.fromCharCode(t))
      .join(''),
}
const at = (seconds: number): number => TIME + Math.round(seconds / 0.02)
const [A, B, BLANK] = [65, 66, 32]
const read = (tokens: readonly number[], rest: Partial<WrittenWindow> = {}) => {
  const { segments, advance } = readWindow(vocabulary, { tokens, offset: 0, length: 30, isCut: false, ...rest })
  return { segments: segments.map(({ start, end, text }) => [start, end, text]), advance }
}

test('a text between two times is a segment, and the whole window is done', () => {
  expect(read([at(0), A, at(4.5)])).toEqual({ segments: [[0, 4.5, 'A']], advance: 30 })
})

test('times count from where the window begins', () => {
  expect(read([at(1), A, at(2)], { offset: 90 }).segments).toEqual([[91, 92, 'A']])
})

test('a pair of times separates two segments', () => {
  expect(read([at(0), A, at(2), at(2.5), B, at(5)])).toEqual({
    segments: [
      [0, 2, 'A'],
      [2.5, 5, 'B'],
    ],
    advance: 30,
  })
})

test('what is open at the end of a full window is left to the next, which begins there', () => {
  expect(read([at(0), A, at(22), at(22), B])).toEqual({ segments: [[0, 22, 'A']], advance: 22 })
  expect(read([at(0), A, at(22), at(22)])).toEqual({ segments: [[0, 22, 'A']], advance: 22 })
})

test('the last window, and one that was cut, keep what is open', () => {
  const open = [at(0), A, at(3), at(3), B]
  const segments = [
    [0, 3, 'A'],
    [3, 7, 'B'],
  ]
  expect(read(open, { length: 7 })).toEqual({ segments, advance: 7 })
  expect(read(open, { isCut: true }).segments).toEqual([
    [0, 3, 'A'],
    [3, 30, 'B'],
  ])
})

test('a window never advances by less than two seconds, so that there is an end', () => {
  expect(read([at(0), A, at(0.1), at(0.1), B]).advance).toBe(2)
})

test('text without a closing time lasts until the sound ends, and no time is later than that', () => {
  expect(read([at(0), A], { length: 7.25 }).segments).toEqual([[0, 7.25, 'A']])
  expect(read([at(0), A, at(29)], { length: 7.25 }).segments).toEqual([[0, 7.25, 'A']])
})

test('silence and blanks are no segments', () => {
  expect(read([])).toEqual({ segments: [], advance: 30 })
  expect(read([at(0), BLANK, at(4)]).segments).toEqual([])
})
