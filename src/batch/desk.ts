/** What batches know of requests: an interface. Which bodies are right and how they run is the business of `api`. */
import type { CocoonError } from '../util/index.ts'
import type { AttemptCost, TokenUsage } from './records.ts'

export interface LineHead {
  readonly customId: string
  /** Base name. */
  readonly model: string
}

/** For whom and at what price a line runs. */
export interface LineTerms {
  readonly endpoint: string
  readonly caller: string
  /** No worker above it, whatever the line says. */
  readonly maxCoefficient: number
  /** The only proxies that may have it, by address; null where proxies cannot be asked later what it was charged. */
  readonly proxies: ReadonlySet<string> | null
}

/** What became of an attempt. */
export interface LineAnswer {
  /** Of the answer, or of the refusal as the live endpoint would tell it. */
  readonly status: number
  /** JSON. */
  readonly body: Uint8Array
  /** Null where an engine answered, whatever its status. */
  readonly error: CocoonError | null
  /** After a refusal by an engine: when to ask again. */
  readonly retryAfterMs: number | null
  readonly cost: AttemptCost
  readonly usage: TokenUsage
}

export interface PreparedLine {
  readonly model: string
  readonly maxCostNano: bigint
  /**
   * Once. `answer` resolves when it is over and its cost is known; it never rejects.
   * @param ended called when nothing more comes from the network, maybe before the cost is known
   */
  run(ended: () => void): { readonly answer: Promise<LineAnswer>; cancel(): void }
}

export interface LineDesk {
  /** The limit for a line of an input file. */
  readonly maxLineBytes: number
  /** Checks a line as the live endpoint would. Throws `request.*`, with `info.field` where there is one. */
  read(line: Uint8Array, endpoint: string): LineHead
  /** @param request names the attempt in logs, in receipts and to proxies: 16 bytes, hex. Throws as `read` */
  prepare(line: Uint8Array, terms: LineTerms, request: string): PreparedLine
}
