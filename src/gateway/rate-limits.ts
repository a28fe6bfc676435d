/**
 * Requests and tokens per minute, and requests at once, of one key. Buckets that fill evenly: a limit of 60 a minute lets 60
 * through at once and then one a second, and there is no edge of a minute at which twice as many pass.
 */
import type { Clock } from '../util/index.ts'
import type { RateLimits } from './accounts.ts'
import { gatewayError } from './errors.ts'

export interface Passage {
  /** No longer at work. */
  leave(): void
  /** Corrects the estimate by which it was let through. */
  settle(tokens: number): void
}

export interface RateGate {
  /** Throws `capacity.rate-limit` with `retryAfterMs`, `request.above-rate-limit` for what can never pass. */
  enter(limits: RateLimits, tokens: number): Passage
  /** `x-ratelimit-…` as OpenAI's, name and value. */
  headers(limits: RateLimits): (readonly [name: string, value: string])[]
}

const MINUTE_MS = 60_000
/** Somebody else's request must end; most take seconds. */
const CONCURRENCY_RETRY_MS = 1_000

export function createRateGate(clock: Clock): RateGate {
  const requests = createBucket(clock)
  const tokensUsed = createBucket(clock)
  let running = 0

  function headers(limits: RateLimits): (readonly [string, string])[] {
    const list: (readonly [string, string])[] = []
    const add = (what: string, bucket: Bucket, limit: number | undefined): void => {
      if (limit === undefined) return
      list.push([`x-ratelimit-limit-${what}`, String(limit)])
      list.push([`x-ratelimit-remaining-${what}`, String(Math.max(0, Math.floor(bucket.level(limit))))])
      list.push([`x-ratelimit-reset-${what}`, `${(bucket.fullInMs(limit) / 1000).toFixed(3)}s`])
    }
    add('requests', requests, limits.requestsPerMinute)
    add('tokens', tokensUsed, limits.tokensPerMinute)
    return list
  }

  const refuse = (limits: RateLimits, what: string, retryAfterMs: number): Error =>
    gatewayError('capacity.rate-limit', `This key has reached its limit of ${what}: wait as retry-after says.`, {
      ...Object.fromEntries(headers(limits)),
      retryAfterMs,
    })

  return {
    enter(limits, tokens) {
      const { requestsPerMinute, tokensPerMinute, maxConcurrent } = limits
      if (maxConcurrent !== undefined && running >= maxConcurrent)
        throw refuse(limits, `${maxConcurrent} requests at once`, CONCURRENCY_RETRY_MS)
      if (tokensPerMinute !== undefined && tokens > tokensPerMinute)
        throw gatewayError(
          'request.above-rate-limit',
          `This request may use ${tokens} tokens, and this key has ${tokensPerMinute} a minute: lower max_tokens.`,
          { field: 'max_tokens' },
        )
      if (requestsPerMinute !== undefined && requests.level(requestsPerMinute) < 1)
        throw refuse(limits, `${requestsPerMinute} requests a minute`, requests.waitMs(requestsPerMinute, 1))
      if (tokensPerMinute !== undefined && tokensUsed.level(tokensPerMinute) < tokens)
        throw refuse(limits, `${tokensPerMinute} tokens a minute`, tokensUsed.waitMs(tokensPerMinute, tokens))
      running++
      if (requestsPerMinute !== undefined) requests.take(requestsPerMinute, 1)
      if (tokensPerMinute !== undefined) tokensUsed.take(tokensPerMinute, tokens)
      let inside = true
      return {
        leave() {
          if (inside) running--
          inside = false
        },
        settle(used) {
          if (tokensPerMinute !== undefined) tokensUsed.take(tokensPerMinute, used - tokens)
        },
      }
    },
    headers,
  }
}

interface Bucket {
  /** What may be taken now; below zero when more was used than estimated. */
  level(limit: number): number
  take(limit: number, amount: number): void
  waitMs(limit: number, amount: number): number
  fullInMs(limit: number): number
}

function createBucket(clock: Clock): Bucket {
  /** What is missing from a full bucket, at `atMs`. */
  let missing = 0
  let atMs = clock.now()
  const refill = (limit: number): void => {
    const now = clock.now()
    missing = Math.max(0, missing - (limit / MINUTE_MS) * Math.max(0, now - atMs))
    atMs = now
  }
  return {
    level(limit) {
      refill(limit)
      return limit - missing
    },
    take(limit, amount) {
      refill(limit)
      missing = Math.max(0, missing + amount)
    },
    waitMs(limit, amount) {
      refill(limit)
      return Math.ceil(((amount - (limit - missing)) * MINUTE_MS) / limit)
    },
    fullInMs(limit) {
      refill(limit)
      return (missing * MINUTE_MS) / limit
    },
  }
}
