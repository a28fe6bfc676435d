/**
 * Which of the connected proxies gets a request: the least busy for its size, times how soon it answers, times its price under the
 * caller's cap. Pure: times are arguments. What a proxy's workers can do it knows itself.
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
/** A proxy that failed long ago is as good as any. */
const FORGET_AFTER_MS = 60_000

interface Seen {
  firstAnswerMs: number | null
  successRate: number
  atMs: number
}

export class ProxyRecords {
  readonly #seenByAddress = new Map<string, Seen>()

  /** The best that is not among `tried`; null where there is none. The first of equals. */
  choose<C extends ProxyCandidate>(
    candidates: readonly C[],
    { tried, maxCoefficient }: { readonly tried: ReadonlySet<number>; readonly maxCoefficient: number },
    nowMs: number,
  ): C | null {
    const typicalMs = this.#typicalMs()
    const typical = typicalShare(candidates, maxCoefficient)
    let best: C | null = null
    let lowest = Number.POSITIVE_INFINITY
    for (const candidate of candidates) {
      if (tried.has(candidate.connectionId)) continue
      const score = this.#score(candidate, typicalMs, nowMs) * weightOf(candidate, typical, maxCoefficient)
      if (score < lowest) [best, lowest] = [candidate, score]
    }
    return best
  }

  answered(address: string, firstAnswerMs: number, nowMs: number): void {
    const seen = this.#of(address)
    seen.firstAnswerMs = seen.firstAnswerMs === null ? firstAnswerMs : mix(seen.firstAnswerMs, firstAnswerMs)
    seen.successRate = mix(seen.successRate, 1)
    seen.atMs = nowMs
  }

  /** Leaves its times as they are: who fails fast is not fast. */
  failed(address: string, nowMs: number): void {
    const seen = this.#of(address)
    seen.successRate = mix(seen.successRate, 0)
    seen.atMs = nowMs
  }

  #of(address: string): Seen {
    let seen = this.#seenByAddress.get(address)
    if (seen === undefined) this.#seenByAddress.set(address, (seen = { firstAnswerMs: null, successRate: 1, atMs: 0 }))
    return seen
  }

  #score({ address }: ProxyCandidate, typicalMs: number, nowMs: number): number {
    const seen = this.#seenByAddress.get(address)
    const trust = seen === undefined ? 0 : Math.max(0, 1 - (nowMs - seen.atMs) / FORGET_AFTER_MS)
    const expected = typicalMs + ((seen?.firstAnswerMs ?? typicalMs) - typicalMs) * trust
    const success = 1 + ((seen?.successRate ?? 1) - 1) * trust
    return (FLOOR_MS + expected) / Math.max(MIN_SUCCESS, success) ** 2
  }

  #typicalMs(): number {
    let [sum, count] = [0, 0]
    for (const { firstAnswerMs } of this.#seenByAddress.values())
      if (firstAnswerMs !== null) [sum, count] = [sum + firstAnswerMs, count + 1]
    return count === 0 ? 0 : sum / count
  }
}

/** Load for its size, times price: smaller is better. */
function weightOf({ running, share }: ProxyCandidate, typical: ProxyShare, maxCoefficient: number): number {
  const { places, others, coefficient } = share ?? typical
  if (places === 0) return NOBODY_PENALTY * (running + 1)
  return ((running + others + 1) / places) * (1 + coefficient / Math.max(1, maxCoefficient))
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
