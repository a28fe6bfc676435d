/** `Metrics` over prom-client, on a registry of its own: two nodes in one process do not share counters. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Counter as OwnCounter, Labels, Metrics } from '../util/index.ts'

export interface PrometheusOptions {
  /** In front of every name, with its underscore: `cocoon_`. */
  readonly prefix: string
  readonly registry?: Registry
  /** Also memory, event loop and garbage collection of this process. */
  readonly processMetrics?: boolean
}

/** Asking twice for one name gives the same metric. */
export function createPrometheusMetrics(options: PrometheusOptions): Metrics & { text(): Promise<string> } {
  const registry = options.registry ?? new Registry()
  const { prefix } = options
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry, prefix })
  const existing = (name: string): unknown => registry.getSingleMetric(prefix + name)
  const counters = new Map<string, OwnCounter>()
  const common = (name: string, help: string) => ({ name: prefix + name, help, registers: [registry] })
  return {
    counter(name, help, labelNames = []) {
      let counter = counters.get(name)
      if (counter === undefined) {
        const { add, publish } = createCells(labelNames)
        new Counter({
          ...common(name, help),
          labelNames: [...labelNames],
          collect() {
            publish((labels, amount) => this.inc(labels, amount))
          },
        })
        counters.set(name, (counter = { add }))
      }
      return counter
    },
    gauge(name, help, read) {
      registry.removeSingleMetric(prefix + name)
      new Gauge({
        ...common(name, help),
        collect() {
          this.set(read())
        },
      })
    },
    histogram(name, help, buckets, labelNames = []) {
      const found = existing(name)
      const histogram =
        found instanceof Histogram
          ? found
          : new Histogram({ ...common(name, help), buckets: [...buckets], labelNames: [...labelNames] })
      return {
        observe: (value, labels) =>
          labels === undefined ? histogram.observe(value) : histogram.observe(labels, value),
      }
    },
    text: () => registry.metrics(),
  }
}

interface Cell {
  readonly labels: Labels
  pending: number
}

/**
 * What was added since the last scrape, by label values. Counting happens for every request and every read of a socket,
 * scraping every few seconds; so the library, which hashes its labels each time, is only told at a scrape.
 */
function createCells(labelNames: readonly string[]): OwnCounter & {
  publish(into: (labels: Labels, amount: number) => void): void
} {
  const cells = new Map<string, Cell>()
  const unlabelled: Cell = { labels: {}, pending: 0 }
  if (labelNames.length === 0) cells.set('', unlabelled)

  function cellOf(labels: Labels): Cell {
    const key = labelNames.length === 1 ? labels[labelNames[0] as string] : labelNames.map((n) => labels[n]).join('\0')
    let cell = cells.get(key ?? '')
    if (cell === undefined) cells.set(key ?? '', (cell = { labels: { ...labels }, pending: 0 }))
    return cell
  }

  return {
    add(amount = 1, labels) {
      const cell = labels === undefined ? unlabelled : cellOf(labels)
      cell.pending += amount
    },
    publish(into) {
      for (const cell of cells.values()) {
        into(cell.labels, cell.pending)
        cell.pending = 0
      }
    },
  }
}
