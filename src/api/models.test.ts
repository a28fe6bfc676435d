import { expect, test } from 'vitest'
import type { ModelOffer, Quote } from '../roles/client/index.ts'
import { abilitiesFrom } from '../util/index.ts'
import { listModel } from './models.ts'

const QUOTE: Quote = {
  maxCostNano: 0n,
  pricePerTokenNano: 1n,
  multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
}
const worker = (over: Partial<ModelOffer['workers'][number]>): ModelOffer['workers'][number] => ({
  coefficient: 1000,
  runningRequests: 0,
  maxRunningRequests: 1,
  proxies: ['p:1'],
  ...over,
})

test('a model can do what some worker can, has the longest context, and is proved as little as its weakest worker', () => {
  const listed = listModel(
    {
      id: 'm',
      workers: [
        worker({ evidence: 'verified', abilities: abilitiesFrom(['chat', 'tools'], ['vision'], 4096) }),
        worker({ evidence: 'simulated', abilities: abilitiesFrom(['vision', 'chat'], [], 2048) }),
        worker({ evidence: 'verified' }),
      ],
    },
    QUOTE,
  )
  expect(listed).toMatchObject({
    capabilities: ['chat', 'tools', 'vision'],
    context_length: 4096,
    evidence: 'simulated',
    workers: [{ missing: ['vision'] }, { missing: [] }, { missing: null, capabilities: null }],
  })
})

test('without a word from any worker nothing is claimed', () => {
  expect(listModel({ id: 'm', workers: [worker({})] }, QUOTE)).toMatchObject({
    capabilities: null,
    context_length: null,
    evidence: null,
  })
})
