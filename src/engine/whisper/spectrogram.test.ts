import { expect, test } from 'vitest'
import { COLUMNS, createTransform, HOP, logMelSpectrogram, melFilters, SAMPLE_RATE } from './spectrogram.ts'

const BANDS = 80

test('the transform is the one of the definition', () => {
  // Some numbers without any order in them.
  const input = Float64Array.from({ length: 400 }, (_, i) => Math.sin(i * i * 0.7) + ((i * 7919) % 13) / 13)
  const power = new Float64Array(201)
  createTransform()(input, power)
  for (let k = 0; k <= 200; k++) {
    let [re, im] = [0, 0]
    for (const [n, x] of input.entries()) {
      re += x * Math.cos((2 * Math.PI * k * n) / 400)
      im -= x * Math.sin((2 * Math.PI * k * n) / 400)
    }
    expect(power[k], `bin ${k}`).toBeCloseTo(re * re + im * im, 6)
  }
})

test('bands overlap by half, and each has the area of one', () => {
  const filters = melFilters(BANDS)
  const binHertz = SAMPLE_RATE / 400
  // Low bands are narrower than a bin; from some on the sum over bins is the area.
  for (const { weights } of filters.slice(60)) expect(weights.reduce((a, b) => a + b, 0) * binHertz).toBeCloseTo(1, 1)
  for (const [i, { first, weights }] of filters.entries()) {
    expect(weights.length).toBeGreaterThan(0)
    const next = filters[i + 1]
    if (next !== undefined) expect(next.first).toBeLessThanOrEqual(first + weights.length)
  }
})

test('silence is the same everywhere', () => {
  expect(new Set(logMelSpectrogram(new Float32Array(SAMPLE_RATE), BANDS)).size).toBe(1)
  expect(logMelSpectrogram(new Float32Array(0), BANDS)).toHaveLength(BANDS * COLUMNS)
})

test('a tone stands in the band of its pitch, as long as it lasts', () => {
  const tone = Float32Array.from({ length: 2 * SAMPLE_RATE }, (_, i) =>
    Math.sin((2 * Math.PI * 2_000 * i) / SAMPLE_RATE),
  )
  const mel = logMelSpectrogram(tone, BANDS)
  const at = (band: number, column: number): number => mel[band * COLUMNS + column] as number
  const loudestAt = (column: number): number =>
    Array.from({ length: BANDS }, (_, band) => band).reduce((a, b) => (at(b, column) > at(a, column) ? b : a))
  // 2000 Hz is 25.08 mel of 45.25, of which each band takes the 81st part.
  const expected = Math.round((25.08 / 45.25) * (BANDS + 1)) - 1
  for (const column of [20, 100, 180])
    expect(Math.abs(loudestAt(column) - expected), `${column}`).toBeLessThanOrEqual(1)
  const quiet = at(0, COLUMNS - 1)
  expect(at(expected, (2 * SAMPLE_RATE) / HOP - 2)).toBeGreaterThan(quiet + 1)
  expect(at(expected, (2 * SAMPLE_RATE) / HOP + 3)).toBe(quiet)
  // Eight powers of ten are what is between the loudest and the floor.
  expect(mel.reduce((a, b) => Math.max(a, b)) - quiet).toBeCloseTo(2, 6)
})
