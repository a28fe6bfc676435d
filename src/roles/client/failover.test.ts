import { expect, test } from 'vitest'
import { CocoonError, type ErrorCode, manualClock, noMetrics, silentLog } from '../../util/index.ts'
import { createFailover, type ReadyProxy } from './failover.ts'
import type { FinalInfo, InferenceRequest, InferenceSink } from './inference.ts'

const REQUEST: InferenceRequest = {
  path: '/v1/chat/completions',
  headers: [],
  body: new Uint8Array(),
  model: 'm',
  maxTokens: 10,
  maxCoefficient: 1000,
  timeoutMs: 60_000,
  debug: false,
  traceId: 't',
}
const ONES = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }
const ATTEMPT = { proxy: '', worker: 'w', sentMs: 1, firstByteMs: null, endedMs: 2, ended: 'x' }
const HEAD = { status: 200, headers: [], maxCostNano: 0n, proxy: '', evidence: 'simulated' } as const
const info = (total: bigint): FinalInfo => ({
  tokens: { prompt: 0n, cached: 0n, completion: total, reasoning: 0n, total },
  costNano: total,
  proxyStart: 0,
  proxyEnd: 0,
  workerStart: 0,
  workerEnd: 0,
})

function client(names: readonly string[], options: { hedgeAfterMs?: number; reconnectWaitMs?: number } = {}) {
  const clock = manualClock()
  const asked: { proxy: string; request: InferenceRequest; sink: InferenceSink; cancelled: boolean }[] = []
  let ids = 0
  const proxy = (name: string): ReadyProxy => ({
    connectionId: ++ids,
    address: name,
    running: 0,
    run(request, sink) {
      const entry = { proxy: name, request, sink, cancelled: false }
      asked.push(entry)
      return {
        cancel: () => (entry.cancelled = true),
        charge: () => Promise.resolve(entry.cancelled ? 'nothing' : 'unknown'),
        story: () => ({ queuedMs: 5, attempts: [{ ...ATTEMPT, proxy: name }] }),
      }
    },
  })
  const ready = names.map(proxy)
  let lostAtMs: number | null = null
  const failover = createFailover(
    {
      clock,
      log: silentLog,
      metrics: noMetrics,
      ready: () => ready,
      lostAtMs: () => lostAtMs,
      quote: () => ({ maxCostNano: 100n, pricePerTokenNano: 1n, multipliers: ONES }),
      nobody: () => new CocoonError('capacity.no-proxy'),
      stopping: () => false,
    },
    { hedgeAfterMs: 0, reconnectWaitMs: 5_000, ...options },
  )
  const heard: string[] = []
  const heads: (number | undefined)[] = []
  const sink: InferenceSink = {
    head({ attempts }) {
      heard.push('head')
      heads.push(attempts)
    },
    part: (bytes) => heard.push(`part ${bytes.length}`),
    end: () => heard.push('end'),
    fail: (error) => heard.push(error.code),
  }
  return {
    clock,
    asked,
    heard,
    heads,
    connect: (name: string) => ready.push(proxy(name)),
    disconnect(name: string) {
      ready.splice(0, ready.length, ...ready.filter((p) => p.address !== name))
      lostAtMs = clock.now()
    },
    start: (request = REQUEST) => failover.run(request, sink),
    fail(at: number, code: ErrorCode, charged?: FinalInfo) {
      asked[at]?.sink.fail(new CocoonError(code), charged)
    },
    refuse: (at: number, why: CocoonError) => asked[at]?.sink.fail(why),
    order: () => asked.map((a) => a.proxy),
  }
}

test.each([
  'protocol.proxy-lost',
  'capacity.busy',
  'capacity.no-workers',
  'payment.balance',
  'request.unknown-model',
] as const)('before any answer %s moves the request to another proxy, with the rest of its time', (code) => {
  const c = client(['a', 'b'])
  c.start()
  c.clock.advance(10_000)
  c.fail(0, code)
  expect(c.order()).toEqual(['a', 'b'])
  expect(c.asked.map((a) => a.request.timeoutMs)).toEqual([60_000, 50_000])
  c.asked[1]?.sink.head(HEAD)
  c.asked[1]?.sink.end(info(4n))
  expect(c.heard).toEqual(['head', 'end'])
})

test.each(['request.refused', 'capacity.timeout', 'request.too-large'] as const)('%s is final', (code) => {
  const c = client(['a', 'b'])
  c.start()
  c.fail(0, code)
  expect(c.order()).toEqual(['a'])
  expect(c.heard).toEqual([code])
})

test('after the first answer a lost proxy is the end', () => {
  const c = client(['a', 'b'])
  c.start()
  c.asked[0]?.sink.head(HEAD)
  c.fail(0, 'protocol.proxy-lost')
  expect(c.order()).toEqual(['a'])
  expect(c.heard).toEqual(['head', 'protocol.proxy-lost'])
})

