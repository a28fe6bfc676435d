import { expect, test } from 'vitest'
import { createPrometheusMetrics } from './prometheus.ts'

test('counters, gauges and histograms appear under the prefix, a gauge with its value at that moment', async () => {
  const metrics = createPrometheusMetrics({ prefix: 'cocoon_' })
  const counter = metrics.counter('requests_total', 'Requests.', ['code'])
  counter.add(2, { code: '200' })
  counter.add(undefined, { code: '200' })
  let running = 1
  metrics.gauge('running', 'Running.', () => running)
  metrics.histogram('seconds', 'Time.', [1, 2]).observe(1.5)
  running = 7
  const text = await metrics.text()
  expect(text).toContain('cocoon_requests_total{code="200"} 3')
  expect(text).toContain('cocoon_running 7')
  expect(text).toContain('cocoon_seconds_bucket{le="2"} 1')
})

test('asking twice for a name counts into the same metric', async () => {
  const metrics = createPrometheusMetrics({ prefix: '' })
  metrics.counter('a_total', 'A.').add()
  metrics.counter('a_total', 'A.').add()
  metrics.histogram('b', 'B.', [1]).observe(1)
  metrics.histogram('b', 'B.', [1]).observe(1)
  metrics.gauge('c', 'C.', () => 1)
  metrics.gauge('c', 'C.', () => 2)
  const text = await metrics.text()
  expect(text).toMatch(/^a_total 2$/m)
  expect(text).toMatch(/^b_count 2$/m)
  expect(text).toMatch(/^c 2$/m)
})

test('two registries do not share counters', async () => {
  const [one, other] = [createPrometheusMetrics({ prefix: 'p_' }), createPrometheusMetrics({ prefix: 'p_' })]
  one.counter('a_total', 'A.').add()
  other.counter('a_total', 'A.')
  expect(await one.text()).toMatch(/^p_a_total 1$/m)
  expect(await other.text()).toMatch(/^p_a_total 0$/m)
})
