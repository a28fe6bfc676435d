/** Whether a worker's usage report can be true. A refused report costs the caller nothing and is held against the worker. */
import type { Multipliers } from '../chain/index.ts'
import { type AdjustedTokens, dearest, adjust, upperBound } from './tokens.ts'

export interface UsageBounds {
  readonly reserved: bigint
  /** The coefficient this request was given to the worker at. */
  readonly coefficient: number
  readonly multipliers: Multipliers
  readonly maxTokens: number
  readonly queryBytes: number
  /** Body bytes that the worker delivered. */
  readonly answerBytes: number
}

/** `null` when acceptable, else the reason in a word fit for a metric label. */
export type UsageProblem = 'negative' | 'sum' | 'above-reservation' | 'above-limit' | 'implausible'

/** Tokens that leave no byte in the request or answer: chat template and its words around tools, special tokens, an empty delta. */
const INVISIBLE_TOKENS = 512

export function judgeUsage(used: AdjustedTokens, bounds: UsageBounds): UsageProblem | null {
  const { prompt, cached, completion, reasoning, total } = used
  if (prompt < 0n || cached < 0n || completion < 0n || reasoning < 0n || total < 0n) return 'negative'
  if (prompt + cached + completion + reasoning !== total) return 'sum'
  if (total > bounds.reserved) return 'above-reservation'
  const { coefficient, multipliers } = bounds
  if (total > upperBound(bounds.maxTokens + INVISIBLE_TOKENS, bounds.queryBytes, coefficient, multipliers))
    return 'above-limit'
  const atMost = (bytes: number): bigint => adjust(bytes + INVISIBLE_TOKENS, coefficient, dearest(multipliers))
  if (completion + reasoning > atMost(bounds.answerBytes)) return 'implausible'
  if (prompt + cached > atMost(bounds.queryBytes)) return 'implausible'
  return null
}
