import { describe, expect, test } from 'vitest'
import { drawProgress, progressLine } from './progress.ts'

describe('progress', () => {
  test('a line tells part, size, speed and the time left', () => {
    const line = progressLine('tiny', { phase: 'downloading', receivedBytes: 50e6, totalBytes: 100e6 }, 2000)
    expect(line).toBe('pulling tiny  ████████████░░░░░░░░░░░░  50 %  50 of 100 MB  25 MB/s  2 s left')
  })

  test('without a total it tells what came', () => {
    expect(progressLine('tiny', { phase: 'downloading', receivedBytes: 5e6 }, 1000)).toBe(
      'pulling tiny  5.0 MB  5.0 MB/s',
    )
  })

  test('a line is never wider than the screen', () => {
    expect(progressLine('tiny', { phase: 'unpacking', receivedBytes: 1, totalBytes: 2 }, 1, 0, 30)).toHaveLength(30)
  })

  test('what was there before the start does not count as speed', () => {
    expect(
      progressLine('tiny', { phase: 'downloading', receivedBytes: 60e6, totalBytes: 100e6 }, 1000, 50e6),
    ).toContain('10 MB/s')
  })

  function run(isTTY: boolean) {
    let nowMs = 0
    const written: string[] = []
    const draw = drawProgress({ isTTY, columns: 80, write: (text) => written.push(text) }, 'tiny', () => nowMs)
    for (let i = 1; i <= 1000; i++) {
      nowMs += 10
      draw.update({ phase: 'downloading', receivedBytes: i * 1000, totalBytes: 1_000_000 })
    }
    draw.done()
    return written
  }

  test('a terminal is redrawn at most ten times a second and ends on a new line', () => {
    const written = run(true)
    expect(written.length).toBeLessThanOrEqual(103)
    expect(written.every((text) => text.startsWith('\r') || text === '\n')).toBe(true)
    expect(written.at(-2)).toContain('100 %')
    expect(written.at(-1)).toBe('\n')
  })

  test('anything else gets a plain line every 10 %', () => {
    const written = run(false)
    expect(written).toHaveLength(11)
    expect(written.join('')).not.toContain('\u001B')
  })
})
