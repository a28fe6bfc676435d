/**
 * A proxy's scheduling on a virtual clock: seeded arrivals, thousands of simulated workers, and the very dispatcher that the
 * proxy runs. No sockets, no waiting: a minute of a busy network takes a second, and the same seed gives the same figures.
 */
import type { Dispatcher, Effect, Job, Verdict } from '../src/roles/proxy/index.ts'
import { type Random, seededRandom } from '../src/util/index.ts'

/** What chooses: the proxy's own, or one to compare it with. */
export interface Policy {
  join(worker: SimulatedWorker, nowMs: number): void
  offer(job: SimulatedJob, nowMs: number): readonly Effect<SimulatedJob>[]
  /** The worker failed it at once. */
  again(job: SimulatedJob, nowMs: number): readonly Effect<SimulatedJob>[]
  finished(
    ...[job, connectionId, verdict, serviceMs, nowMs]: Parameters<Dispatcher<SimulatedJob>['finished']>
  ): readonly Effect<SimulatedJob>[]
  tick(nowMs: number): readonly Effect<SimulatedJob>[]
  /** Its caller's time is over. */
  leave(job: SimulatedJob): void
}

export interface SimulatedWorker {
  readonly id: number
  readonly capacity: number
  /** 1 is usual, 3 takes three times as long. */
  readonly slowness: number
  /** Answers every request with an error, at once. */
  readonly isBroken: boolean
}

export interface SimulatedClient {
  readonly name: string
  /** Requests a second, at random (Poisson). */
  readonly rate: number
  /** Long prompts that it asks again and again, each with an end of its own; 0: all prompts differ. */
  readonly prompts: number
}

export interface Scenario {
  readonly seed: number
  readonly workers: readonly SimulatedWorker[]
  readonly clients: readonly SimulatedClient[]
  /** How long requests arrive. */
  readonly forMs: number
  /** A caller's patience. */
  readonly timeoutMs: number
  readonly meanServiceMs: number
}

export interface SimulatedJob extends Job {
  readonly arrivedMs: number
  readonly prompt: number
  /** Of a worker of usual speed. */
  readonly serviceMs: number
  startedMs: number
  at: number
  result: Result | null
}

export type Result =
  | { readonly is: 'served'; readonly waitedMs: number; readonly firstTokenMs: number }
  | { readonly is: 'refused'; readonly afterMs: number }
  | { readonly is: 'failed' | 'timeout' }

export interface Outcome {
  readonly client: string
  /** Since the first could arrive. */
  readonly arrivedMs: number
  readonly endedMs: number
  readonly result: Result
}

/** First tokens of a prompt that has to be read, and of one whose beginning the worker has read before. */
export const COLD_MS = 800
export const WARM_MS = 200
/** Prompts that one worker keeps. */
const CACHED_PROMPTS = 8
const FAILS_AFTER_MS = 5
const MAX_ATTEMPTS = 3
const TICK_MS = 100
const START_MS = 1_000_000_000
/** Spread of service times around their mean, as the deviation of their logarithm. */
const SPREAD = 0.6

