/** What a gateway keeps: projects, their keys, budgets, and a receipt of every request. Never a prompt or an answer. */
import type { AttemptStory } from '../roles/client/index.ts'

export interface Project {
  /** `a-z`, `0-9` and dashes. */
  readonly id: string
  readonly name: string
  readonly createdMs: number
}

/** What a key may be used for: asking models, listing them. */
export const KEY_SCOPES = ['inference', 'models'] as const
export type KeyScope = (typeof KEY_SCOPES)[number]

/** Absent: no limit. */
export interface RateLimits {
  readonly requestsPerMinute?: number | undefined
  readonly tokensPerMinute?: number | undefined
  readonly maxConcurrent?: number | undefined
}

export interface ApiKey {
  /** Public part of the key; safe to log and show. */
  readonly id: string
  readonly project: string
  readonly name: string
  /** SHA-256 of the whole key, hex. The key has 256 random bits, so a slow hash would protect nothing. */
  readonly hash: string
  readonly scopes: readonly KeyScope[]
  /** Models it may ask; empty: all. */
  readonly models: readonly string[]
  readonly limits: RateLimits
  readonly createdMs: number
  readonly expiresMs: number | null
  readonly revokedMs: number | null
  /** Id of the member that made it; null: the owner of the node. */
  readonly madeBy: string | null
}

/** What a member may do in its project, the most first; each may do what those behind it may. */
export const MEMBER_ROLES = ['owner', 'member', 'viewer'] as const
export type MemberRole = (typeof MEMBER_ROLES)[number]

/** Somebody who looks after a project, with a credential for `/admin` and nothing else. */
export interface Member {
  /** Public part of the credential. */
  readonly id: string
  readonly project: string
  readonly name: string
  readonly role: MemberRole
  /** SHA-256 of the whole credential, hex, as of a key. */
  readonly hash: string
  readonly createdMs: number
  readonly removedMs: number | null
}

/** `node` is everything, the owner's own requests included. */
export const BUDGET_SCOPES = ['node', 'project', 'key'] as const
export type BudgetScope = (typeof BUDGET_SCOPES)[number]

/** Calendar windows in UTC; weeks begin on Monday. */
export const BUDGET_WINDOWS = ['day', 'week', 'month', 'total'] as const
export type BudgetWindow = (typeof BUDGET_WINDOWS)[number]

/** One budget for each combination of these. */
export interface BudgetName {
  readonly scope: BudgetScope
  /** Of the project or key; empty for the node. */
  readonly id: string
  /** Empty: all models together. */
  readonly model: string
  readonly window: BudgetWindow
}

export interface Budget extends BudgetName {
  readonly limitNano: bigint
  /** The owner is told once in a window when this share is spent. */
  readonly warnAtPercent: number
  /** Beginning of the window in which the owner was told last. */
  readonly warnedFromMs: number | null
}

/** `refused`: this node did not let it through, or no worker is as cheap as its caller wants. */
export const RECEIPT_RESULTS = ['ok', 'failed', 'cancelled', 'refused'] as const
export type ReceiptResult = (typeof RECEIPT_RESULTS)[number]

export interface TokenCounts {
  readonly prompt: bigint
  readonly cached: bigint
  readonly completion: bigint
  readonly reasoning: bigint
  readonly total: bigint
}

export interface Receipt extends TokenCounts {
  /** The id in `x-request-id`. */
  readonly request: string
  /** When it ended. */
  readonly atMs: number
  readonly project: string
  readonly key: string
  readonly model: string
  readonly path: string
  readonly result: ReceiptResult
  /** Of the answer, null when none came. */
  readonly status: number | null
  /** Why it failed or was refused. */
  readonly code: string | null
  readonly costNano: bigint
  /** What it may have cost besides, where the proxy never told: counts against budgets. */
  readonly unsettledNano: bigint
  readonly maxCostNano: bigint
  readonly proxy: string | null
  readonly worker: string | null
  readonly evidence: string | null
  /** Who had it, in order. Empty where nobody had, and in receipts from before this was kept. */
  readonly attempts: readonly AttemptStory[]
  /** How long it waited for a worker in all; null where the proxy does not tell. */
  readonly queuedMs: number | null
  /** After the request came: the last attempt began, head of the answer, end. */
  readonly sentMs: number | null
  readonly firstByteMs: number | null
  readonly durationMs: number
}

/** A request that this node refused itself: what is known of it then. */
export interface Refused {
  readonly request: string
  /** Id of a key, or `OWNER`; empty where nobody was recognised. */
  readonly caller: string
  readonly model: string
  readonly path: string
  readonly status: number | null
  readonly code: string
  readonly durationMs: number
}

/** Requests of one day that ended for one reason. */
export interface ReasonCount {
  readonly day: number
  readonly project: string
  readonly key: string
  readonly code: string
  readonly requests: number
}

/** Stands for a key, project or model that nobody could name. */
export const NOBODY = '-'

/** The project of keys made without one, and of the owner's own requests. */
export const DEFAULT_PROJECT = 'default'
