import { expect, test } from 'vitest'
import { clientSpan, fromHex, manualClock, type Metrics, noMetrics, silentLog, toHex } from '../util/index.ts'
import { createOtlpTrace } from './otlp.ts'

const ID = Uint8Array.from({ length: 32 }, (_, i) => i + 1)

interface SentSpan {
  readonly traceId: string
  readonly spanId: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { key: string; value: unknown }[]
  readonly events: readonly { name: string }[]
  readonly status: { readonly code: number }
}

function collector(ratio = 1) {
  const batches: SentSpan[][] = []
  const counts: Record<string, number> = {}
  const answers: (number | Error)[] = []
  const held = { until: Promise.resolve() }
  const clock = manualClock()
  const metrics: Metrics = {
    ...noMetrics,
    counter: () => ({
      add: (n = 1, labels = {}) => void (counts[labels['result'] ?? ''] = (counts[labels['result'] ?? ''] ?? 0) + n),
    }),
  }
  const trace = createOtlpTrace(
    {
      clock,
      log: silentLog,
      metrics,
      async post(_url, body) {
        await held.until
        const answer = answers.shift() ?? 200
        if (answer instanceof Error) throw answer
        if (answer < 300) batches.push(JSON.parse(body).resourceSpans[0].scopeSpans[0].spans)
        return answer
      },
    },
    { url: 'http://127.0.0.1:4318/v1/traces', ratio, role: 'client' },
  )
  return { trace, clock, batches, counts, answers, held }
}

test('a span has the ids of its request, its times in nanoseconds and its attributes by type', async () => {
  const { trace, clock, batches } = collector()
  const span = trace.begin('inference', 'client', clientSpan(ID))
  clock.advance(1500)
  span?.event('first answer')
  clock.advance(500)
  span?.end(true, { model: 'm', tokens: 12n, seconds: 0.5, good: true })
  span?.end(false, {})
  await trace.close()
  const [[sent]] = batches as [[SentSpan]]
  expect(sent).toMatchObject({
    traceId: toHex(ID.subarray(0, 16)),
    spanId: toHex(ID.subarray(16, 24)),
    name: 'inference',
    status: { code: 1 },
    events: [{ name: 'first answer' }],
    attributes: [
      { key: 'model', value: { stringValue: 'm' } },
      { key: 'tokens', value: { intValue: '12' } },
      { key: 'seconds', value: { doubleValue: 0.5 } },
      { key: 'good', value: { boolValue: true } },
    ],
  })
  expect(BigInt(sent.endTimeUnixNano) - BigInt(sent.startTimeUnixNano)).toBe(2_000_000_000n)
  expect(batches).toHaveLength(1)
})

test('a ratio traces the requests whose ids fall below it, and no others', () => {
  const { trace } = collector(0.25)
  const at = (first: string): boolean => trace.begin('x', 'client', clientSpan(fromHex(first.padEnd(64, '0')))) !== null
  expect([at('00000000'), at('3fffffff'), at('40000000'), at('ffffffff')]).toEqual([true, true, false, false])
})

test('spans leave together after a moment, and what a collector refuses is counted and not kept', async () => {
  const { trace, clock, batches, counts, answers } = collector()
  const one = (): void => trace.begin('x', 'client', clientSpan(ID))?.end(true, {})
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  answers.push(503, new Error('away'))
  for (let i = 0; i < 2; i++) {
    one()
    one()
    clock.advance(2_000)
    await settled()
  }
  expect(batches).toEqual([])
  expect(counts).toEqual({ refused: 4 })
  one()
  clock.advance(2_000)
  await settled()
  expect(batches).toHaveLength(1)
  expect(counts).toEqual({ refused: 4, sent: 1 })
})

test('while a collector is slow the queue is bounded, and what does not fit is counted', async () => {
  const { trace, counts, held } = collector()
  let answer = (): void => undefined
  held.until = new Promise((resolve) => (answer = resolve))
  for (let i = 0; i < 5_000; i++) trace.begin('x', 'client', clientSpan(ID))?.end(true, {})
  // 64 are on their way.
  expect(counts).toEqual({ dropped: 5_000 - 4_096 - 64 })
  answer()
  await trace.close()
  expect(counts['sent']).toBe(4_096 + 64)
})

test('a full batch does not wait for the moment to pass; what is over does', async () => {
  const { trace, batches, clock } = collector()
  for (let i = 0; i < 65; i++) trace.begin('x', 'client', clientSpan(ID))?.end(true, {})
  await new Promise((resolve) => setImmediate(resolve))
  expect(batches.map((b) => b.length)).toEqual([64])
  clock.advance(2_000)
  await new Promise((resolve) => setImmediate(resolve))
  expect(batches.map((b) => b.length)).toEqual([64, 1])
})