test('what was charged is not tried again elsewhere', () => {
  const c = client(['a', 'b'])
  c.start()
  c.fail(0, 'engine.failed', info(3n))
  expect(c.order()).toEqual(['a'])
})

test('no proxy is asked twice, and of all refusals the one worth another try is told', () => {
  const c = client(['a', 'b', 'c'])
  c.start()
  c.fail(0, 'request.unknown-model')
  c.fail(1, 'capacity.busy')
  c.fail(2, 'payment.balance')
  expect(c.order()).toEqual(['a', 'b', 'c'])
  expect(c.heard).toEqual(['capacity.busy'])
})

test('a request that lost the only proxy waits for it to come back, and no longer than allowed', () => {
  const c = client(['a'])
  c.start()
  c.disconnect('a')
  c.fail(0, 'protocol.proxy-lost')
  c.clock.advance(2_000)
  expect(c.heard).toEqual([])
  c.connect('a')
  c.clock.advance(100)
  expect(c.order()).toEqual(['a', 'a'])
  c.disconnect('a')
  c.fail(1, 'protocol.proxy-lost')
  c.clock.advance(5_000)
  expect(c.heard).toEqual(['protocol.proxy-lost'])
})

test('a request that comes shortly after the only proxy was lost waits for it, and for its workers', () => {
  const c = client(['a'])
  c.disconnect('a')
  c.clock.advance(1_000)
  c.start()
  c.clock.advance(1_000)
  c.connect('a')
  c.clock.advance(100)
  expect(c.order()).toEqual(['a'])
  c.fail(0, 'capacity.no-workers')
  c.clock.advance(100)
  expect(c.order()).toEqual(['a', 'a'])
  c.asked[1]?.sink.head(HEAD)
  expect(c.heard).toEqual(['head'])
})

test('a request that comes long after the only proxy was lost is refused at once', async () => {
  const c = client(['a'])
  c.disconnect('a')
  c.clock.advance(5_000)
  c.start()
  await Promise.resolve()
  expect(c.heard).toEqual(['capacity.no-proxy'])
})

test('nobody waits longer for a lost proxy than is allowed, or than it has time', () => {
  for (const [timeoutMs, until] of [
    [60_000, 4_000],
    [2_000, 2_000],
  ] as const) {
    const c = client(['a'])
    c.disconnect('a')
    c.clock.advance(1_000)
    c.start({ ...REQUEST, timeoutMs })
    c.clock.advance(until - 200)
    expect(c.heard).toEqual([])
    c.clock.advance(200)
    expect(c.heard).toEqual(['capacity.no-proxy'])
  }
})

test('a request whose only proxy is going waits for it to come back', () => {
  const c = client(['a'])
  c.start()
  c.fail(0, 'capacity.shutting-down')
  c.disconnect('a')
  c.clock.advance(3_000)
  c.connect('a')
  c.clock.advance(100)
  expect(c.order()).toEqual(['a', 'a'])
})

test('a proxy whose workers have just gone is asked again until they are back', () => {
  const c = client(['a'])
  c.start()
  for (let at = 0; at < 5; at++) {
    c.refuse(at, new CocoonError('capacity.no-workers', { retryAfterMs: 500 }))
    c.clock.advance(100)
  }
  c.asked.at(-1)?.sink.head(HEAD)
  expect(c.heard).toEqual(['head'])
})

test('a proxy whose workers are gone for longer is not asked again', () => {
  const c = client(['a'])
  c.start()
  c.refuse(0, new CocoonError('capacity.no-workers', { retryAfterMs: 5_000 }))
  expect(c.heard).toEqual(['capacity.no-workers'])
})

test.each(['engine.failed', 'protocol.worker-lost'] as const)(
  'after %s at every proxy the same ones are asked once more a moment later, and four times in all',
  (code) => {
    const c = client(['a', 'b'])
    c.start()
    c.fail(0, code)
    c.fail(1, code)
    expect([c.order().join(), c.heard]).toEqual(['a,b', []])
    c.clock.advance(500)
    c.fail(2, code)
    c.fail(3, code)
    c.clock.advance(60_000)
    expect(c.order()).toHaveLength(4)
    expect(c.heard).toEqual([code])
  },
)

test('a proxy that is back before its workers is asked again until they are there', () => {
  const c = client(['a'])
  c.start()
  c.disconnect('a')
  c.fail(0, 'protocol.proxy-lost')
  c.connect('a')
  for (let i = 1; i <= 10; i++) {
    c.clock.advance(200)
    c.fail(i, i % 2 === 0 ? 'capacity.no-workers' : 'request.unknown-model')
  }
  c.clock.advance(200)
  c.asked.at(-1)?.sink.head(HEAD)
  expect(c.heard).toEqual(['head'])
})

