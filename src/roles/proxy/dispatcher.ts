/**
 * Who is served now, who waits and who is refused: the pool, a fair queue for each model, and admission by the wait that is
 * to be expected. Under overload a request that would come too late is refused at once, while its caller can still go
 * elsewhere, and the workers spend their time on those that will be in time. Pure: no clock, no sockets; gives effects.
 */
import { FairQueue } from './fair-queue.ts'
import type { Lack, Needs } from './needs.ts'
import { type PrefixKeys, PrefixMemory } from './prefix-memory.ts'
import { baseModelName, type Choice, type Wanted, type WorkerPool, type WorkerSlot } from './scheduler.ts'
import { type AnswerKind, mixed, type Verdict } from './worker-record.ts'

/** A request, as far as choosing and waiting go. */
export interface Job {
  readonly model: string
  /** Who is served fairly beside others. */
  readonly account: string
  /** About how many tokens it takes: what is shared fairly between clients. */
  readonly cost: number
  readonly maxCoefficient: number
  readonly kind: AnswerKind
  /** When its caller stops waiting. */
  readonly deadlineMs: number
  /** How long it may wait for a worker to come back, where it has lost the only one; absent: as long as any may wait. */
  readonly lostWorkerMs?: number | undefined
  readonly prefix: PrefixKeys
  /** What a worker must be able to do for it; absent: nothing that one could lack. */
  readonly needs?: Needs
  /** Connections that failed it. */
  tried: Set<number> | null
  /** Set while it waits. */
  waiting: { readonly sinceMs: number; readonly untilMs: number } | null
}

/** Why this worker: for the request's debug information and for `/status`. */
export type Why = Pick<Extract<Choice, { slot: WorkerSlot }>, 'score' | 'candidates' | 'warm'> & {
  readonly waitedMs: number
}

/** Why a request is not served. The first five are the pool's word, the others the queue's. */
export type Refusal = {
  readonly reason:
    | 'unknown-model'
    | 'no-workers'
    | 'price'
    | 'unfit'
    | 'all-tried'
    | 'busy'
    | 'queue-full'
    | 'queue-wait'
    | 'queue-displaced'
    | 'queue-expired'
  /** Of the cheapest worker that would do. */
  readonly lowestCoefficient?: number
  /** Where nobody is fit: what is missing. */
  readonly lacks?: Lack
  /** How long it would wait, or has waited. */
  readonly waitMs: number
  readonly retryAfterMs: number
}

export type Effect<J extends Job> =
  | { readonly do: 'start'; readonly job: J; readonly slot: WorkerSlot; readonly why: Why }
  | { readonly do: 'wait'; readonly job: J }
  | { readonly do: 'refuse'; readonly job: J; readonly refusal: Refusal }

export interface DispatchLimits {
  /** Waiting requests of one model; 0 refuses when all workers are busy. */
  readonly maxQueued: number
  readonly maxQueueWaitMs: number
  /** When this proxy began: workers are on their way to one that has just started. */
  readonly startedMs?: number
}

interface ModelQueue<J> {
  readonly queue: FairQueue<J>
  /** How long a request keeps its place; null before the first has ended. */
  serviceMs: number | null
}

/** Room for the service itself, whose time varies. */
const SERVICE_MARGIN = 1.5
/** Of its patience that a request may expect to wait behind others: who is let in should be served, not sent away late. */
const SURE_SHARE = 0.8
/** However slow the service seems: a first estimate may be wrong. */
const MIN_PATIENCE = 0.1
const MIN_RETRY_MS = 1_000
const MAX_RETRY_MS = 30_000
/** A worker that restarts, or whose engine does, is back within this. */
const BRIEF_ABSENCE_MS = 10_000
const BRIEF_RETRY_MS = 500
const ABSENT_RETRY_MS = 5_000
const NOTHING: readonly never[] = []

export class Dispatcher<J extends Job> {
  readonly #pool: WorkerPool
  readonly #limits: DispatchLimits
  readonly #queues = new Map<string, ModelQueue<J>>()
  readonly #prefixes = new PrefixMemory()
  #waiting = 0

  constructor(pool: WorkerPool, limits: DispatchLimits) {
    this.#pool = pool
    this.#limits = limits
  }

  get waiting(): number {
    return this.#waiting
  }

