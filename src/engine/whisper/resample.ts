/**
 * Sound at another rate, by a windowed sinc: what lies above half of the lower rate is filtered out before it can fold back. Any
 * stretch can be computed by itself, so that long files need not lie in memory as floats.
 */

/** Zero crossings of the kernel to either side; more is a steeper filter. */
const CROSSINGS = 16

export interface Resampling {
  readonly fromRate: number
  readonly toRate: number
}

/** Frames of the source that have a part in `count` frames from `start` on, counted at the new rate. May reach beyond the source. */
export function sourceRange(
  { fromRate, toRate }: Resampling,
  start: number,
  count: number,
): { readonly from: number; readonly to: number } {
  const reach = fromRate === toRate ? 0 : reachOf({ fromRate, toRate })
  return {
    from: Math.floor((start * fromRate) / toRate) - reach,
    to: Math.floor(((start + count - 1) * fromRate) / toRate) + reach + 1,
  }
}

/**
 * `count` frames from `start` on, counted at the new rate.
 * @param source a stretch of the original. What it lacks of `sourceRange` counts as silence
 * @param sourceStart which frame of the original comes first in `source`
 */
export function resample(
  rates: Resampling,
  source: Float32Array,
  sourceStart: number,
  start: number,
  count: number,
): Float32Array {
  const { fromRate, toRate } = rates
  const out = new Float32Array(count)
  if (fromRate === toRate) {
    const from = start - sourceStart
    out.set(source.subarray(Math.max(0, from), Math.max(0, from + count)), Math.max(0, -from))
    return out
  }
  const reach = reachOf(rates)
  const kernels = new Map<number, Float32Array>()
  for (let i = 0; i < count; i++) {
    const scaled = (start + i) * fromRate
    const phase = scaled % toRate
    let kernel = kernels.get(phase)
    if (kernel === undefined) {
      kernel = kernelAt(phase / toRate, rates)
      kernels.set(phase, kernel)
    }
    const first = (scaled - phase) / toRate - reach - sourceStart
    const end = Math.min(kernel.length, source.length - first)
    let sum = 0
    for (let k = Math.max(0, -first); k < end; k++) sum += (kernel[k] as number) * (source[first + k] as number)
    out[i] = sum
  }
  return out
}

/** Part of what both rates can hold, as of the source's own. */
const cutoff = ({ fromRate, toRate }: Resampling): number => Math.min(1, toRate / fromRate)

const reachOf = (rates: Resampling): number => Math.ceil(CROSSINGS / cutoff(rates))

/** @param fraction of a frame by which the place lies behind a frame of the source */
function kernelAt(fraction: number, rates: Resampling): Float32Array {
  const reach = reachOf(rates)
  const width = cutoff(rates)
  const weights = Float32Array.from({ length: 2 * reach + 1 }, (_, i) => {
    const distance = (i - reach - fraction) * width
    if (Math.abs(distance) >= CROSSINGS) return 0
    const sinc = distance === 0 ? 1 : Math.sin(Math.PI * distance) / (Math.PI * distance)
    return sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / CROSSINGS))
  })
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((weight) => weight / sum)
}
