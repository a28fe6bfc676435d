/**
 * Answers the lines of all batches: takes them in turn, sends them when the network has room, keeps each answer before it counts,
 * and waits out every want of room. An attempt is on the disk before it leaves, so that after a crash it is known which lines may
 * have been charged.
 */
import type { Gateway } from '../gateway/index.ts'
import type { ChargeRecall, Inference, ModelOffer } from '../roles/client/index.ts'
import {
  type Clock,
  type CocoonError,
  type Log,
  type Metrics,
  type Random,
  type Timer,
  toCocoonError,
  toHex,
} from '../util/index.ts'
import { isSpent, payerOf } from './budget-room.ts'
import type { LineAnswer, LineDesk, PreparedLine } from './desk.ts'
import { batchError } from './errors.ts'
import { type BatchRun, type Entry, fitsMaxCost, isDrained, type Lane, newRun, type WaitReason } from './lanes.ts'
import type { BatchOptions } from './options.ts'
import { outputLine } from './output-line.ts'
import { answered, heldUp, refused } from './pace.ts'
import { createPlaces, type Place } from './places.ts'
import { added, NO_COST, NO_USAGE } from './progress.ts'
import type { AttemptCost, PendingLine } from './records.ts'
import { findRoom } from './room.ts'
import type { StoreAccess } from './store-access.ts'
import type { StoredBytes } from './vault.ts'
import { judge } from './verdict.ts'

export type RunnerAccounts = Pick<Gateway, 'budgets' | 'written'>

export interface RunnerDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly desk: LineDesk
  readonly accounts: RunnerAccounts
  readonly inference: Pick<Inference, 'models'>
  /** Null where nobody can be asked what an attempt was charged. */
  readonly recall: Pick<ChargeRecall, 'proxies'> | null
  readonly store: StoreAccess
  readonly isInteractiveWaiting: () => boolean
  /** Every line has its answer. */
  readonly onAnswered: (entry: Entry) => void
  /** No further line can run: the key has ended, the input is gone. */
  readonly onStop: (batch: string, why: CocoonError) => void
}

export interface Runner {
  /** Begins or goes on with the lines that wait. Takes over `input`. */
  add(entry: Entry, input: StoredBytes, models: readonly string[]): void
  /** Sends nothing more of it; resolves when nothing of it is under way. */
  stop(batch: string): Promise<void>
  /** What holds a batch up; null while lines are under way. */
  waitingFor(batch: string): WaitReason | null
  readonly running: number
  /** Sends nothing more; resolves when nothing is under way. */
  drain(): Promise<void>
  /** Gives up what is under way: its lines are asked again after the next start. */
  abort(): void
}

/** Offers are asked for this often while lines wait. */
const OFFERS_MS = 2_000
/** Older ones say nothing any more: those of the batch before, those of a proxy that has gone. */
const OFFERS_OLD_MS = 3 * OFFERS_MS
const TICK_MS = 1_000
/** A proxy that was just restarted knows no workers yet. */
const UNKNOWN_MODEL_MS = 5 * 60_000
/** Lines read from the store at a time. */
const QUEUE_LINES = 64
const REQUEST_BYTES = 16

