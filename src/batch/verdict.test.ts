import { describe, expect, test } from 'vitest'
import { CocoonError, type ErrorCode } from '../util/index.ts'
import { NO_COST, NO_USAGE } from './progress.ts'
import { judge } from './verdict.ts'

const told = (status: number, code: ErrorCode | null = null, info = {}) => ({
  status,
  body: new Uint8Array(),
  error: code === null ? null : new CocoonError(code, info),
  retryAfterMs: null,
  cost: NO_COST,
  usage: NO_USAGE,
})

describe('an attempt', () => {
  test.each([
    [200, null, 'answered'],
    [400, null, 'failed'],
    [404, null, 'failed'],
    [429, null, 'no-room'],
    [500, null, 'fault'],
    [503, null, 'fault'],
    [429, 'capacity.busy', 'no-room'],
    [503, 'capacity.price', 'no-room'],
    [503, 'capacity.no-workers', 'no-room'],
    [503, 'capacity.no-proxy', 'no-room'],
    [429, 'capacity.rate-limit', 'no-room'],
    [503, 'capacity.shutting-down', 'no-room'],
    [503, 'chain.stale', 'no-room'],
    [402, 'payment.balance', 'no-room'],
    [504, 'capacity.timeout', 'fault'],
    [502, 'engine.failed', 'fault'],
    [502, 'protocol.proxy-lost', 'fault'],
    [402, 'payment.max-cost', 'failed'],
    [402, 'payment.budget-exceeded', 'over-budget'],
    [404, 'request.unknown-model', 'unknown-model'],
    [401, 'request.key-revoked', 'key-ended'],
    [401, 'request.key-expired', 'key-ended'],
    [403, 'request.key-model', 'failed'],
    [400, 'request.above-rate-limit', 'failed'],
  ] as const)('with status %i and code %s is %s', (status, code, is) => {
    expect(judge(told(status, code)).is).toBe(is)
  })

  test('that was refused is repeated when the refusal says, with its reason', () => {
    expect(judge(told(429, 'capacity.rate-limit', { retryAfterMs: 700 }))).toEqual({
      is: 'no-room',
      reason: 'busy',
      retryAfterMs: 700,
    })
    expect(judge(told(503, 'capacity.price'))).toMatchObject({ reason: 'price' })
    expect(judge(told(402, 'payment.balance'))).toMatchObject({ reason: 'deposit' })
  })
})
