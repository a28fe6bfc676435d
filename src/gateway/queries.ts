/** Questions to a gateway's receipts, and what comes back. */
import type { Receipt, ReceiptResult, TokenCounts } from './accounts.ts'

export interface ReceiptFilter {
  readonly request?: string | undefined
  readonly project?: string | undefined
  readonly key?: string | undefined
  readonly model?: string | undefined
  readonly result?: ReceiptResult | undefined
  readonly code?: string | undefined
  readonly fromMs?: number | undefined
  /** Before this. */
  readonly untilMs?: number | undefined
  /** Only those before the receipt with this number. */
  readonly before?: number | undefined
  readonly limit: number
}

/** Newest first. */
export interface ReceiptPage {
  readonly receipts: readonly (Receipt & { readonly seq: number })[]
  /** Of all that the filter takes, whatever `limit` and `before` say. */
  readonly count: number
  readonly costNano: bigint
  readonly unsettledNano: bigint
}

export const USAGE_GROUPS = ['project', 'key', 'model', 'day'] as const
export type UsageGroup = (typeof USAGE_GROUPS)[number]

export interface UsageFilter {
  readonly by: UsageGroup
  readonly project?: string | undefined
  readonly key?: string | undefined
  readonly model?: string | undefined
  /** Days since 1970, both included. */
  readonly fromDay?: number | undefined
  readonly toDay?: number | undefined
}

export interface UsageRow extends TokenCounts {
  /** Project, key, model, or the day as `2026-08-31`. */
  readonly name: string
  /** That were let through. */
  readonly requests: bigint
  /** Of those. */
  readonly failed: bigint
  readonly costNano: bigint
  readonly unsettledNano: bigint
}

/** No models: whoever asks for one that does not exist is refused, and may name thousands. */
export type ReasonFilter = Omit<UsageFilter, 'by' | 'model'>

/** Of one reason. What failed requests cost stands in the other sums. */
export interface ReasonRow {
  readonly code: string
  /** Let through, and failed. */
  readonly failed: bigint
  /** By this node or by all proxies: nothing was done. */
  readonly refused: bigint
}
