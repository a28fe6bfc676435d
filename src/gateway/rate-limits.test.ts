import { describe, expect, test } from 'vitest'
import { CocoonError, manualClock } from '../util/index.ts'
import { createRateGate } from './rate-limits.ts'

const refusal = (work: () => unknown): CocoonError => {
  try {
    work()
  } catch (error) {
    if (error instanceof CocoonError) return error
  }
  throw new Error('nothing was refused')
}

describe('rate limits', () => {
  test('as many requests a minute pass, and the next one when retry-after says so', () => {
    const clock = manualClock()
    const gate = createRateGate(clock)
    const limits = { requestsPerMinute: 3 }
    for (let i = 0; i < 3; i++) gate.enter(limits, 10)
    const error = refusal(() => gate.enter(limits, 10))
    expect(error).toMatchObject({ code: 'capacity.rate-limit', info: { retryAfterMs: 20_000 } })
    expect(error.info).toMatchObject({ 'x-ratelimit-limit-requests': '3', 'x-ratelimit-remaining-requests': '0' })
    clock.advance(19_999)
    refusal(() => gate.enter(limits, 10))
    clock.advance(1)
    gate.enter(limits, 10)
  })

  test('tokens are taken by estimate and corrected by what was used', () => {
    const clock = manualClock()
    const gate = createRateGate(clock)
    const limits = { tokensPerMinute: 1000 }
    const passage = gate.enter(limits, 900)
    expect(refusal(() => gate.enter(limits, 200)).code).toBe('capacity.rate-limit')
    passage.settle(100)
    expect(gate.headers(limits)).toContainEqual(['x-ratelimit-remaining-tokens', '900'])
    gate.enter(limits, 900).settle(1500)
    expect(gate.headers(limits)).toContainEqual(['x-ratelimit-remaining-tokens', '0'])
    clock.advance(60_000)
    expect(refusal(() => gate.enter(limits, 500)).code).toBe('capacity.rate-limit')
  })

  test('a request above the whole limit is told so, and not to wait for ever', () => {
    const gate = createRateGate(manualClock())
    const error = refusal(() => gate.enter({ tokensPerMinute: 100 }, 101))
    expect(error).toMatchObject({ code: 'request.above-rate-limit', info: { field: 'max_tokens' } })
    expect(error.info['retryAfterMs']).toBeUndefined()
  })

  test('as many at once pass, and one leaves only once', () => {
    const gate = createRateGate(manualClock())
    const limits = { maxConcurrent: 2 }
    const first = gate.enter(limits, 1)
    gate.enter(limits, 1)
    refusal(() => gate.enter(limits, 1))
    first.leave()
    first.leave()
    gate.enter(limits, 1)
    refusal(() => gate.enter(limits, 1))
  })

  test('what is refused for one limit takes nothing of the others', () => {
    const gate = createRateGate(manualClock())
    const limits = { requestsPerMinute: 10, tokensPerMinute: 50, maxConcurrent: 5 }
    gate.enter(limits, 40)
    for (let i = 0; i < 20; i++) refusal(() => gate.enter(limits, 20))
    expect(gate.headers(limits)).toContainEqual(['x-ratelimit-remaining-requests', '9'])
  })
})
