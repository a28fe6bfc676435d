/** Counting as an argument. Names carry the unit (`_total`, `_seconds`, `_bytes`); labels are few and bounded. */
export type Labels = Readonly<Record<string, string>>

export interface Counter {
  add(amount?: number, labels?: Labels): void
}

export interface Histogram {
  observe(value: number, labels?: Labels): void
}

export interface Metrics {
  /** Counts up. `name` without the product's prefix, e.g. `requests_total`. */
  counter(name: string, help: string, labelNames?: readonly string[]): Counter
  /** Read at scrape time. */
  gauge(name: string, help: string, read: () => number): void
  histogram(name: string, help: string, buckets: readonly number[], labelNames?: readonly string[]): Histogram
}

export const noMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge() {},
  histogram: () => ({ observe() {} }),
}
