/**
 * What a proxy has seen of one worker: how soon it answers, how often it fails. A failure is never a fast success: it leaves
 * the times as they are and makes the worker less likely to be chosen. Mutated only by the pool; knows no clock.
 */
import { type Breaker, CLOSED, onFailure, onNoVerdict, onSent, onSuccess } from './breaker.ts'

/** The first answer to a streamed request comes with the first token, to any other with the last: two kinds of time. */
export type AnswerKind = 'streamed' | 'whole'

/** How a request ended, as far as it says something about the worker. */
export type Verdict =
  | { readonly is: 'ok'; readonly kind: AnswerKind; readonly firstAnswerMs: number }
  /** `waitedMs` where it was silent for so long: that is known to be too short an estimate. */
  | { readonly is: 'failed'; readonly kind: AnswerKind; readonly waitedMs?: number }
  | { readonly is: 'none' }

/** Weight of the newest observation: about the last nine count. */
const NEWEST = 0.2
/** What was seen so long ago counts no more than what the model's other workers show; so a worker that was slow is tried again. */
const FORGET_AFTER_MS = 120_000
/** A worker that has just come, or come back, has cold caches: it takes its full share after this time. */
export const SLOW_START_MS = 30_000
const FIRST_SHARE = 0.2

interface Seen {
  ms: number
  atMs: number
}

export class WorkerRecord {
  #seen: Record<AnswerKind, Seen | null> = { streamed: null, whole: null }
  #successRate = 1
  #breaker: Breaker = CLOSED
  /** When it came, or came back from an open breaker. */
  #sinceMs: number

  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs
  }

  get breaker(): Breaker {
    return this.#breaker
  }

  /** In (0, 1]: of the last requests that said something. */
  get successRate(): number {
    return this.#successRate
  }

  /** Undefined before the first answer of this kind. */
  lastSeenMs(kind: AnswerKind): number | undefined {
    return this.#seen[kind]?.ms
  }

  /** @param typicalMs what the model's workers show together: the estimate for one that is not known yet, or no more */
  expectedMs(kind: AnswerKind, typicalMs: number, nowMs: number): number {
    const seen = this.#seen[kind]
    if (seen === null) return typicalMs
    const trust = Math.max(0, 1 - (nowMs - seen.atMs) / FORGET_AFTER_MS)
    return typicalMs + (seen.ms - typicalMs) * trust
  }

  /** In (0, 1]: which part of its usual share it should get now. */
  share(nowMs: number): number {
    const age = nowMs - this.#sinceMs
    return age >= SLOW_START_MS ? 1 : FIRST_SHARE + (1 - FIRST_SHARE) * Math.max(0, age / SLOW_START_MS)
  }

  sent(nowMs: number): void {
    this.#breaker = onSent(this.#breaker, nowMs)
  }

  ended(verdict: Verdict, nowMs: number): void {
    switch (verdict.is) {
      case 'ok':
        if (this.#breaker.is !== 'closed') this.#sinceMs = nowMs
        this.#breaker = onSuccess(this.#breaker)
        this.#successRate += NEWEST * (1 - this.#successRate)
        this.#see(verdict.kind, verdict.firstAnswerMs, nowMs)
        return
      case 'failed':
        this.#breaker = onFailure(this.#breaker, nowMs)
        this.#successRate *= 1 - NEWEST
        if ((verdict.waitedMs ?? 0) > (this.#seen[verdict.kind]?.ms ?? 0))
          this.#see(verdict.kind, verdict.waitedMs as number, nowMs)
        return
      case 'none':
        this.#breaker = onNoVerdict(this.#breaker, nowMs)
    }
  }

  #see(kind: AnswerKind, ms: number, nowMs: number): void {
    const seen = this.#seen[kind]
    if (seen === null) {
      this.#seen[kind] = { ms, atMs: nowMs }
      return
    }
    seen.ms = mixed(seen.ms, ms)
    seen.atMs = nowMs
  }
}

/** An average in which older observations fade. */
export const mixed = (before: number | null, observed: number): number =>
  before === null ? observed : before + NEWEST * (observed - before)
