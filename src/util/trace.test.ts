import { expect, test } from 'vitest'
import { clientSpan, proxySpan, toHex, traceOf, traceparentOf, workerSpan } from './index.ts'

const of = (from: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => from + i)

test('the spans of the three roles hang together by the ids that travel anyway', () => {
  const [asked, passed] = [of(1), of(101)]
  const client = clientSpan(asked)
  const proxy = proxySpan(asked, passed)
  const worker = workerSpan(passed, traceOf(traceparentOf(client)))
  expect(new Set([client, proxy, worker].map(({ trace }) => toHex(trace))).size).toBe(1)
  expect(proxy.parent).toEqual(client.span)
  expect(worker.parent).toEqual(proxy.span)
  expect(new Set([client, proxy, worker].map(({ span }) => toHex(span))).size).toBe(3)
})

test.each(['', '00-0', `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`, `01-${'1'.repeat(32)}-${'1'.repeat(16)}-01`])(
  '%j is no traceparent, and the worker begins a trace of its own',
  (text) => {
    expect(traceOf(text)).toBeNull()
    expect(workerSpan(of(1), null).parent).toBeNull()
  },
)
