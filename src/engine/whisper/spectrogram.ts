/**
 * What Whisper hears: the loudness of mel bands every 10 ms, as logarithms. Source: "Robust Speech Recognition via Large-Scale Weak
 * Supervision" (Radford et al., 2022), 2.2; the mel scale and its areas as in Slaney's "Auditory Toolbox" (1998).
 */

/** Frames a second. */
export const SAMPLE_RATE = 16_000
/** What the model looks at in one go. */
export const WINDOW_SECONDS = 30
export const WINDOW_SAMPLES = WINDOW_SECONDS * SAMPLE_RATE
/** Samples between two columns. */
export const HOP = 160
export const COLUMNS = WINDOW_SAMPLES / HOP

/** 25 ms: 16 times 25, of which the transform makes use. */
const FRAME = 400
const BINS = FRAME / 2 + 1
const FLOOR = 1e-10
/** Below the loudest of the window, in powers of ten. */
const RANGE = 8

/** @param samples at most one window, at 16,000 a second; the rest is silence. @returns `bands` rows of 3000 columns */
export function logMelSpectrogram(samples: Float32Array, bands: number): Float32Array {
  const filters = melFilters(bands)
  const out = new Float32Array(bands * COLUMNS).fill(Math.log10(FLOOR))
  const window = Float64Array.from({ length: FRAME }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FRAME))
  const frame = new Float64Array(FRAME)
  const power = new Float64Array(BINS)
  const transform = createTransform()
  let loudest = Math.log10(FLOOR)
  // Columns that see nothing but silence are what they are already.
  const columns = Math.min(COLUMNS, Math.ceil((samples.length + FRAME / 2) / HOP) + 1)
  for (let column = 0; column < columns; column++) {
    for (let i = 0; i < FRAME; i++) frame[i] = (window[i] as number) * sampleAt(samples, column * HOP + i - FRAME / 2)
    transform(frame, power)
    for (const [band, { first, weights }] of filters.entries()) {
      let sum = 0
      for (let i = 0; i < weights.length; i++) sum += (weights[i] as number) * (power[first + i] as number)
      const level = Math.log10(Math.max(sum, FLOOR))
      if (level > loudest) loudest = level
      out[band * COLUMNS + column] = level
    }
  }
  for (let i = 0; i < out.length; i++) out[i] = (Math.max(out[i] as number, loudest - RANGE) + 4) / 4
  return out
}

/** Mirrored at both ends of the window, silent where the sound has ended before. */
function sampleAt(samples: Float32Array, at: number): number {
  const inside = at < 0 ? -at : at >= WINDOW_SAMPLES ? 2 * WINDOW_SAMPLES - 2 - at : at
  return inside < samples.length ? (samples[inside] as number) : 0
}

interface MelFilter {
  /** Bin of the first weight. */
  readonly first: number
  readonly weights: Float64Array
}

/** Triangles of equal area that overlap by half, equally far apart on the mel scale, over 0 to 8000 Hz. */
export function melFilters(bands: number): readonly MelFilter[] {
  const top = hertzToMel(SAMPLE_RATE / 2)
  const edges = Array.from({ length: bands + 2 }, (_, i) => melToHertz((top * i) / (bands + 1)))
  return Array.from({ length: bands }, (_, band) => {
    const [low, middle, high] = edges.slice(band, band + 3) as [number, number, number]
    const all = Array.from({ length: BINS }, (_unused, bin) => {
      const hertz = (bin * SAMPLE_RATE) / FRAME
      const height = Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle))
      return (Math.max(0, height) * 2) / (high - low)
    })
    const first = Math.max(
      0,
      all.findIndex((weight) => weight > 0),
    )
    return { first, weights: Float64Array.from(all.slice(first, all.findLastIndex((weight) => weight > 0) + 1)) }
  })
}

/** Linear to 1000 Hz, logarithmic above. */
const LINEAR_HERTZ = 200 / 3
const BREAK_HERTZ = 1000
const BREAK_MEL = BREAK_HERTZ / LINEAR_HERTZ
const LOG_STEP = Math.log(6.4) / 27

const hertzToMel = (hertz: number): number =>
  hertz < BREAK_HERTZ ? hertz / LINEAR_HERTZ : BREAK_MEL + Math.log(hertz / BREAK_HERTZ) / LOG_STEP
const melToHertz = (mel: number): number =>
  mel < BREAK_MEL ? mel * LINEAR_HERTZ : BREAK_HERTZ * Math.exp((mel - BREAK_MEL) * LOG_STEP)

/**
 * The Fourier transform of 400 real numbers as powers of its 201 bins: a real transform by a complex one of half the length, which is
 * split in two three times and in the end done by its definition for 25.
 */
export function createTransform(): (input: Float64Array, power: Float64Array) => void {
  const half = FRAME / 2
  const re = new Float64Array(half)
  const im = new Float64Array(half)
  const outRe = new Float64Array(half)
  const outIm = new Float64Array(half)
  const cos = Float64Array.from({ length: FRAME }, (_, i) => Math.cos((2 * Math.PI * i) / FRAME))
  const sin = Float64Array.from({ length: FRAME }, (_, i) => -Math.sin((2 * Math.PI * i) / FRAME))

  /** `size` values, `step` apart from `from` on, to `size` results in a row from `to` on. */
  function complex(from: number, step: number, size: number, to: number): void {
    const turn = FRAME / size
    if (size % 2 === 1) {
      for (let k = 0; k < size; k++) {
        let sumRe = 0
        let sumIm = 0
        for (let n = 0; n < size; n++) {
          const angle = ((k * n) % size) * turn
          const x = re[from + n * step] as number
          const y = im[from + n * step] as number
          const c = cos[angle] as number
          const s = sin[angle] as number
          sumRe += x * c - y * s
          sumIm += x * s + y * c
        }
        outRe[to + k] = sumRe
        outIm[to + k] = sumIm
      }
      return
    }
    const middle = size / 2
    complex(from, 2 * step, middle, to)
    complex(from + step, 2 * step, middle, to + middle)
    for (let k = 0; k < middle; k++) {
      const c = cos[k * turn] as number
      const s = sin[k * turn] as number
      const evenRe = outRe[to + k] as number
      const evenIm = outIm[to + k] as number
      const x = outRe[to + middle + k] as number
      const y = outIm[to + middle + k] as number
      const oddRe = x * c - y * s
      const oddIm = x * s + y * c
      outRe[to + k] = evenRe + oddRe
      outIm[to + k] = evenIm + oddIm
      outRe[to + middle + k] = evenRe - oddRe
      outIm[to + middle + k] = evenIm - oddIm
    }
  }

  return (input, power) => {
    for (let i = 0; i < half; i++) {
      re[i] = input[2 * i] as number
      im[i] = input[2 * i + 1] as number
    }
    complex(0, 1, half, 0)
    for (let k = 0; k < BINS; k++) {
      const a = k % half
      const b = (half - k) % half
      const evenRe = ((outRe[a] as number) + (outRe[b] as number)) / 2
      const evenIm = ((outIm[a] as number) - (outIm[b] as number)) / 2
      const oddRe = ((outIm[a] as number) + (outIm[b] as number)) / 2
      const oddIm = ((outRe[b] as number) - (outRe[a] as number)) / 2
      const c = cos[k] as number
      const s = sin[k] as number
      power[k] = (evenRe + oddRe * c - oddIm * s) ** 2 + (evenIm + oddRe * s + oddIm * c) ** 2
    }
  }
}
