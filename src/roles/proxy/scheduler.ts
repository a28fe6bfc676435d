/**
 * Which worker gets a request. Of a few workers drawn at random (and those that a hint names), the one with the lowest
 * score: load, times what its first answer is expected to take, times its price under the caller's cap; less where the
 * prompt's beginning is likely in its cache, more where it fails or has just come. Knows no clock: times are arguments.
 */
import type { Abilities, Random } from '../../util/index.ts'
import { letsThrough } from './breaker.ts'
import { fitnessOf, type Lack, type Needs } from './needs.ts'
import { type AnswerKind, mixed, type Verdict, WorkerRecord } from './worker-record.ts'

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
  /** What its engine can do; null where it has not said. */
  readonly abilities: Abilities | null
  /** What it calls itself at every proxy; null where it has not said. */
  readonly instance: Uint8Array | null
  /** What it proved. */
  readonly evidence: string
  readonly running: number
  /** Counts up with every request given; smaller means idle for longer. */
  readonly lastGiven: number
  readonly record: WorkerRecord
}

type MutableSlot = { -readonly [K in keyof WorkerSlot]: WorkerSlot[K] }

/** What a request asks of a worker. */
export interface Wanted {
  readonly model: string
  readonly maxCoefficient: number
  /** 3 for encrypted requests, else 0. */
  readonly minVersion: number
  /** What a worker must be able to do for it. */
  readonly needs?: Needs
  readonly kind?: AnswerKind
  /** Connections that have had this request already. */
  readonly tried?: ReadonlySet<number> | null
  /** Where the prompt's beginning was seen: `share` of it, in [0, 1]. */
  readonly warm?: { readonly connectionIds: readonly number[]; readonly share: number } | null
  /** A connection that has just become free: looked at in any case. */
  readonly freed?: number | undefined
}

export type Choice =
  | {
      readonly slot: WorkerSlot
      readonly score: number
      /** How many workers it was chosen from. */
      readonly candidates: number
      /** Share of the prompt that this worker is likely to have in its cache. */
      readonly warm: number
    }
  /** Nobody ever offered this model. */
  | { readonly none: 'unknown-model' }
  /** The model was offered once, but nobody takes requests since then; null: nobody ever has. */
  | { readonly none: 'no-workers'; readonly sinceMs: number | null }
  /** Workers at a fitting price are there, but full. `lowestCoefficient`: of a free one above the cap, if any. */
  | { readonly none: 'busy'; readonly lowestCoefficient?: number }
  /** Everybody there has said that it cannot do what the request asks for. */
  | { readonly none: 'unfit'; readonly lacks: Lack }
  /** Every worker is above the caller's cap. */
  | { readonly none: 'too-expensive'; readonly lowestCoefficient: number }
  /** All that fit have had the request already. */
  | { readonly none: 'all-tried' }

export const baseModelName = (full: string): string => full.split('@', 1)[0] as string

/** So many are looked at where there are more: two would do for balance, more find cheap, fast and warm ones. */
export const SAMPLE = 8
/** Added to every expected time: differences far below it are noise of the network, and must not unbalance the load. */
const FLOOR_MS = 100
/** A prompt that is all in the cache makes a worker this much more attractive. */
const WARM_WEIGHT = 0.6
/** Whoever has room for all that the request may bring goes first, however busy. */
const TIGHT_PENALTY = 1_000
/** A worker that always fails still gets a request now and then, where no breaker says otherwise. */
const MIN_SUCCESS = 0.05

interface ModelWorkers {
  readonly slots: MutableSlot[]
  readonly indexById: Map<number, number>
  /** Free places of enabled workers. */
  free: number
  /** All places of enabled workers. */
  places: number
  /** When the last of them went; null before that, and while there are some. */
  goneMs: number | null
  /** Enabled workers that have said what they can do. */
  picky: number
  /** Lowest coefficient of enabled workers; NaN when it has to be looked up anew. */
  lowest: number
  readonly typicalMs: Record<AnswerKind, number | null>
}

