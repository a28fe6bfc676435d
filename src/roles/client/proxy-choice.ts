/**
 * Which of the connected proxies gets a request: the least busy for its size, times how soon it answers, times its price under the
 * caller's cap; one without a free place after those that have some. Pure: times are arguments. What a proxy's workers can do it
 * knows itself.
 */

/** What a proxy has for a request: its workers within the caller's cap, together. */
export interface ProxyShare {
  /** 0: none. */
  readonly places: number
  /** Requests of others there. */
  readonly others: number
  /** Of the cheapest that is free; the cap where none is. */
  readonly coefficient: number
}

export interface ProxyCandidate {
  readonly connectionId: number
  /** `host:port`: outlives the connection. */
  readonly address: string
  /** Requests of ours that run there. */
  readonly running: number
  /** Absent where it has not said. */
  readonly share?: ProxyShare | undefined
}

/** Weight of the newest observation. */
const NEWEST = 0.2
/** Differences far below it are noise. */
const FLOOR_MS = 100
const MIN_SUCCESS = 0.05
/** What a proxy said may be seconds old: one that had nobody comes last, and is still tried. */
const NOBODY_PENALTY = 1_000
/** Where all places are taken, a request waits for a whole answer; a proxy that answers far sooner than others is still worth that. */
const FULL_PENALTY = 4
/** A proxy that failed long ago is as good as any. */
const FORGET_AFTER_MS = 60_000

/** A whole answer begins when it is complete, a stream with its first word: their times say nothing of each other. */
type Kind = 'streamed' | 'whole'
const kindOf = (isStreamed: boolean): Kind => (isStreamed ? 'streamed' : 'whole')

interface Seen {
  readonly firstAnswerMs: Record<Kind, number | null>
  successRate: number
  atMs: number
  /** The last connection whose end was counted. */
  lostConnection: number | null
}

export interface ChoiceOf {
  readonly tried: ReadonlySet<number>
  readonly maxCoefficient: number
  /** Whether the answer is wanted in pieces. */
  readonly isStreamed: boolean
}

export class ProxyRecords {
  readonly #seenByAddress = new Map<string, Seen>()

  /** The best that is not among `tried`; null where there is none. The first of equals. */
  choose<C extends ProxyCandidate>(
    candidates: readonly C[],
    { tried, maxCoefficient, isStreamed }: ChoiceOf,
    nowMs: number,
  ): C | null {
    const kind = kindOf(isStreamed)
    const typicalMs = this.#typicalMs(kind)
    const typical = typicalShare(candidates, maxCoefficient)
    let best: C | null = null
    let lowest = Number.POSITIVE_INFINITY
    for (const candidate of candidates) {
      if (tried.has(candidate.connectionId)) continue
      const score = this.#score(candidate, kind, typicalMs, nowMs) * weightOf(candidate, typical, maxCoefficient)
      if (score < lowest) [best, lowest] = [candidate, score]
    }
    return best
  }

  answered(address: string, answer: { readonly firstMs: number; readonly isStreamed: boolean }, nowMs: number): void {
    const seen = this.#of(address)
    const kind = kindOf(answer.isStreamed)
    const before = seen.firstAnswerMs[kind]
    seen.firstAnswerMs[kind] = before === null ? answer.firstMs : mixTimes(before, answer.firstMs)
    seen.successRate = mix(seen.successRate, 1)
    seen.atMs = nowMs
  }

  /** Leaves its times as they are: who fails fast is not fast. */
  failed(address: string, nowMs: number): void {
    const seen = this.#of(address)
    seen.successRate = mix(seen.successRate, 0)
    seen.atMs = nowMs
  }

  /** One failure, however many requests ran there: else a busy proxy that was restarted would be avoided longest. */
  lost({ address, connectionId }: Pick<ProxyCandidate, 'address' | 'connectionId'>, nowMs: number): void {
    const seen = this.#of(address)
    if (seen.lostConnection === connectionId) return
    seen.lostConnection = connectionId
    this.failed(address, nowMs)
  }

  #of(address: string): Seen {
    let seen = this.#seenByAddress.get(address)
    if (seen === undefined) {
      seen = { firstAnswerMs: { streamed: null, whole: null }, successRate: 1, atMs: 0, lostConnection: null }
      this.#seenByAddress.set(address, seen)
    }
    return seen
  }

  #score({ address }: ProxyCandidate, kind: Kind, typicalMs: number, nowMs: number): number {
    const seen = this.#seenByAddress.get(address)
    const trust = seen === undefined ? 0 : Math.max(0, 1 - (nowMs - seen.atMs) / FORGET_AFTER_MS)
    const expected = typicalMs + ((seen?.firstAnswerMs[kind] ?? typicalMs) - typicalMs) * trust
    const success = 1 + ((seen?.successRate ?? 1) - 1) * trust
    return (FLOOR_MS + expected) / Math.max(MIN_SUCCESS, success) ** 2
  }

  #typicalMs(kind: Kind): number {
    let [sum, count] = [0, 0]
    for (const { firstAnswerMs } of this.#seenByAddress.values()) {
      const ms = firstAnswerMs[kind]
      if (ms !== null) [sum, count] = [sum + ms, count + 1]
    }
    return count === 0 ? 0 : sum / count
  }
}

/** Load for its size, times price: smaller is better. */
function weightOf({ running, share }: ProxyCandidate, typical: ProxyShare, maxCoefficient: number): number {
  const { places, others, coefficient } = share ?? typical
  if (places === 0) return NOBODY_PENALTY * (running + 1)
  const taken = running + others
  const full = taken < places ? 1 : FULL_PENALTY
  return ((taken + 1) / places) * full * (1 + coefficient / Math.max(1, maxCoefficient))
}

/** What one that has not said counts as. */
function typicalShare(candidates: readonly ProxyCandidate[], maxCoefficient: number): ProxyShare {
  let [count, places, others, coefficients] = [0, 0, 0, 0]
  for (const { share } of candidates) {
    if (share === undefined || share.places === 0) continue
    count++
    places += share.places
    others += share.others
    coefficients += share.coefficient
  }
  if (count === 0) return { places: 1, others: 0, coefficient: maxCoefficient }
  return { places: places / count, others: others / count, coefficient: coefficients / count }
}

const mix = (before: number, observed: number): number => before + NEWEST * (observed - before)

/**
 * In ratios: an answer that took a hundred times as long as usual counts as about two and a half times as slow. In sums, a single
 * one would keep a proxy without the requests that could show it is fast.
 */
const mixTimes = (beforeMs: number, observedMs: number): number =>
  Math.exp(mix(Math.log(FLOOR_MS + beforeMs), Math.log(FLOOR_MS + observedMs))) - FLOOR_MS
