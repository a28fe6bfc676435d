import { describe, expect, test } from 'vitest'
import { mergeOffers, type ToldModel, type ToldWorker } from './offers.ts'

const worker = (over: Partial<ToldWorker> = {}): ToldWorker => ({
  coefficient: 1000,
  runningRequests: 0,
  maxRunningRequests: 4,
  evidence: 'verified',
  ...over,
})
const model = (id: string, ...workers: ToldWorker[]): ToldModel => ({ id, workers })

describe('the lists of several proxies', () => {
  test('are one list: models of each, workers of all, the cheapest first', () => {
    const merged = mergeOffers([
      { proxy: 'a', models: [model('both', worker({ coefficient: 900 })), model('only-a')] },
      { proxy: 'b', models: [model('both', worker({ coefficient: 700 })), model('only-b', worker())] },
    ])
    expect(merged.map(({ id }) => id)).toEqual(['both', 'only-a', 'only-b'])
    expect(merged[0]?.workers.map(({ coefficient, proxies }) => [coefficient, proxies])).toEqual([
      [700, ['b']],
      [900, ['a']],
    ])
    expect(merged[1]?.workers).toEqual([])
  })

  test('name a worker behind both once: its places once, its requests from both', () => {
    const merged = mergeOffers([
      { proxy: 'a', models: [model('m', worker({ instance: '01', runningRequests: 1 }))] },
      { proxy: 'b', models: [model('m', worker({ instance: '01', runningRequests: 2 }), worker({ instance: '02' }))] },
    ])
    expect(merged[0]?.workers).toEqual([
      { coefficient: 1000, runningRequests: 3, maxRunningRequests: 4, evidence: 'verified', proxies: ['a', 'b'] },
      { coefficient: 1000, runningRequests: 0, maxRunningRequests: 4, evidence: 'verified', proxies: ['b'] },
    ])
  })

  test.each([
    ['asks another price', { coefficient: 10 }],
    ['has other places', { maxRunningRequests: 5 }],
    ['proved less', { evidence: 'none' as const }],
  ])('hide no worker behind one that took its name and %s', (_, other) => {
    const merged = mergeOffers([
      { proxy: 'a', models: [model('m', worker({ instance: '01' }))] },
      { proxy: 'b', models: [model('m', worker({ instance: '01', ...other }))] },
    ])
    expect(merged[0]?.workers).toHaveLength(2)
  })

  test('count workers that tell no name, or twice the same at one proxy, one by one', () => {
    const twice = [worker({ instance: '01' }), worker({ instance: '01' })]
    const merged = mergeOffers([
      { proxy: 'a', models: [model('m', worker(), ...twice)] },
      { proxy: 'b', models: [model('m', worker())] },
    ])
    expect(merged[0]?.workers).toHaveLength(4)
  })
})
