/** How many requests, how they ended, how long they took, how much they carried: the same figures for every role. */
import type { Clock } from './clock.ts'
import { createDecayedRate, type DecayedRate } from './decayed-rate.ts'

export interface RequestStats {
  readonly queries: DecayedRate
  readonly success: DecayedRate
  readonly failed: DecayedRate
  readonly rejected: DecayedRate
  readonly bytesReceived: DecayedRate
  readonly bytesSent: DecayedRate
  /** Seconds. */
  readonly time: DecayedRate
  readonly tokens: Readonly<Record<TokenClass, DecayedRate>>
}

export type TokenClass = 'total' | 'prompt' | 'cached' | 'completion' | 'reasoning'

export function createRequestStats(clock: Clock): RequestStats {
  const rate = (): DecayedRate => createDecayedRate(clock)
  return {
    queries: rate(),
    success: rate(),
    failed: rate(),
    rejected: rate(),
    bytesReceived: rate(),
    bytesSent: rate(),
    time: rate(),
    tokens: { total: rate(), prompt: rate(), cached: rate(), completion: rate(), reasoning: rate() },
  }
}

export function addTokens(stats: RequestStats, tokens: Readonly<Record<TokenClass, bigint>>): void {
  for (const name of Object.keys(stats.tokens) as TokenClass[]) stats.tokens[name].add(Number(tokens[name]))
}

/** The `stats` object that polling tools know. */
export function statsForTools(
  stats: RequestStats,
  parts: { readonly rejected: boolean; readonly tokens: boolean },
): Record<string, number[]> {
  const classes = parts.tokens ? (Object.keys(stats.tokens) as TokenClass[]) : []
  return {
    queries: stats.queries.read(),
    success: stats.success.read(),
    failed: stats.failed.read(),
    ...(parts.rejected ? { rejected: stats.rejected.read() } : {}),
    bytes_received: stats.bytesReceived.read(),
    bytes_sent: stats.bytesSent.read(),
    time: stats.time.read(),
    ...Object.fromEntries(classes.map((name) => [`${name}_adjusted_tokens_used`, stats.tokens[name].read()])),
  }
}
