import { describe, expect, test } from 'vitest'
import { resample, type Resampling, sourceRange } from './resample.ts'

const TO = 16_000
const tone = (hertz: number, rate: number, seconds: number): Float32Array =>
  Float32Array.from({ length: rate * seconds }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate))

const whole = (source: Float32Array, fromRate: number): Float32Array =>
  resample({ fromRate, toRate: TO }, source, 0, 0, Math.floor((source.length * TO) / fromRate))

/** Where the kernel sees the ends of the sound, it differs. */
const inner = (samples: Float32Array): Float32Array => samples.subarray(1_000, samples.length - 1_000)
const loudest = (samples: Float32Array): number => samples.reduce((most, x) => Math.max(most, Math.abs(x)), 0)

describe.each([8_000, 11_025, 22_050, 44_100, 48_000, 192_000])('from %i', (rate) => {
  test('a tone keeps its pitch, its place and its level', () => {
    const found = inner(whole(tone(1_000, rate, 0.5), rate))
    const expected = inner(tone(1_000, TO, 0.5))
    expect(loudest(found.map((x, i) => x - (expected[i] as number)))).toBeLessThan(0.01)
  })

  test('a stretch by itself is what it is in the whole', () => {
    const source = tone(700, rate, 0.5)
    const rates = { fromRate: rate, toRate: TO }
    const { from, to } = sourceRange(rates, 3_000, 500)
    const stretch = resample(rates, source.subarray(from, to), from, 3_000, 500)
    expect(stretch).toEqual(whole(source, rate).subarray(3_000, 3_500))
  })
})

test('what is above half of the new rate is gone instead of folded back', () => {
  expect(loudest(inner(whole(tone(10_000, 48_000, 0.5), 48_000)))).toBeLessThan(0.02)
})

test('a constant level stays exactly that, whatever the phase', () => {
  const source = new Float32Array(20_000).fill(0.5)
  for (const x of inner(whole(source, 11_025))) expect(x).toBeCloseTo(0.5, 5)
})

test('the same rate is the same sound, and what lies outside is silent', () => {
  const rates: Resampling = { fromRate: TO, toRate: TO }
  const source = Float32Array.of(1, 2, 3)
  expect(sourceRange(rates, 5, 3)).toEqual({ from: 5, to: 8 })
  expect([...resample(rates, source, 5, 5, 3)]).toEqual([1, 2, 3])
  expect([...resample(rates, source, 5, 4, 5)]).toEqual([0, 1, 2, 3, 0])
})
