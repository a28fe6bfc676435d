/**
 * Token arithmetic. Raw tokens are what an engine counts; adjusted tokens = raw × coefficient × class multiplier are what
 * travels on the wire and is paid for. Coefficients are per mille, multipliers per ten-thousand.
 */
import type { Multipliers } from '../chain/index.ts'

/** Adjusted tokens by class. `prompt` excludes the cached part, `completion` the reasoning part. */
export interface AdjustedTokens {
  readonly prompt: bigint
  readonly cached: bigint
  readonly completion: bigint
  readonly reasoning: bigint
  readonly total: bigint
}

/** Raw counts as in an OpenAI `usage` object: `cached` is part of `prompt`, `reasoning` part of `completion`. */
export interface RawTokens {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly reasoningTokens: number
}

export const NO_TOKENS: AdjustedTokens = { prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n, total: 0n }

/** 1.0 as a class multiplier. */
export const ONE_MULTIPLIER = 10_000

/**
 * One class of tokens. Doubles in exactly this order, truncated toward zero: every node of the network computes so, and
 * integer arithmetic or another order would differ by a token now and then. Source: spec/wire.md, "Token arithmetic".
 */
export function adjust(count: number, coefficient: number, multiplier: number): bigint {
  return BigInt(Math.trunc(count * (coefficient * 0.001) * multiplier * 0.0001))
}

/** Each class is truncated by itself, then summed. Contradictory counts (more cached than prompt) are not repaired here. */
export function adjustUsage(raw: RawTokens, coefficient: number, multipliers: Multipliers): AdjustedTokens {
  const prompt = adjust(raw.promptTokens - raw.cachedTokens, coefficient, multipliers.prompt)
  const cached = adjust(raw.cachedTokens, coefficient, multipliers.cached)
  const completion = adjust(raw.completionTokens - raw.reasoningTokens, coefficient, multipliers.completion)
  const reasoning = adjust(raw.reasoningTokens, coefficient, multipliers.reasoning)
  return { prompt, cached, completion, reasoning, total: prompt + cached + completion + reasoning }
}

/**
 * The most a request can cost in adjusted tokens: one byte is at most one token, every class at the dearest multiplier.
 * @param queryBytes length of the whole serialised `http.request`
 */
export function upperBound(
  maxTokens: number,
  queryBytes: number,
  coefficient: number,
  multipliers: Multipliers,
): bigint {
  return adjust(maxTokens + queryBytes, coefficient, dearest(multipliers))
}

export function dearest(m: Multipliers): number {
  return Math.max(ONE_MULTIPLIER, m.prompt, m.cached, m.completion, m.reasoning)
}