export class WorkerPool {
  readonly #random: Pick<Random, 'fraction'>
  readonly #modelsByName = new Map<string, ModelWorkers>()
  readonly #slotsById = new Map<number, MutableSlot>()
  #given = 0

  constructor(random: Pick<Random, 'fraction'>) {
    this.#random = random
  }

  /** Listed at once, but disabled until the worker completes its handshake. */
  add(
    worker: Pick<WorkerSlot, 'connectionId' | 'model' | 'version' | 'capacity' | 'coefficient'> &
      Partial<Pick<WorkerSlot, 'evidence'>>,
    nowMs: number,
  ): void {
    const { connectionId, model, version, capacity, coefficient, evidence = 'none' } = worker
    const slot: MutableSlot = {
      connectionId,
      model,
      version,
      capacity,
      coefficient,
      enabled: false,
      abilities: null,
      instance: null,
      evidence,
      running: 0,
      lastGiven: 0,
      record: new WorkerRecord(nowMs),
    }
    const name = baseModelName(model)
    let of = this.#modelsByName.get(name)
    if (of === undefined) {
      of = {
        slots: [],
        indexById: new Map(),
        free: 0,
        places: 0,
        goneMs: null,
        picky: 0,
        lowest: Number.NaN,
        typicalMs: { streamed: null, whole: null },
      }
      this.#modelsByName.set(name, of)
    }
    of.indexById.set(connectionId, of.slots.push(slot) - 1)
    this.#slotsById.set(connectionId, slot)
  }

  remove(connectionId: number, nowMs: number): void {
    const slot = this.#slotsById.get(connectionId)
    if (slot === undefined) return
    this.#slotsById.delete(connectionId)
    const of = this.#of(slot)
    this.#count(slot, -1)
    this.#note(of, slot.enabled, nowMs)
    const index = of.indexById.get(connectionId) as number
    const last = of.slots.pop() as MutableSlot
    of.indexById.delete(connectionId)
    if (last === slot) return
    of.slots[index] = last
    of.indexById.set(last.connectionId, index)
  }

  update(
    connectionId: number,
    change: Partial<Pick<WorkerSlot, 'enabled' | 'coefficient' | 'abilities' | 'instance'>>,
    nowMs: number,
  ): void {
    const slot = this.#slotsById.get(connectionId)
    if (slot === undefined) return
    this.#count(slot, -1)
    const wasEnabled = slot.enabled
    Object.assign(slot, change)
    this.#count(slot, 1)
    this.#note(this.#of(slot), wasEnabled, nowMs)
  }

