/** What the node's answers look like to this page. Money and token counts are decimal strings: a number would lose digits. */

export interface List<T> {
  readonly data: readonly T[]
}

/** `NAME_nano`, `NAME_ton` and, with a rate, `NAME_fiat`. */
export type MoneyFields<Name extends string> = {
  readonly [Key in `${Name}_nano` | `${Name}_ton`]: string
} & { readonly [Key in `${Name}_fiat`]?: string }

export interface Project {
  readonly id: string
  readonly name: string
  readonly created_at: string
}

export interface ApiKey {
  readonly id: string
  readonly project: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly models: readonly string[]
  readonly limits: Readonly<Record<string, number | null>>
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  /** Id of a member; null: the owner of the node. */
  readonly made_by: string | null
}

export interface Member {
  readonly id: string
  readonly project: string
  readonly name: string
  readonly role: string
  readonly created_at: string
  readonly removed_at: string | null
}

export type Budget = {
  readonly scope: 'node' | 'project' | 'key'
  readonly id: string
  readonly model: string
  readonly window: string
  readonly reserved_nano: string
  readonly warn_at_percent: number
  readonly window_ends: string | null
} & MoneyFields<'limit'> &
  MoneyFields<'spent'>

export type UsageRow = {
  readonly requests: number
  readonly failed: number
  /** By code, which has no tokens and no cost. */
  readonly refused?: number
  readonly prompt_tokens: string
  readonly cached_tokens: string
  readonly completion_tokens: string
  readonly reasoning_tokens: string
  readonly total_tokens: string
  readonly unsettled_nano: string
  readonly day?: string
  readonly key?: string
  readonly project?: string
  readonly model?: string
  readonly code?: string
} & MoneyFields<'cost'>

export type Receipt = {
  readonly seq: number
  /** As in `x-request-id`. */
  readonly request: string
  readonly ended_at: string
  readonly project: string
  readonly key: string
  readonly model: string
  readonly path: string
  readonly result: string
  readonly status: number | null
  readonly code: string | null
  readonly prompt_tokens: string
  readonly cached_tokens: string
  readonly completion_tokens: string
  readonly reasoning_tokens: string
  readonly total_tokens: string
  readonly unsettled_nano: string
  readonly max_cost_nano: string
  readonly proxy: string | null
  readonly worker: string | null
  readonly evidence: string | null
  readonly attempts: number
  /** Times are milliseconds after the request came. */
  readonly queued_ms: number | null
  readonly sent_ms: number | null
  readonly first_byte_ms: number | null
  readonly duration_ms: number
  readonly tries: readonly Try[]
} & MoneyFields<'cost'>

/** One worker's part in a request. */
export interface Try {
  readonly proxy: string
  readonly worker: string | null
  readonly sent_ms: number
  readonly first_byte_ms: number | null
  readonly ended_ms: number | null
  /** `ok`, `cancelled`, or why another worker was taken. */
  readonly ended: string | null
}

export type ReceiptPage = List<Receipt> & { readonly count: number } & MoneyFields<'cost'>

export interface Worker {
  /** Per mille of the network's price. */
  readonly coefficient: number
  readonly running_requests: number
  readonly max_running_requests: number
  /** What it says it can and cannot do: `chat`, `tools`, `vision`, …. Null where it says nothing. */
  readonly capabilities: readonly string[] | null
  readonly missing: readonly string[] | null
  /** Tokens of prompt and answer together. */
  readonly context_length: number | null
  readonly evidence: string | null
  /** Addresses of the proxies that it works behind. */
  readonly proxies: readonly string[]
}

/** The first four say what some worker, or the weakest, says; null where none does. */
export interface Model {
  readonly load: number | null
  readonly capabilities: readonly string[] | null
  readonly context_length: number | null
  readonly evidence: string | null
  readonly id: string
  readonly workers: readonly Worker[]
}

/** `silent_proxies`: addresses of those that did not answer, so that what only they have is missing. */
export interface ModelList extends List<Model> {
  readonly silent_proxies: readonly string[]
}

/** Unless every worker says that it does not: what is not said is not known. */
export const answersChat = ({ workers }: Model): boolean =>
  workers.length === 0 || workers.some(({ missing }) => missing?.includes('chat') !== true)

export const TOKEN_CLASSES = ['prompt', 'cached', 'completion', 'reasoning'] as const
type ClassPrices = MoneyFields<`${(typeof TOKEN_CLASSES)[number]}_per_million`>

/** Of one model. Null without a worker. */
export interface Price {
  readonly id: string
  readonly workers: number
  readonly cheapest: ClassPrices | null
  readonly dearest: ClassPrices | null
}

export type Quote = { readonly max_tokens: number } & MoneyFields<'max_cost'>

/** One event of a streamed chat answer. */
export interface ChatChunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly reasoning_content?: string | null }
    readonly finish_reason?: string | null
  }[]
  readonly usage?: ChatUsage | null
  readonly error?: { readonly message: string; readonly code?: string | null }
}

export interface ChatUsage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number } | null
  /** nanoTON. */
  readonly total_cost?: number | string
}

/** Times are Unix seconds. */
export type Batch = {
  readonly id: string
  readonly endpoint: string
  readonly status: string
  readonly output_file_id: string | null
  readonly error_file_id: string | null
  readonly errors: { readonly data: readonly BatchProblem[] } | null
  readonly created_at: number
  readonly expires_at: number
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number }
  readonly unsettled_nano: string
  /** Why nothing goes out at the moment. */
  readonly waiting_for: string | null
} & MoneyFields<'cost'>

/** Why a batch cannot begin. */
export interface BatchProblem {
  readonly code: string
  readonly message: string
  readonly line: number | null
  readonly param: string | null
}

export interface StoredFile {
  readonly id: string
  readonly filename: string
}
