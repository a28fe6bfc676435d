import { expect, test } from 'vitest'
import { manualClock } from '../../util/index.ts'
import type { ToldModel } from './offers.ts'
import { createProxyShares, type ShareSource } from './proxy-shares.ts'

const worker = (coefficient: number, runningRequests: number, maxRunningRequests: number) => ({
  coefficient,
  runningRequests,
  maxRunningRequests,
})
const model = (id: string, ...workers: ReturnType<typeof worker>[]): ToldModel => ({ id, workers })

function proxies() {
  const clock = manualClock()
  const shares = createProxyShares(clock)
  const asked: number[] = []
  let told: readonly ToldModel[] | Error = []
  const source = (connectionId: number, running = 0): ShareSource => ({
    connectionId,
    address: `p:${connectionId}`,
    running,
    models() {
      asked.push(connectionId)
      return told instanceof Error ? Promise.reject(told) : Promise.resolve(told)
    },
  })
  const refresh = async (...sources: ShareSource[]): Promise<void> => {
    shares.refresh(sources)
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }
  return { clock, shares, asked, source, refresh, say: (now: typeof told) => void (told = now) }
}

test('a proxy’s share of a model are the places of its workers within the cap, at the cheapest free one', async () => {
  const { shares, source, refresh, say } = proxies()
  say([model('m', worker(900, 4, 4), worker(1200, 1, 8), worker(3000, 0, 50)), model('old')])
  await refresh(source(1, 2))
  expect(shares.of(1, 'm', 2000)).toEqual({ places: 12, others: 3, coefficient: 1200 })
  expect(shares.of(1, 'm', 4000)).toEqual({ places: 62, others: 3, coefficient: 1200 })
  expect(shares.of(1, 'm', 1000)).toEqual({ places: 4, others: 2, coefficient: 1000 })
  expect(shares.of(1, 'm', 10)).toMatchObject({ places: 0 })
  expect(shares.of(1, 'unknown', 4000)).toMatchObject({ places: 0 })
  expect(shares.of(1, 'old', 4000)).toEqual({ places: 1, others: 0, coefficient: 4000 })
  expect(shares.of(2, 'm', 4000)).toBeUndefined()
})

test('a proxy is asked at most every two seconds, and its word is forgotten after thirty', async () => {
  const { shares, source, refresh, say, asked, clock } = proxies()
  say([model('m', worker(900, 0, 4))])
  for (let i = 0; i < 3; i++) await refresh(source(1))
  expect(asked).toEqual([1])
  clock.advance(2_000)
  say(new Error('away'))
  await refresh(source(1))
  expect(asked).toEqual([1, 1])
  expect(shares.of(1, 'm', 4000)).toMatchObject({ places: 4 })
  clock.advance(28_001)
  expect(shares.of(1, 'm', 4000)).toBeUndefined()
})

test('a connection that is gone is forgotten when another comes', async () => {
  const { shares, source, refresh, say } = proxies()
  say([model('m', worker(900, 0, 4))])
  await refresh(source(1), source(2))
  await refresh(source(2), source(3))
  expect([1, 2, 3].map((id) => shares.of(id, 'm', 4000)?.places)).toEqual([undefined, 4, 4])
})