export function createRunner(deps: RunnerDeps, options: BatchOptions): Runner {
  const { clock, desk, store } = deps
  const runs = new Map<string, BatchRun>()
  const cancels = new Set<() => void>()
  let offers: { readonly atMs: number; readonly byModel: ReadonlyMap<string, ModelOffer> | null } | null = null
  let isAsking = false
  const places = createPlaces()
  let running = 0
  let turn = 0
  let state: 'open' | 'draining' | 'aborted' = 'open'
  let drained: (() => void)[] = []
  let timer: Timer | null = null
  const lines = deps.metrics.counter('batch_lines_total', 'Lines of batches by what became of an attempt', ['result'])
  deps.metrics.gauge('batch_lines_running', 'Lines of batches under way', () => running)

  const lanes = (): Lane[] => [...runs.values()].flatMap((run) => (run.stopped === null ? run.lanes : []))

  function pump(): void {
    timer?.cancel()
    timer = null
    if (state !== 'open' || runs.size === 0) return
    timer = clock.after(TICK_MS, pump)
    void askOffers()
    const waiting = lanes()
    turn++
    for (let i = 0; i < waiting.length && running < options.maxRunning; i++)
      begin(waiting[(turn + i) % waiting.length] as Lane)
  }

  /** Sends what may go out of one lane. */
  function begin(lane: Lane): void {
    const { run, model } = lane
    while (running < options.maxRunning && state === 'open' && run.stopped === null) {
      if (lane.queue.length === 0) return void fill(lane)
      const room = roomOf(lane)
      lane.waiting = typeof room === 'string' ? room : null
      if (typeof room === 'string') return
      const line = lane.queue.shift() as PendingLine
      lane.running++
      run.running++
      running++
      const place = places.take(model)
      void attempt(lane, line, room.coefficient, place)
        .catch((error: unknown) => giveUp(lane, line, toCocoonError(error)))
        .finally(() => {
          lane.running--
          run.running--
          running--
          place.free()
          ended(run)
        })
    }
  }

  function roomOf(lane: Lane): WaitReason | { readonly coefficient: number } {
    const { model, pace } = lane
    const { maxCoefficient } = lane.run.entry.batch
    const now = clock.now()
    if (store.trouble() !== null) return 'disk'
    if (deps.isInteractiveWaiting()) return 'interactive'
    if (now < pace.pausedUntilMs) return lane.pausedFor
    if (lane.running >= pace.width) return 'busy'
    if (offers === null || offers.byModel === null || now - offers.atMs > OFFERS_OLD_MS) return 'no-proxy'
    const room = findRoom(offers.byModel.get(model), maxCoefficient, options.maxLoadPercent, places.beyondTold(model))
    switch (room.at) {
      case 'coefficient':
        return room
      case 'dearer':
        return 'price'
      case 'full':
        return 'busy'
      case 'nowhere':
        lane.unknownSinceMs ??= now
        // By now the proxy's own word is wanted.
        return now - lane.unknownSinceMs > UNKNOWN_MODEL_MS ? { coefficient: maxCoefficient } : 'no-workers'
      default:
        return room satisfies never
    }
  }

  async function askOffers(): Promise<void> {
    if (isAsking || (offers !== null && clock.now() - offers.atMs < OFFERS_MS)) return
    isAsking = true
    const told = places.asked()
    const byModel = await deps.inference.models().then(
      ({ models }) => new Map(models.map((offer) => [offer.id, offer])),
      () => null,
    )
    isAsking = false
    offers = { atMs: clock.now(), byModel }
    told()
    pump()
  }

  async function fill(lane: Lane): Promise<void> {
    if (lane.isFilling || lane.isAtEnd) return
    lane.isFilling = true
    try {
      const more = await store.pending(lane.run.entry.batch.id, lane.model, lane.cursor, QUEUE_LINES)
      lane.queue.push(...more)
      lane.cursor = more.at(-1)?.seq ?? lane.cursor
      lane.isAtEnd = more.length < QUEUE_LINES
    } catch (error) {
      deps.log.error('lines of a batch cannot be read', { batch: lane.run.entry.batch.id, message: String(error) })
      return
    } finally {
      lane.isFilling = false
    }
    ended(lane.run)
  }

  /** Looks whether that was the last one, and what can go out now. */
  function ended(run: BatchRun): void {
    const { id } = run.entry.batch
    if (run.running === 0 && run.stopped !== null) finish(id, run)
    else if (run.stopped === null && isDrained(run) && runs.get(id) === run) {
      finish(id, run)
      deps.onAnswered(run.entry)
    }
    if (running === 0) for (const tell of drained.splice(0)) tell()
    pump()
  }

  function finish(id: string, run: BatchRun): void {
    runs.delete(id)
    void run.input.close()
    run.stopped?.()
  }

  async function attempt(lane: Lane, line: PendingLine, coefficient: number, place: Place): Promise<void> {
    const { run } = lane
    const { batch } = run.entry
    const bytes = await run.input.at(line.at, line.bytes)
    const request = toHex(deps.random.bytes(REQUEST_BYTES))
    const sentTo = deps.recall?.proxies() ?? null
    const proxies = sentTo === null ? null : new Set(sentTo)
    const terms = { endpoint: batch.endpoint, caller: batch.caller, maxCoefficient: coefficient, proxies }
    const prepared = desk.prepare(bytes, terms, request)
    const fits = fitsMaxCost(run, prepared.maxCostNano)
    if (fits === 'never') return refuse(lane, line, prepared)
    if (fits === 'later') {
      holdUp(lane)
      lane.queue.push(line)
      return
    }
    run.reservedNano += prepared.maxCostNano
    try {
      const { maxCostNano } = prepared
      const sent = { request, maxCostNano, sentMs: clock.now(), sentTo }
      await store.keep([{ put: 'sent', batch: batch.id, seq: line.seq, ...sent }])
      // A worker is free when the answer has come, not when that is on our disk.
      const { answer, cancel } = prepared.run(() => place.free())
      place.left()
      cancels.add(cancel)
      const told = await answer.finally(() => cancels.delete(cancel))
      if (state === 'aborted') return
      // The receipt first: an answer on the disk without one would be an answer for nothing.
      await deps.accounts.written()
      await settle(lane, line, request, prepared, told)
    } finally {
      run.reservedNano -= prepared.maxCostNano
    }
  }

  async function settle(
    lane: Lane,
    line: PendingLine,
    request: string,
    prepared: PreparedLine,
    told: LineAnswer,
  ): Promise<void> {
    const now = clock.now()
    const verdict = judge(told)
    lines.add(1, { result: verdict.is })
    switch (verdict.is) {
      case 'answered':
      case 'failed':
        return answer(lane, line, request, told)
      case 'fault':
        if (line.faults + 1 >= options.attempts) return answer(lane, line, request, told)
        slowDown(lane, 'faults', null)
        return wait(lane, { ...line, faults: line.faults + 1 }, told.cost)
      case 'no-room':
        slowDown(lane, verdict.reason, verdict.retryAfterMs)
        return wait(lane, line, told.cost)
      case 'unknown-model':
        lane.unknownSinceMs ??= now
        if (now - lane.unknownSinceMs > UNKNOWN_MODEL_MS) return answer(lane, line, request, told)
        slowDown(lane, 'no-workers', null)
        return wait(lane, line, told.cost)
      case 'over-budget': {
        const payer = payerOf(lane.run.entry.batch, prepared.model)
        if (isSpent(deps.accounts.budgets.list(), payer, prepared.maxCostNano)) return answer(lane, line, request, told)
        holdUp(lane)
        return wait(lane, line, told.cost)
      }
      case 'key-ended':
        await wait(lane, line, told.cost)
        return deps.onStop(lane.run.entry.batch.id, told.error as CocoonError)
      default:
        return verdict satisfies never
    }
  }

  function slowDown(lane: Lane, reason: WaitReason, retryAfterMs: number | null): void {
    lane.pace = refused(lane.pace, clock.now(), retryAfterMs, deps.random)
    lane.pausedFor = reason
  }

  /** Until others that are under way have ended. */
  function holdUp(lane: Lane): void {
    lane.pace = heldUp(lane.pace, clock.now())
    lane.pausedFor = 'budget'
  }

  /** For good. */
  async function answer(lane: Lane, line: PendingLine, request: string, told: LineAnswer): Promise<void> {
    const { entry } = lane.run
    const { status, body, cost, usage } = told
    const isGood = told.error === null && status < 300
    const output = outputLine(entry.batch.id, line.seq, line.customId, { response: { status, request, body } })
    await store.keep([{ put: 'answer', batch: entry.batch.id, seq: line.seq, isGood, cost, usage, output }])
    entry.progress = added(entry.progress, isGood ? 'completed' : 'failed', cost, usage)
    if (told.error !== null) return
    lane.pace = answered(lane.pace, options.maxRunning)
    lane.unknownSinceMs = null
  }

  /** Not even asked: it could cost more than the batch may. */
  async function refuse(lane: Lane, line: PendingLine, { maxCostNano }: PreparedLine): Promise<void> {
    const { entry } = lane.run
    const why = batchError(
      'payment.batch-max-cost',
      `This line can cost ${maxCostNano} nanoTON, more than the batch’s max_cost has left: lower its max_tokens, or give the batch more.`,
    )
    const error = { code: why.code, message: why.message }
    const output = outputLine(entry.batch.id, line.seq, line.customId, { error })
    const nothing = { isGood: false, cost: NO_COST, usage: NO_USAGE }
    await store.keep([{ put: 'answer', batch: entry.batch.id, seq: line.seq, ...nothing, output }])
    entry.progress = added(entry.progress, 'failed', NO_COST, NO_USAGE)
  }

  async function wait(lane: Lane, line: PendingLine, cost: AttemptCost): Promise<void> {
    const { entry } = lane.run
    await store.keep([{ put: 'waiting', batch: entry.batch.id, seq: line.seq, faults: line.faults, cost }])
    entry.progress = added(entry.progress, null, cost, NO_USAGE)
    lane.queue.push(line)
  }

  /** The disk or the input failed: the line stays as it is there, and is looked at again after the next start. */
  function giveUp(lane: Lane, line: PendingLine, why: CocoonError): void {
    if (state === 'aborted') return
    const { id } = lane.run.entry.batch
    deps.log.error('a line of a batch was given up', {
      batch: id,
      line: line.seq,
      code: why.code,
      message: why.message,
    })
    if (why.code !== 'capacity.batch-failed') deps.onStop(id, why)
  }

  return {
    add(entry, input, models) {
      if (state === 'aborted') return void input.close()
      const run = newRun(entry, input, models)
      runs.set(entry.batch.id, run)
      ended(run)
    },
    stop(batch) {
      const run = runs.get(batch)
      if (run === undefined) return Promise.resolve()
      return new Promise((resolve) => {
        run.stopped = resolve
        ended(run)
      })
    },
    waitingFor(batch) {
      const run = runs.get(batch)
      if (run === undefined || run.running > 0) return null
      return run.lanes.find((lane) => lane.waiting !== null)?.waiting ?? null
    },
    get running() {
      return running
    },
    drain() {
      if (state === 'open') state = 'draining'
      return running === 0 ? Promise.resolve() : new Promise((resolve) => drained.push(resolve))
    },
    abort() {
      state = 'aborted'
      timer?.cancel()
      for (const cancel of cancels) cancel()
      for (const { input } of runs.values()) void input.close()
      runs.clear()
    },
  }
}