test('if its workers do not come in time, that is what the caller is told', () => {
  const c = client(['a'])
  c.start()
  c.disconnect('a')
  c.fail(0, 'protocol.proxy-lost')
  c.connect('a')
  for (let at = 1; at <= 60; at++) {
    c.clock.advance(100)
    c.fail(at, 'capacity.no-workers')
  }
  expect(c.heard).toEqual(['capacity.no-workers'])
})

test('a caller that leaves stops the attempt that runs, and nothing is tried any more', () => {
  const c = client(['a', 'b'])
  const running = c.start()
  running.cancel()
  expect(c.asked[0]?.cancelled).toBe(true)
  c.fail(0, 'protocol.proxy-lost')
  expect(c.order()).toEqual(['a'])
  expect(c.heard).toEqual([])
})

test('a caller that leaves in the middle of an answer stops it', () => {
  const c = client(['a'])
  const running = c.start()
  c.asked[0]?.sink.head(HEAD)
  running.cancel()
  expect(c.asked[0]?.cancelled).toBe(true)
})

test('a hedged request takes the first answer and stops the other', () => {
  const c = client(['a', 'b'], { hedgeAfterMs: 500 })
  c.start()
  c.clock.advance(499)
  expect(c.order()).toEqual(['a'])
  c.clock.advance(1)
  expect(c.order()).toEqual(['a', 'b'])
  c.asked[1]?.sink.head(HEAD)
  expect(c.asked.map((a) => a.cancelled)).toEqual([true, false])
  c.asked[0]?.sink.head(HEAD)
  c.asked[0]?.sink.part(new Uint8Array(3))
  c.asked[1]?.sink.part(new Uint8Array(5))
  c.asked[1]?.sink.end(info(1n))
  expect(c.heard).toEqual(['head', 'part 5', 'end'])
})

test.each([
  ['asks for a second proxy where the node asks for none', 0, 200, ['a', 'b']],
  ['has none asked where the node would', 200, 0, ['a']],
  ['waits longer than the node would', 200, 300, ['a']],
])('a request %s', (_, hedgeAfterMs, own, order) => {
  const c = client(['a', 'b'], { hedgeAfterMs })
  c.start({ ...REQUEST, hedgeAfterMs: own })
  c.clock.advance(250)
  expect(c.order()).toEqual(order)
})

test('of two hedged attempts one may fail while the other goes on', () => {
  const c = client(['a', 'b'], { hedgeAfterMs: 500 })
  c.start()
  c.clock.advance(500)
  c.fail(0, 'protocol.proxy-lost')
  expect(c.heard).toEqual([])
  c.asked[1]?.sink.head(HEAD)
  expect(c.heard).toEqual(['head'])
})

test('a proxy that has failed gets the next request only when the others are far busier', () => {
  const c = client(['a', 'b'])
  c.start()
  c.fail(0, 'protocol.proxy-lost')
  c.asked[1]?.sink.head(HEAD)
  c.start()
  expect(c.order()).toEqual(['a', 'b', 'b'])
})

test('without any proxy the caller is told why', async () => {
  const c = client([])
  c.start()
  expect(c.heard).toEqual([])
  await Promise.resolve()
  expect(c.heard).toEqual(['capacity.no-proxy'])
})

test('what a proxy has waited for a lost worker is part of how long a request waits for one', () => {
  const c = client(['a'])
  c.start()
  // By its story the worker was lost after 2 ms; the proxy said so 4 s later.
  c.clock.advance(4_000)
  c.fail(0, 'protocol.worker-lost')
  c.clock.advance(1_100)
  expect(c.order()).toEqual(['a', 'a'])
  expect(c.heard).toEqual([])
  c.fail(1, 'protocol.worker-lost')
  expect(c.heard).toEqual(['protocol.worker-lost'])
})

test('a lost worker is waited for neither here nor there where nobody wants to wait', () => {
  const c = client(['a'], { reconnectWaitMs: 0 })
  c.start()
  c.fail(0, 'protocol.worker-lost')
  expect(c.heard).toEqual(['protocol.worker-lost'])
})

test('the story of a request has every proxy’s attempts, with times since the request began', () => {
  const c = client(['a', 'b'])
  const running = c.start()
  c.clock.advance(100)
  c.fail(0, 'capacity.busy')
  expect(running.story()).toEqual({
    queuedMs: 10,
    attempts: [
      { ...ATTEMPT, proxy: 'a' },
      { ...ATTEMPT, proxy: 'b', sentMs: 101, endedMs: 102 },
    ],
  })
})

test('the head of an answer counts the attempts at other proxies', () => {
  const c = client(['a', 'b'])
  c.start()
  c.fail(0, 'capacity.busy')
  c.asked[1]?.sink.head({ ...HEAD, attempts: 2 })
  expect(c.heads).toEqual([3])
})