export function simulate(scenario: Scenario, policy: Policy): readonly Outcome[] {
  const random = seededRandom(scenario.seed)
  const events = new EventQueue()
  const outcomes: Outcome[] = []
  const workers = new Map(scenario.workers.map((w) => [w.id, { ...w, cached: [] as number[] }]))
  for (const worker of scenario.workers) policy.join(worker, START_MS - 60_000)

  function end(job: SimulatedJob, result: Result, nowMs: number): void {
    job.result = result
    outcomes.push({ client: job.account, arrivedMs: job.arrivedMs - START_MS, endedMs: nowMs - START_MS, result })
  }

  function carry(effects: readonly Effect<SimulatedJob>[], nowMs: number): void {
    for (const effect of effects) {
      const { job } = effect
      if (effect.do === 'refuse')
        end(job, job.tried === null ? { is: 'refused', afterMs: nowMs - job.arrivedMs } : { is: 'failed' }, nowMs)
      else if (effect.do === 'start') start(job, effect.slot.connectionId, nowMs)
    }
  }

  function start(job: SimulatedJob, id: number, nowMs: number): void {
    const worker = workers.get(id)
    if (worker === undefined) throw new Error('a worker that is not there was chosen')
    job.at = id
    job.startedMs = nowMs
    if (worker.isBroken) return events.at(nowMs + FAILS_AFTER_MS, (now) => fail(job, id, now))
    const isWarm = job.prompt > 0 && worker.cached.includes(job.prompt)
    if (job.prompt > 0)
      worker.cached = [job.prompt, ...worker.cached.filter((p) => p !== job.prompt)].slice(0, CACHED_PROMPTS)
    const firstTokenMs = (isWarm ? WARM_MS : COLD_MS) * worker.slowness
    const serviceMs = firstTokenMs + job.serviceMs * worker.slowness
    const waitedMs = nowMs - job.arrivedMs
    events.at(nowMs + serviceMs, (now) => {
      if (job.result !== null) return
      end(job, { is: 'served', waitedMs, firstTokenMs: waitedMs + firstTokenMs }, now)
      carry(policy.finished(job, id, { is: 'ok', kind: job.kind, firstAnswerMs: firstTokenMs }, serviceMs, now), now)
    })
  }

  function fail(job: SimulatedJob, id: number, nowMs: number): void {
    if (job.result !== null) return
    job.tried = (job.tried ?? new Set<number>()).add(id)
    job.at = 0
    const freed = policy.finished(job, id, FAILED, FAILS_AFTER_MS, nowMs)
    if (job.tried.size >= MAX_ATTEMPTS) end(job, { is: 'failed' }, nowMs)
    else carry(policy.again(job, nowMs), nowMs)
    carry(freed, nowMs)
  }

  function arrive(client: SimulatedClient, nowMs: number): void {
    const prompt = client.prompts === 0 ? 0 : 1 + Math.floor(random.fraction() * client.prompts)
    const job: SimulatedJob = {
      model: 'm',
      account: client.name,
      cost: 1,
      maxCoefficient: 1000,
      kind: 'streamed',
      deadlineMs: nowMs + scenario.timeoutMs,
      prefix: prompt === 0 ? [] : [`${client.name} ${prompt}`],
      tried: null,
      waiting: null,
      arrivedMs: nowMs,
      prompt,
      serviceMs: serviceTime(random, scenario.meanServiceMs),
      startedMs: 0,
      at: 0,
      result: null,
    }
    events.at(job.deadlineMs, (now) => {
      if (job.result !== null) return
      end(job, { is: 'timeout' }, now)
      if (job.at === 0) policy.leave(job)
      else carry(policy.finished(job, job.at, { is: 'none' }, now - job.startedMs, now), now)
    })
    carry(policy.offer(job, nowMs), nowMs)
  }

  for (const client of scenario.clients) {
    const next = (nowMs: number): void => {
      const atMs = nowMs - (Math.log(1 - random.fraction()) * 1000) / client.rate
      if (atMs >= START_MS + scenario.forMs) return
      events.at(atMs, (now) => {
        arrive(client, now)
        next(now)
      })
    }
    next(START_MS)
  }
  const endMs = START_MS + scenario.forMs + scenario.timeoutMs
  const tick = (nowMs: number): void => {
    carry(policy.tick(nowMs), nowMs)
    if (nowMs < endMs) events.at(nowMs + TICK_MS, tick)
  }
  events.at(START_MS, tick)
  events.run()
  return outcomes
}

const FAILED: Verdict = { is: 'failed', kind: 'streamed' }

/** Logarithms of service times are normally distributed: most are short, some very long. */
function serviceTime(random: Random, meanMs: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction())
  return meanMs * Math.exp(SPREAD * normal - SPREAD ** 2 / 2)
}

/** A binary heap by time; of equal times the earlier entered first. */
class EventQueue {
  readonly #heap: { readonly atMs: number; readonly order: number; readonly run: (nowMs: number) => void }[] = []
  #order = 0

  at(atMs: number, run: (nowMs: number) => void): void {
    const heap = this.#heap
    let i = heap.push({ atMs, order: this.#order++, run }) - 1
    while (i > 0) {
      const up = (i - 1) >> 1
      if (!this.#isBefore(i, up)) break
      this.#swap(i, up)
      i = up
    }
  }

  run(): void {
    for (let next = this.#take(); next !== undefined; next = this.#take()) next.run(next.atMs)
  }

  #take(): { readonly atMs: number; readonly run: (nowMs: number) => void } | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || first === last) return first
    heap[0] = last
    let i = 0
    for (;;) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && this.#isBefore(child, least)) least = child
      if (least === i) return first
      this.#swap(i, least)
      i = least
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a], this.#heap[b]]
    if (x === undefined || y === undefined) return false
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.order < y.order)
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#heap[a], this.#heap[b]]
    if (x !== undefined && y !== undefined) [this.#heap[a], this.#heap[b]] = [y, x]
  }
}
