import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, manualClock, noMetrics, silentLog } from '../util/index.ts'
import { createFiatRate, type FiatRate, type FiatSource, rateIn } from './fiat-rate.ts'
import { gatewayOptions } from './options.ts'

describe('where the rate stands', () => {
  test.each([
    [{ 'the-open-network': { usd: 3.21 } }, 'the-open-network.usd', '3.210000'],
    [{ data: [{ price: '3.123456789' }] }, 'data.0.price', '3.123456'],
    [2, '', '2.000000'],
    ['2', '', '2'],
  ])('%j at %s is %s', (document, path, rate) => {
    expect(rateIn(document, path)).toBe(rate)
  })

  test.each([
    [{ usd: 1 }, 'eur'],
    [{ usd: null }, 'usd'],
    [{ usd: -1 }, 'usd'],
    [{ usd: '1e3' }, 'usd'],
    [{ usd: 1e12 }, 'usd'],
    [{ usd: [3] }, 'usd'],
    [{ usd: '' }, 'usd'],
    [{}, 'constructor.length'],
    ['3', 'length'],
    [null, 'usd'],
  ])('%j at %s is none', (document, path) => {
    expect(() => rateIn(document, path)).toThrow(expect.objectContaining({ code: 'config.fiat-source' }))
  })
})

describe('a source', () => {
  let server: Server
  let answer: { status?: number; body?: string; headers?: Record<string, string> }
  let rounds: number
  let clock: Clock & { advance(ms: number): void }
  let rate: FiatRate

  beforeEach(async () => {
    ;[answer, rounds] = [{ body: '{"usd":2.5}' }, 0]
    server = createServer((_request, reply) => {
      reply.writeHead(answer.status ?? 200, answer.headers).end(answer.body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const manual = manualClock(1_000_000)
    clock = {
      now: () => manual.now(),
      advance: (ms) => manual.advance(ms),
      after(ms, act) {
        rounds++
        return manual.after(ms, act)
      },
    }
  })
  afterEach(() => {
    rate.close()
    server.close().closeAllConnections()
  })

  async function open(over: Partial<FiatSource> = {}): Promise<void> {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rates`
    const source: FiatSource = {
      ...{ url, path: 'usd', refreshSeconds: 300, maxAgeSeconds: 3600, atLeast: '0.01', atMost: '1000' },
      ...over,
    }
    rate = createFiatRate({ clock, log: silentLog, metrics: noMetrics, fetch }, { currency: 'USD', source })
    await settled(1)
  }
  /** Each round ends with the timer of the next one. */
  const settled = (times: number): Promise<void> => expect.poll(() => rounds, { interval: 5 }).toBe(times)
  async function later(seconds: number): Promise<void> {
    const before = rounds
    clock.advance(seconds * 1000)
    await settled(before + 1)
  }

  test('is asked at once and again, and its newest rate is shown', async () => {
    await open()
    expect(rate.current()).toEqual({ currency: 'USD', perTon: '2.500000' })
    answer = { body: '{"usd":2.75}' }
    await later(300)
    expect(rate.current()?.perTon).toBe('2.750000')
  })

  test('that fails leaves the last rate standing, for its time and no longer', async () => {
    await open()
    answer = { status: 500 }
    for (let i = 0; i < 12; i++) await later(300)
    expect(rate.current()?.perTon).toBe('2.500000')
    clock.advance(1)
    expect(rate.current()).toBeUndefined()
  })

  test.each([
    ['below its bound', { body: '{"usd":0.001}' }],
    ['above its bound', { body: '{"usd":1001}' }],
    ['four times the last', { body: '{"usd":10}' }],
    ['no number', { body: '{"usd":"cheap"}' }],
    ['no JSON', { body: '<html>' }],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
    ['endless', { body: `{"usd":2.6,"x":"${'x'.repeat(5 << 20)}"}` }],
  ])('whose rate is %s is not believed', async (_, told) => {
    await open()
    answer = told
    await later(300)
    expect(rate.current()?.perTon).toBe('2.500000')
  })

  test('is believed about a jump when the rate before it has become too old', async () => {
    await open({ maxAgeSeconds: 500 })
    answer = { body: '{"usd":10}' }
    await later(300)
    expect(rate.current()?.perTon).toBe('2.500000')
    await later(300)
    expect(rate.current()?.perTon).toBe('10.000000')
  })

  test('that never told anything shows nothing', async () => {
    answer = { status: 404 }
    await open()
    expect(rate.current()).toBeUndefined()
  })
})

test('a constant rate holds for ever', () => {
  const deps = { clock: manualClock(), log: silentLog, metrics: noMetrics, fetch }
  const rate = createFiatRate(deps, { currency: 'EUR', perTon: '2.5' })
  expect(rate.current()).toEqual({ currency: 'EUR', perTon: '2.5' })
})

test.each([
  [{ currency: 'USD' }],
  [{ currency: 'USD', perTon: '1', source: { url: 'http://127.0.0.1/' } }],
  [{ currency: 'USD', source: { url: 'file:///etc/passwd' } }],
  [{ currency: 'usd', perTon: '1' }],
])('the options %j are refused', (fiat) => {
  expect(gatewayOptions.safeParse({ fiat }).success).toBe(false)
})
