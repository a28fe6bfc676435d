/** `Metrics` over prom-client, on a registry of its own: two nodes in one process do not share counters. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics } from '../util/index.ts'

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
  const common = (name: string, help: string) => ({ name: prefix + name, help, registers: [registry] })
  return {
    counter(name, help, labelNames = []) {
      const found = existing(name)
      const counter =
        found instanceof Counter ? found : new Counter({ ...common(name, help), labelNames: [...labelNames] })
      return { add: (amount = 1, labels) => (labels === undefined ? counter.inc(amount) : counter.inc(labels, amount)) }
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
