import { afterEach, expect, test } from 'vitest'
import { type ApiUnderTest, apiUnderTest } from './api-under-test.ts'
import { pricesPerMillion } from './prices.ts'

let api: ApiUnderTest | undefined
afterEach(() => api?.close())

const QUOTE = {
  maxCostNano: 0n,
  pricePerTokenNano: 20n,
  multipliers: { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 },
}

test('a million tokens cost the network’s price times the multiplier of their class and the worker’s coefficient', () => {
  expect(Object.fromEntries(pricesPerMillion(QUOTE, 1_500))).toEqual({
    prompt: 30_000_000n,
    cached: 3_000_000n,
    completion: 240_000_000n,
    reasoning: 240_000_000n,
  })
})

test('the price list has the cheapest and the dearest worker of each model', async () => {
  api = apiUnderTest()
  const worker = (coefficient: number) => ({ coefficient, runningRequests: 0, maxRunningRequests: 1, proxies: ['p:1'] })
  api.inference.offers = [
    { id: 'a', workers: [worker(1500), worker(500), worker(1000)] },
    { id: 'b', workers: [] },
  ]
  expect((await api.app.inject('/v1/prices')).json()).toMatchObject({
    data: [
      {
        id: 'a',
        cheapest: { coefficient: 500, prompt_per_million_nano: '1000000', reasoning_per_million_ton: '0.001' },
        dearest: { coefficient: 1500, completion_per_million_nano: '3000000' },
      },
      { id: 'b', cheapest: null, dearest: null },
    ],
  })
})
