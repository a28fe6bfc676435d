/** An inference engine as a worker sees it: HTTP request in, HTTP answer out, usage metered on the way. */
import type { Abilities } from '../util/index.ts'

/** Token counts as the engine reported them: raw, before price coefficients. */
export interface RawUsage {
  readonly promptTokens: number
  /** Part of `promptTokens` served from a prefix cache. */
  readonly cachedTokens: number
  readonly completionTokens: number
  /** Part of `completionTokens` spent on reasoning. */
  readonly reasoningTokens: number
}

export interface EngineRequest {
  readonly method: string
  /** Path, e.g. `/v1/chat/completions`. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
}

/** nanoTON by class, as the worker adds them to `usage` (`prompt_total_cost` and so on). */
export interface UsageCost {
  readonly promptNano: bigint
  readonly completionNano: bigint
}

export interface EngineCall {
  /** As the caller sent it: the engine has its usage reported, and holds back what the caller did not ask for. */
  readonly request: EngineRequest
  /** Price of a usage, for the cost fields. */
  readonly cost: (usage: RawUsage) => UsageCost
  /** Ends the call at the engine, which stops generating. */
  readonly signal: AbortSignal
  /** Time until the answer must be complete. */
  readonly timeoutMs: number
}

/** Where an answer goes. Order: `head`, any number of `part`, then exactly one of `end` and `fail`. */
export interface AnswerSink {
  head(status: number, headers: readonly (readonly [name: string, value: string])[]): void
  /**
   * The next bytes of the body, valid only during the call. May return false: pause until `resume` is called on the running
   * call.
   */
  part(bytes: Uint8Array): boolean
  end(usage: RawUsage): void
  /** `engine.*` (unreachable, timeout, cut off, bad answer). `usage` counts what had been reported before. */
  fail(error: Error, usage: RawUsage): void
}

export interface RunningCall {
  /** Goes on reading after `part` returned false. */
  resume(): void
}

export interface Engine {
  run(call: EngineCall, sink: AnswerSink): RunningCall
  /** Ids the engine serves. Throws `engine.unreachable` and the like; a resolved promise means ready. */
  models(signal: AbortSignal): Promise<readonly string[]>
  /** What it says that this model can do. Throws as `models`. Absent where it says nothing. */
  describe?(model: string, signal: AbortSignal): Promise<Abilities>
  close(): Promise<void>
}

export const NO_USAGE: RawUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }
