/**
 * What was found out about evidence, so that a peer that comes back costs no signatures. Only facts are remembered, never a
 * verdict: the policy is asked anew every time. An entry ends with the first thing behind it; a failure is remembered for
 * seconds, so that one bad peer does not keep a node busy.
 */
interface Entry<Found> {
  readonly found: Found
  readonly untilMs: number
}

interface Ending {
  /** Null for a failure. */
  readonly facts: unknown
  readonly validUntilMs: number | null
}

/** Findings have some tens of checks, 20 kB or so: this bounds what strangers can fill. */
const MAX_ENTRIES = 2048
/** However long the collateral lives. */
export const MAX_EVIDENCE_AGE_MS = 3_600_000
const FAILURE_MS = 5_000

export class EvidenceMemory<Found extends Ending> {
  /** In the order of last use. */
  readonly #entries = new Map<string, Entry<Found>>()
  hits = 0
  misses = 0

  get size(): number {
    return this.#entries.size
  }

  get(key: string, nowMs: number): Entry<Found> | null {
    const entry = this.#entries.get(key)
    if (entry === undefined || nowMs > entry.untilMs) {
      this.#entries.delete(key)
      this.misses++
      return null
    }
    this.hits++
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry
  }

  /** Without counting as a use. */
  peek(key: string): Entry<Found> | null {
    return this.#entries.get(key) ?? null
  }

  set(key: string, found: Found, nowMs: number): Entry<Found> {
    const lifeMs = found.facts === null ? FAILURE_MS : MAX_EVIDENCE_AGE_MS
    const entry = { found, untilMs: Math.min(nowMs + lifeMs, found.validUntilMs ?? Number.POSITIVE_INFINITY) }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > MAX_ENTRIES && oldest !== undefined) this.#entries.delete(oldest)
    return entry
  }

  clear(): void {
    this.#entries.clear()
  }
}