  choose(wanted: Wanted, nowMs: number): Choice {
    const of = this.#modelsByName.get(wanted.model)
    if (of === undefined) return { none: 'unknown-model' }
    if (of.places === 0) return { none: 'no-workers', sinceMs: of.goneMs }
    // Where some have said what they cannot do, each is looked at: waiting for one that is not fit helps nobody.
    const isSure = of.picky === 0 || wanted.needs === undefined
    if (of.free === 0 && isSure && !wanted.tried?.size && this.#lowest(of) <= wanted.maxCoefficient)
      return { none: 'busy' }
    const best = new Best(wanted, of.typicalMs[wanted.kind ?? 'streamed'] ?? 0, nowMs)
    if (of.slots.length <= 2 * SAMPLE) for (const slot of of.slots) best.look(slot)
    else {
      const named = wanted.freed === undefined ? NOBODY : [wanted.freed]
      for (const ids of [wanted.warm?.connectionIds ?? NOBODY, named])
        for (const id of ids) {
          const index = of.indexById.get(id)
          if (index !== undefined) best.look(of.slots[index] as MutableSlot)
        }
      for (let i = 0; i < SAMPLE; i++)
        best.look(of.slots[Math.floor(this.#random.fraction() * of.slots.length)] as MutableSlot)
      // Nearly all are full, broken or dear: now each is worth a look.
      if (best.whole === null) for (const slot of of.slots) best.look(slot)
    }
    return best.choice()
  }

  /** Takes one place of the worker's capacity; `finish` gives it back. */
  begin(connectionId: number, nowMs: number): void {
    const slot = this.#slotsById.get(connectionId)
    if (slot === undefined) return
    this.#count(slot, -1)
    slot.running++
    this.#count(slot, 1)
    slot.lastGiven = ++this.#given
    slot.record.sent(nowMs)
  }

  finish(connectionId: number, verdict: Verdict, nowMs: number): void {
    const slot = this.#slotsById.get(connectionId)
    if (slot === undefined) return
    this.#count(slot, -1)
    slot.running--
    this.#count(slot, 1)
    slot.record.ended(verdict, nowMs)
    if (verdict.is !== 'ok') return
    const { typicalMs } = this.#of(slot)
    typicalMs[verdict.kind] = mixed(typicalMs[verdict.kind], verdict.firstAnswerMs)
  }

  slot(connectionId: number): WorkerSlot | undefined {
    return this.#slotsById.get(connectionId)
  }

  slots(): readonly WorkerSlot[] {
    return [...this.#slotsById.values()]
  }

  /** Whether no worker of any model has ever come. */
  get isEmpty(): boolean {
    return this.#modelsByName.size === 0
  }

  /** Whether anybody ever offered it. */
  knows(model: string): boolean {
    return this.#modelsByName.has(model)
  }

  /** Requests that the enabled workers of a model take at once, and how many more they take now. */
  places(model: string): { readonly all: number; readonly free: number } {
    const of = this.#modelsByName.get(model)
    return { all: of?.places ?? 0, free: of?.free ?? 0 }
  }

  /** As `choose` would see it for a caller without a cap; lower is better. For people. */
  score(slot: WorkerSlot, nowMs: number): number {
    const typicalMs = this.#of(slot).typicalMs.streamed ?? 0
    return scoreOf(slot, { maxCoefficient: slot.coefficient, kind: 'streamed', warm: 0 }, typicalMs, nowMs)
  }

  /** Every model that was ever offered, with its workers now. */
  models(): readonly { readonly name: string; readonly slots: readonly WorkerSlot[] }[] {
    return [...this.#modelsByName].map(([name, { slots }]) => ({ name, slots: [...slots] }))
  }

  #of(slot: WorkerSlot): ModelWorkers {
    return this.#modelsByName.get(baseModelName(slot.model)) as ModelWorkers
  }

  /** Takes the slot out of the sums before a change, and puts it in after it. */
  #count(slot: WorkerSlot, sign: 1 | -1): void {
    if (!slot.enabled) return
    const of = this.#of(slot)
    of.places += sign * slot.capacity
    of.free += sign * Math.max(0, slot.capacity - slot.running)
    if (slot.abilities !== null) of.picky += sign
    of.lowest = Number.NaN
  }

  #note(of: ModelWorkers, wasEnabled: boolean, nowMs: number): void {
    if (of.places > 0) of.goneMs = null
    else if (wasEnabled) of.goneMs = nowMs
  }

  #lowest(of: ModelWorkers): number {
    if (Number.isNaN(of.lowest)) {
      of.lowest = Number.POSITIVE_INFINITY
      for (const { enabled, coefficient } of of.slots) if (enabled) of.lowest = Math.min(of.lowest, coefficient)
    }
    return of.lowest
  }
}

const NOBODY: readonly number[] = []

const warmShare = ({ connectionId }: WorkerSlot, warm: Wanted['warm']): number =>
  warm?.connectionIds.includes(connectionId) === true ? warm.share : 0

/** The best of those looked at, and why it is nobody. */
class Best {
  /** Lowest score of those that work. */
  whole: MutableSlot | null = null
  /** Lowest score of those whose breaker is open: better than nobody. */
  #broken: MutableSlot | null = null
  #wholeScore = Number.POSITIVE_INFINITY
  #brokenScore = Number.POSITIVE_INFINITY
  #looked = 0
  #someEnabled = false
  #someFit = false
  #lack: Lack | null = null
  #someWork = false
  #someFull = false
  #someTried = false
  #lowestFree = Number.POSITIVE_INFINITY
  #lowestAny = Number.POSITIVE_INFINITY
  readonly #wanted: Wanted
  readonly #typicalMs: number
  readonly #nowMs: number

  constructor(wanted: Wanted, typicalMs: number, nowMs: number) {
    this.#wanted = wanted
    this.#typicalMs = typicalMs
    this.#nowMs = nowMs
  }

  look(slot: MutableSlot): void {
    const { maxCoefficient, minVersion, kind = 'streamed', tried, warm, needs } = this.#wanted
    if (!slot.enabled) return
    this.#someEnabled = true
    const fitness = fitnessOf(slot.abilities, needs)
    if (typeof fitness !== 'string') {
      this.#lack ??= fitness
      return
    }
    this.#someFit = true
    if (slot.version < minVersion) return
    const isFree = slot.running < slot.capacity
    if (slot.coefficient > maxCoefficient) {
      this.#lowestAny = Math.min(this.#lowestAny, slot.coefficient)
      if (isFree) this.#lowestFree = Math.min(this.#lowestFree, slot.coefficient)
      return
    }
    if (tried?.has(slot.connectionId)) {
      this.#someTried = true
      return
    }
    const works = letsThrough(slot.record.breaker, this.#nowMs)
    this.#someWork ||= works
    if (!isFree) {
      this.#someFull = true
      return
    }
    this.#looked++
    const share = warmShare(slot, warm)
    const usual = scoreOf(slot, { maxCoefficient, kind, warm: share }, this.#typicalMs, this.#nowMs)
    const score = fitness === 'tight' ? usual * TIGHT_PENALTY : usual
    if (works) {
      if (score < this.#wholeScore || (score === this.#wholeScore && isOlder(slot, this.whole)))
        [this.whole, this.#wholeScore] = [slot, score]
    } else if (score < this.#brokenScore) [this.#broken, this.#brokenScore] = [slot, score]
  }

  choice(): Choice {
    // With every breaker open something else is wrong than the workers, or all is lost anyway: then each may be tried.
    const slot = this.whole ?? (this.#someWork ? null : this.#broken)
    if (slot !== null) {
      const score = slot === this.whole ? this.#wholeScore : this.#brokenScore
      const { warm } = this.#wanted
      return {
        slot,
        score,
        candidates: this.#looked,
        warm: warmShare(slot, warm),
      }
    }
    if (!this.#someEnabled) return { none: 'no-workers', sinceMs: null }
    if (!this.#someFit && this.#lack !== null) return { none: 'unfit', lacks: this.#lack }
    if (this.#someFull || this.#broken !== null)
      return { none: 'busy', ...(Number.isFinite(this.#lowestFree) ? { lowestCoefficient: this.#lowestFree } : {}) }
    if (this.#someTried) return { none: 'all-tried' }
    return Number.isFinite(this.#lowestAny)
      ? { none: 'too-expensive', lowestCoefficient: this.#lowestAny }
      : { none: 'busy' }
  }
}

const isOlder = (a: WorkerSlot, b: WorkerSlot | null): boolean => b === null || a.lastGiven < b.lastGiven

/** Lower is better. Proportional to the load, so that workers of one speed fill evenly, and a fast one gets more. */
function scoreOf(
  { running, capacity, coefficient, record }: WorkerSlot,
  wanted: { readonly maxCoefficient: number; readonly kind: AnswerKind; readonly warm: number },
  typicalMs: number,
  nowMs: number,
): number {
  const load = (running + 1) / capacity
  const expected = FLOOR_MS + record.expectedMs(wanted.kind, typicalMs, nowMs)
  const price = 1 + coefficient / Math.max(1, wanted.maxCoefficient)
  const success = Math.max(MIN_SUCCESS, record.successRate) ** 2
  return (load * expected * price * (1 - WARM_WEIGHT * wanted.warm)) / (success * record.share(nowMs))
}
