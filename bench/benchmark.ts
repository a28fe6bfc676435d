/** What a benchmark is and what it finds out. */

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What the product promises; absent for figures that only explain others. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number }
}

export interface BenchmarkContext {
  /** How long each measured part runs. */
  readonly seconds: number
  readonly seed: number
  /** Node's profiler writes one file for each role into this folder. */
  readonly profileInto: string | undefined
}

export interface Benchmark {
  /** For `--only`. */
  readonly name: string
  readonly what: string
  /** Throws when a result is wrong: what is fast and wrong has no figures. */
  run(context: BenchmarkContext): Promise<readonly Figure[]>
}

export function meetsGoal({ value, goal }: Figure): boolean {
  if (goal === undefined) return true
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}

/** The value below which this share of the sample lies. */
export function quantile(sample: readonly number[], share: number): number {
  if (sample.length === 0) throw new RangeError('an empty sample has no quantiles')
  const sorted = sample.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number
}

export const median = (sample: readonly number[]): number => quantile(sample, 0.5)
