/**
 * Which of the connected proxies gets a request: the least busy by our own requests, times how soon it answers. Pure: times
 * are arguments. What a proxy's workers can do it knows itself; here only what we have seen of it counts.
 */
export interface ProxyCandidate {
  readonly connectionId: number
  /** `host:port`: outlives the connection. */
  readonly address: string
  /** Requests of ours that run there. */
  readonly running: number
}

/** Weight of the newest observation. */
const NEWEST = 0.2
/** Differences far below it are noise. */
const FLOOR_MS = 100
const MIN_SUCCESS = 0.05
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
  choose<C extends ProxyCandidate>(candidates: readonly C[], tried: ReadonlySet<number>, nowMs: number): C | null {
    const typicalMs = this.#typicalMs()
    let best: C | null = null
    let lowest = Number.POSITIVE_INFINITY
    for (const candidate of candidates) {
      if (tried.has(candidate.connectionId)) continue
      const score = this.#score(candidate, typicalMs, nowMs)
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

  #score({ address, running }: ProxyCandidate, typicalMs: number, nowMs: number): number {
    const seen = this.#seenByAddress.get(address)
    const trust = seen === undefined ? 0 : Math.max(0, 1 - (nowMs - seen.atMs) / FORGET_AFTER_MS)
    const expected = typicalMs + ((seen?.firstAnswerMs ?? typicalMs) - typicalMs) * trust
    const success = 1 + ((seen?.successRate ?? 1) - 1) * trust
    return ((running + 1) * (FLOOR_MS + expected)) / Math.max(MIN_SUCCESS, success) ** 2
  }

  #typicalMs(): number {
    let [sum, count] = [0, 0]
    for (const { firstAnswerMs } of this.#seenByAddress.values())
      if (firstAnswerMs !== null) [sum, count] = [sum + firstAnswerMs, count + 1]
    return count === 0 ? 0 : sum / count
  }
}

const mix = (before: number, observed: number): number => before + NEWEST * (observed - before)
