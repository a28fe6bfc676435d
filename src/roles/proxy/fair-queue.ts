/**
 * A bounded queue that serves clients in proportion to nothing but their number: start-time fair queueing. Each item begins,
 * in virtual time, where its client's last one ended, or now; the earliest beginning is served first. So a client that
 * asks rarely is next, however many others wait, and one that floods waits for itself. Pure; knows no clock.
 */
export interface Waiting<T> {
  readonly client: string
  readonly item: T
  readonly cost: number
}

interface Entry<T> extends Waiting<T> {
  /** Virtual. */
  readonly startsAt: number
}

interface Flow<T> {
  readonly entries: Entry<T>[]
  /** Virtual time at which the client's last entry ends. */
  endsAt: number
}

/** An item whose price fits no free worker must not hold up others for ever, nor may the search. */
const MAX_LOOKED_AT = 32
/** Times as many as the one that comes: between clients of about the same load nobody is pushed out. */
const FAR_MORE = 2

export class FairQueue<T> {
  readonly #max: number
  readonly #flows = new Map<string, Flow<T>>()
  #virtual = 0
  #size = 0
  /** Clients with something waiting. */
  #clients = 0

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#size
  }

  get clients(): number {
    return this.#clients
  }

  waitingOf(client: string): number {
    return this.#flows.get(client)?.entries.length ?? 0
  }

  /**
   * @param cost of serving it, above 0: what is shared fairly
   * @returns who has to leave when the queue is full: `item`, or, where another client has far more waiting, that one's newest
   */
  add(client: string, cost: number, item: T): Waiting<T> | null {
    let flow = this.#flows.get(client)
    if (flow === undefined) this.#flows.set(client, (flow = { entries: [], endsAt: 0 }))
    const startsAt = Math.max(this.#virtual, flow.endsAt)
    flow.endsAt = startsAt + cost
    if (flow.entries.push({ client, item, cost, startsAt }) === 1) this.#clients++
    this.#size++
    return this.#size > this.#max ? this.#pushOut(flow) : null
  }

  /** Takes the first item, in fair order, for which `fits` gives something. */
  take<R>(fits: (item: T) => R | null): { readonly item: T; readonly fit: R } | null {
    const passed = new Set<Flow<T>>()
    for (let looked = 0; looked < MAX_LOOKED_AT; looked++) {
      const flow = this.#first(passed)
      if (flow === null) return null
      const entry = flow.entries[0] as Entry<T>
      const fit = fits(entry.item)
      if (fit !== null) {
        this.#virtual = Math.max(this.#virtual, entry.startsAt)
        this.#leave(entry.client, flow, 0)
        return { item: entry.item, fit }
      }
      passed.add(flow)
    }
    return null
  }

  /** Takes out everything for which `isOver` is true. */
  removeIf(isOver: (item: T) => boolean): T[] {
    const removed: T[] = []
    for (const [client, flow] of this.#flows)
      for (let i = flow.entries.length - 1; i >= 0; i--) {
        const { item } = flow.entries[i] as Entry<T>
        if (!isOver(item)) continue
        removed.push(item)
        this.#leave(client, flow, i)
      }
    this.#forgetIdle()
    return removed
  }

  remove(client: string, item: T): boolean {
    const flow = this.#flows.get(client)
    const index = flow?.entries.findIndex((entry) => entry.item === item) ?? -1
    if (flow === undefined || index < 0) return false
    this.#leave(client, flow, index)
    return true
  }

  #first(passed: ReadonlySet<Flow<T>>): Flow<T> | null {
    let first: Flow<T> | null = null
    let earliest = Number.POSITIVE_INFINITY
    for (const flow of this.#flows.values()) {
      const startsAt = flow.entries[0]?.startsAt
      if (startsAt === undefined || startsAt >= earliest || passed.has(flow)) continue
      ;[first, earliest] = [flow, startsAt]
    }
    return first
  }

  /** Whoever has waited already is worth more than who has just come: only for fairness' sake it has to leave. */
  #pushOut(newest: Flow<T>): Waiting<T> {
    let flow = newest
    for (const other of this.#flows.values()) if (other.entries.length > flow.entries.length) flow = other
    if (flow.entries.length <= FAR_MORE * newest.entries.length) flow = newest
    const last = flow.entries.at(-1) as Entry<T>
    flow.endsAt = last.startsAt
    this.#leave(last.client, flow, flow.entries.length - 1)
    return last
  }

  #leave(client: string, flow: Flow<T>, index: number): void {
    flow.entries.splice(index, 1)
    this.#size--
    if (flow.entries.length > 0) return
    this.#clients--
    // What it has had lately still counts, or going idle for a moment would be a way to the front.
    if (flow.endsAt <= this.#virtual) this.#flows.delete(client)
    if (this.#size === 0) this.#flows.clear()
  }

  #forgetIdle(): void {
    for (const [client, flow] of this.#flows)
      if (flow.entries.length === 0 && flow.endsAt <= this.#virtual) this.#flows.delete(client)
  }
}
