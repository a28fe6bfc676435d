/**
 * Which worker gets a request. Workers are listed by base model name; among the enabled ones with a free slot, a fitting
 * price and protocol version, the relatively least loaded wins, then the cheaper, then the one idle for longest.
 */

/** One worker connection as the scheduler sees it. Mutated only by the pool. */
export interface WorkerSlot {
  readonly connectionId: number
  /** `name@commit:hash` as registered. */
  readonly model: string
  readonly version: number
  /** Requests this connection takes at once. */
  readonly capacity: number
  readonly coefficient: number
  readonly enabled: boolean
  readonly running: number
  /** Counts up with every request given; smaller means idle for longer. */
  readonly lastGiven: number
}

type MutableSlot = { -readonly [K in keyof WorkerSlot]: WorkerSlot[K] }

/** What a request asks of a worker. */
export interface Wanted {
  readonly model: string
  readonly maxCoefficient: number
  /** 3 for encrypted requests, else 0. */
  readonly minVersion: number
}

export type Choice =
  | { readonly slot: WorkerSlot }
  /** Nobody ever offered this model. */
  | { readonly none: 'unknown-model' }
  /** The model was offered once, but nobody who takes requests is connected now. */
  | { readonly none: 'no-workers' }
  /** Workers are there, but full. */
  | { readonly none: 'busy' }
  /** A free worker exists at `lowestCoefficient`, above the caller's cap. */
  | { readonly none: 'too-expensive'; readonly lowestCoefficient: number }

export const baseModelName = (full: string): string => full.split('@', 1)[0] as string

export class WorkerPool {
  readonly #slotsByModel = new Map<string, Map<number, MutableSlot>>()
  readonly #slotsById = new Map<number, MutableSlot>()
  #given = 0

  /** Listed at once, but disabled until the worker completes its handshake. */
  add(worker: Pick<WorkerSlot, 'connectionId' | 'model' | 'version' | 'capacity' | 'coefficient'>): void {
    const slot: MutableSlot = { ...worker, enabled: false, running: 0, lastGiven: 0 }
    const name = baseModelName(worker.model)
    let slots = this.#slotsByModel.get(name)
    if (slots === undefined) this.#slotsByModel.set(name, (slots = new Map()))
    slots.set(slot.connectionId, slot)
    this.#slotsById.set(slot.connectionId, slot)
  }

  remove(connectionId: number): void {
    const slot = this.#slotsById.get(connectionId)
    if (slot === undefined) return
    this.#slotsById.delete(connectionId)
    this.#slotsByModel.get(baseModelName(slot.model))?.delete(connectionId)
  }

  update(connectionId: number, change: Partial<Pick<WorkerSlot, 'enabled' | 'coefficient'>>): void {
    const slot = this.#slotsById.get(connectionId)
    if (slot !== undefined) Object.assign(slot, change)
  }

  choose(wanted: Wanted): Choice {
    const slots = this.#slotsByModel.get(wanted.model)
    if (slots === undefined) return { none: 'unknown-model' }
    let best: MutableSlot | undefined
    let lowest = Number.POSITIVE_INFINITY
    let someEnabled = false
    for (const slot of slots.values()) {
      if (!slot.enabled) continue
      someEnabled = true
      if (slot.running >= slot.capacity || slot.version < wanted.minVersion) continue
      if (slot.coefficient > wanted.maxCoefficient) lowest = Math.min(lowest, slot.coefficient)
      else if (best === undefined || isBetter(slot, best)) best = slot
    }
    if (best !== undefined) return { slot: best }
    // A caller waits a moment for a place, and longer for an engine that is down.
    if (!someEnabled) return { none: 'no-workers' }
    return Number.isFinite(lowest) ? { none: 'too-expensive', lowestCoefficient: lowest } : { none: 'busy' }
  }

  /** Takes one place of the worker's capacity; `finish` gives it back. */
  begin(connectionId: number): void {
    const slot = this.#slotsById.get(connectionId)
    if (slot === undefined) return
    slot.running++
    slot.lastGiven = ++this.#given
  }

  finish(connectionId: number): void {
    const slot = this.#slotsById.get(connectionId)
    if (slot !== undefined) slot.running--
  }

  slot(connectionId: number): WorkerSlot | undefined {
    return this.#slotsById.get(connectionId)
  }

  slots(): readonly WorkerSlot[] {
    return [...this.#slotsById.values()]
  }

  /** Every model that was ever offered, with its workers now. */
  models(): readonly { readonly name: string; readonly slots: readonly WorkerSlot[] }[] {
    return [...this.#slotsByModel].map(([name, slots]) => ({ name, slots: [...slots.values()] }))
  }
}

function isBetter(a: WorkerSlot, b: WorkerSlot): boolean {
  const load = a.running * b.capacity - b.running * a.capacity
  if (load !== 0) return load < 0
  if (a.coefficient !== b.coefficient) return a.coefficient < b.coefficient
  return a.lastGiven < b.lastGiven
}