  /** A new request. Exactly one effect is about `job`; another may be about one that had to leave the queue for it. */
  offer(job: J, nowMs: number): readonly Effect<J>[] {
    const choice = this.#choose(job, nowMs)
    if ('slot' in choice) return [this.#start(job, choice, 0, nowMs)]
    if (choice.none !== 'busy') return [refuse(job, this.#refusalOf(choice, nowMs))]
    const expected = this.expectedWaitMs(job)
    const lowest = choice.lowestCoefficient
    const dearer = lowest === undefined ? {} : { lowestCoefficient: lowest }
    const no = (reason: Refusal['reason']): Effect<J> =>
      refuse(job, { reason, ...dearer, waitMs: expected, retryAfterMs: retryAfter(expected) })
    if (this.#limits.maxQueued === 0) return [no('busy')]
    const patience = this.#patience(job, nowMs)
    const isNext = this.#of(job.model).queue.size === 0
    if (expected > (isNext ? patience : SURE_SHARE * patience)) return [no('queue-wait')]
    return this.#enqueue(job, patience, nowMs, no)
  }

  /**
   * A request whose worker failed before anything was answered. Waits for a place where somebody untried is at work.
   * @param mayReturn the worker left: wait for another to come even if nobody is there, as long as its client would
   */
  again(job: J, nowMs: number, mayReturn: boolean): readonly Effect<J>[] {
    const choice = this.#choose(job, nowMs)
    if ('slot' in choice) return [this.#start(job, choice, 0, nowMs)]
    const isBusy = choice.none === 'busy'
    const mayWait = isBusy || (mayReturn && (choice.none === 'no-workers' || choice.none === 'all-tried'))
    const patience = Math.min(
      this.#patience(job, nowMs),
      isBusy ? Number.POSITIVE_INFINITY : (job.lostWorkerMs ?? Number.POSITIVE_INFINITY),
    )
    if (!mayWait || patience <= 0 || this.#limits.maxQueued === 0) return [refuse(job, this.#refusalOf(choice, nowMs))]
    const no = (reason: Refusal['reason']): Effect<J> => refuse(job, { reason, waitMs: 0, retryAfterMs: MIN_RETRY_MS })
    return this.#enqueue(job, patience, nowMs, no)
  }

  /** Whether somebody untried could take the request at once. */
  couldMove(job: J, nowMs: number): boolean {
    return 'slot' in this.#choose(job, nowMs)
  }

  /** Whether somebody untried could take it, now or later. */
  couldWait(job: J, nowMs: number): boolean {
    const choice = this.#choose(job, nowMs)
    return 'slot' in choice || (choice.none === 'busy' && this.#limits.maxQueued > 0)
  }

  /** A request has left its worker. Gives the place to those who wait. */
  finished(job: J, connectionId: number, verdict: Verdict, serviceMs: number, nowMs: number): readonly Effect<J>[] {
    this.#pool.finish(connectionId, verdict, nowMs)
    const of = this.#of(job.model)
    // What failed at once says nothing about how long work takes.
    if (verdict.is === 'ok') of.serviceMs = mixed(of.serviceMs, serviceMs)
    return this.pump(job.model, nowMs, connectionId)
  }

  /** Starts whoever can start. Call it when a worker came, was enabled or became cheaper, and on a cadence. */
  pump(model: string, nowMs: number, freed?: number): readonly Effect<J>[] {
    const queue = this.#queues.get(model)?.queue
    if (queue === undefined || queue.size === 0) return NOTHING
    const effects: Effect<J>[] = []
    while (queue.size > 0) {
      const taken = queue.take((job) => {
        const choice = this.#choose(job, nowMs, freed)
        return 'slot' in choice ? choice : null
      })
      if (taken === null) break
      this.#waiting--
      const waitedMs = nowMs - (taken.item.waiting?.sinceMs ?? nowMs)
      taken.item.waiting = null
      effects.push(this.#start(taken.item, taken.fit, waitedMs, nowMs))
    }
    return effects
  }

  /** On a cadence while somebody waits: ends what has waited too long, and tries workers that have recovered. */
  tick(nowMs: number): readonly Effect<J>[] {
    const effects: Effect<J>[] = []
    for (const [model, { queue }] of this.#queues) {
      if (queue.size === 0) continue
      effects.push(...this.pump(model, nowMs))
      for (const job of queue.removeIf((j) => nowMs >= (j.waiting?.untilMs ?? 0))) {
        this.#waiting--
        const waitMs = nowMs - (job.waiting?.sinceMs ?? nowMs)
        job.waiting = null
        const choice = this.#choose(job, nowMs)
        const dearer =
          'lowestCoefficient' in choice && choice.lowestCoefficient !== undefined
            ? { lowestCoefficient: choice.lowestCoefficient }
            : {}
        const retryAfterMs = retryAfter(this.expectedWaitMs(job))
        effects.push(refuse(job, { reason: 'queue-expired', ...dearer, waitMs, retryAfterMs }))
      }
    }
    return effects
  }

  /** Its caller has gone. */
  leave(job: J): void {
    if (job.waiting === null) return
    job.waiting = null
    if (this.#of(job.model).queue.remove(job.account, job)) this.#waiting--
  }

  /** How long a request of this client would wait for a place if it came now. */
  expectedWaitMs(job: Pick<Job, 'model' | 'account'>): number {
    const { queue, serviceMs } = this.#of(job.model)
    // In fair order nobody waits for more than as many of each other client as it has itself before it.
    const turns = queue.waitingOf(job.account) + 1
    const ahead = Math.min(queue.size, turns * queue.clients) + 1
    return (ahead * (serviceMs ?? 0)) / Math.max(1, this.#pool.places(job.model).all)
  }

  queues(): readonly {
    readonly model: string
    readonly waiting: number
    readonly clients: number
    readonly serviceMs: number | null
  }[] {
    return [...this.#queues].map(([model, { queue, serviceMs }]) => ({
      model,
      waiting: queue.size,
      clients: queue.clients,
      serviceMs,
    }))
  }

  #refusalOf(choice: Exclude<Choice, { slot: WorkerSlot }>, nowMs: number): Refusal {
    // Nobody has come yet: what this proxy does not know, it may be about to hear of.
    const sinceMs =
      choice.none === 'no-workers'
        ? choice.sinceMs
        : choice.none === 'unknown-model' && this.#pool.isEmpty
          ? (this.#limits.startedMs ?? null)
          : null
    if (sinceMs === null || nowMs - sinceMs >= BRIEF_ABSENCE_MS) return refusalOf(choice)
    return { reason: 'no-workers', waitMs: 0, retryAfterMs: BRIEF_RETRY_MS }
  }

  #of(model: string): ModelQueue<J> {
    const name = baseModelName(model)
    let of = this.#queues.get(name)
    if (of === undefined) {
      of = { queue: new FairQueue<J>(this.#limits.maxQueued), serviceMs: null }
      // Names come from callers: only those that somebody offered are kept.
      if (this.#pool.knows(name)) this.#queues.set(name, of)
    }
    return of
  }

  #choose(job: J, nowMs: number, freed?: number): Choice {
    const { model, maxCoefficient, kind, tried, prefix, needs } = job
    const warm = prefix.length === 0 ? null : this.#prefixes.recall(prefix)
    const wanted: Wanted = { model, maxCoefficient, minVersion: 0, kind, tried, warm, freed, ...(needs && { needs }) }
    return this.#pool.choose(wanted, nowMs)
  }

  #start(job: J, choice: Extract<Choice, { slot: WorkerSlot }>, waitedMs: number, nowMs: number): Effect<J> {
    const { slot, score, candidates, warm } = choice
    this.#pool.begin(slot.connectionId, nowMs)
    if (job.prefix.length > 0) this.#prefixes.remember(job.prefix, slot.connectionId)
    return { do: 'start', job, slot, why: { score, candidates, warm, waitedMs } }
  }

  #enqueue(
    job: J,
    patienceMs: number,
    nowMs: number,
    no: (reason: Refusal['reason']) => Effect<J>,
  ): readonly Effect<J>[] {
    const { queue } = this.#of(job.model)
    job.waiting = { sinceMs: nowMs, untilMs: nowMs + patienceMs }
    this.#waiting++
    const out = queue.add(job.account, job.cost, job)
    if (out === null) return [{ do: 'wait', job }]
    this.#waiting--
    out.item.waiting = null
    if (out.item === job) return [no('queue-full')]
    const retryAfterMs = retryAfter(this.expectedWaitMs(out.item))
    return [{ do: 'wait', job }, refuse(out.item, { reason: 'queue-displaced', waitMs: 0, retryAfterMs })]
  }

  /** How long it may wait and still be in time. */
  #patience({ model, deadlineMs }: J, nowMs: number): number {
    const left = deadlineMs - nowMs
    const spare = Math.max(MIN_PATIENCE * left, left - SERVICE_MARGIN * (this.#of(model).serviceMs ?? 0))
    return Math.min(this.#limits.maxQueueWaitMs, spare)
  }
}

const refuse = <J extends Job>(job: J, refusal: Refusal): Effect<J> => ({ do: 'refuse', job, refusal })

const retryAfter = (waitMs: number): number => Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, Math.ceil(waitMs)))

function refusalOf(choice: Exclude<Choice, { slot: WorkerSlot }>): Refusal {
  const rest = { waitMs: 0, retryAfterMs: MIN_RETRY_MS }
  switch (choice.none) {
    case 'too-expensive':
      return { reason: 'price', lowestCoefficient: choice.lowestCoefficient, ...rest }
    case 'no-workers':
      return { reason: 'no-workers', waitMs: 0, retryAfterMs: ABSENT_RETRY_MS }
    case 'unfit':
      return { reason: 'unfit', lacks: choice.lacks, ...rest }
    case 'busy':
    case 'unknown-model':
    case 'all-tried':
      return { reason: choice.none, ...rest }
  }
}
