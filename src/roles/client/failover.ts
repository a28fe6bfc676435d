/**
 * One request on whichever proxy serves it. As long as nothing of an answer has come, a proxy that is lost, or refuses for a
 * reason of its own, is replaced by another within the caller's time; afterwards nothing moves, since two answers would be
 * mixed. With hedging a second proxy is asked when the first is silent for too long, and the first answer wins.
 */
import {
  type Clock,
  type CocoonError,
  type ErrorCode,
  type Log,
  type Metrics,
  type Timer,
  toCocoonError,
} from '../../util/index.ts'
import {
  type Charge,
  expectWithinMaxCost,
  type FinalInfo,
  type InferenceRequest,
  type InferenceSink,
  NO_STORY,
  type Quote,
  type RequestStory,
  type RunningInference,
} from './inference.ts'
import { type ProxyCandidate, ProxyRecords } from './proxy-choice.ts'

/** A proxy that is ready now. */
export interface ReadyProxy extends ProxyCandidate {
  run(request: InferenceRequest, sink: InferenceSink): RunningInference
}

export interface FailoverDeps {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** With what each has for the request, where it has said so. */
  ready(request: InferenceRequest): readonly ReadyProxy[]
  /** What the request can cost, whoever is asked. */
  quote(request: InferenceRequest): Quote
  /** When a ready proxy was last lost; null: never. */
  lostAtMs(): number | null
  /** Why nobody is ready. */
  nobody(): CocoonError
  /** No new attempts: the node is closing. */
  stopping(): boolean
}

export interface FailoverOptions {
  /** 0: never. */
  readonly hedgeAfterMs: number
  /** How long after the loss of a proxy or worker requests wait for one when none is left. */
  readonly reconnectWaitMs: number
}

export interface Failover {
  run(request: InferenceRequest, sink: InferenceSink): RunningInference
}

/** One more than a request needs when everything but the third proxy is down. */
const MAX_ATTEMPTS = 4
/** Less is not worth asking anybody. */
const MIN_LEFT_MS = 50
const LOOK_AGAIN_MS = 100
/** Until the same proxies are asked once more, whose workers or engines had failed. */
const ONCE_MORE_MS = 500
/** What a proxy says that has just started: its workers are on their way, too. */
const NOT_YET: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'request.unknown-model',
  'capacity.no-workers',
  'capacity.not-ready',
])

/** A proxy, worker or engine that is gone or going: others, or itself in a moment, can serve. */
const PASSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'protocol.proxy-lost',
  'protocol.worker-lost',
  'capacity.shutting-down',
  'engine.failed',
])
/** So soon a proxy lets us come back whose workers have just gone. */
const BRIEF_MS = 1_000
const isBrief = ({ code, info: { retryAfterMs } }: CocoonError): boolean =>
  code === 'capacity.no-workers' && typeof retryAfterMs === 'number' && retryAfterMs <= BRIEF_MS
/** What may go well with the same proxy a moment later. */
const ONCE_MORE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['protocol.worker-lost', 'engine.failed'])

/** Another proxy has other workers, another account of ours, perhaps other prices. The request itself is not at fault. */
const MAY_MOVE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'protocol.proxy-lost',
  'protocol.worker-lost',
  'protocol.usage',
  'protocol.worker-answer',
  'engine.failed',
  'capacity.busy',
  'capacity.no-workers',
  'capacity.not-ready',
  'capacity.shutting-down',
  'capacity.price',
  'payment.balance',
  'payment.closing',
  'request.unknown-model',
  'request.unsupported',
  'request.context-overflow',
  'chain.stale',
])

export function createFailover(deps: FailoverDeps, options: FailoverOptions): Failover {
  const { clock } = deps
  const records = new ProxyRecords()
  const moved = deps.metrics.counter(
    'requests_moved_total',
    'Requests given to another proxy before any answer, by reason',
    ['reason'],
  )
  const hedged = deps.metrics.counter(
    'requests_hedged_total',
    'Requests given to a second proxy because the first was slow',
  )

  function run(request: InferenceRequest, sink: InferenceSink): RunningInference {
    const deadlineMs = clock.now() + request.timeoutMs
    const isStreamed = request.stream === true
    const tried = new Set<number>()
    /** Attempts that run; of several the first answer wins. */
    const live = new Map<number, RunningInference | null>()
    /** All attempts ever: each may have been charged. */
    const runs: { readonly running: RunningInference; readonly afterMs: number }[] = []
    const beganMs = clock.now()
    let winner: number | null = null
    let isOver = false
    let serial = 0
    /** Of those that count: not the ones that only found a proxy whose workers were not back yet. */
    let attempts = 0
    const lostMs = deps.lostAtMs()
    /** Until then it waits for a proxy that was lost, under it or shortly before it, to come back with its workers. */
    let patientUntilMs = lostMs === null ? 0 : lostMs + options.reconnectWaitMs
    let hasLost = false
    let timer: Timer | undefined
    let hedge: Timer | undefined
    /** Of all attempts that failed, what the caller should hear. */
    let told: { readonly error: CocoonError; readonly info: FinalInfo | undefined } | null = null

    const choose = (without: ReadonlySet<number>, nowMs: number): ReadyProxy | null =>
      records.choose(deps.ready(request), { tried: without, maxCoefficient: request.maxCoefficient, isStreamed }, nowMs)

    function finish(): void {
      isOver = true
      timer?.cancel()
      hedge?.cancel()
    }

    function fail(error: CocoonError, info?: FinalInfo): void {
      finish()
      sink.fail(error, info)
    }

    function start(proxy: ReadyProxy): void {
      const startedMs = clock.now()
      const number = ++serial
      attempts++
      tried.add(proxy.connectionId)
      live.set(number, null)
      const isMine = (): boolean => !isOver && winner === number
      /** The first answer decides; the others are stopped. */
      function wins(): boolean {
        if (isOver || !live.has(number)) return false
        if (winner === null) {
          winner = number
          hedge?.cancel()
          records.answered(proxy.address, { firstMs: clock.now() - startedMs, isStreamed }, clock.now())
          for (const [other, running] of live) {
            if (other === number) continue
            live.delete(other)
            running?.cancel()
          }
        }
        return winner === number
      }
      const attempt: InferenceSink = {
        head(head) {
          if (!wins()) return
          const others = runs.filter(({ running }) => running !== live.get(number))
          const before = others.reduce((count, { running }) => count + running.story().attempts.length, 0)
          sink.head(before === 0 ? head : { ...head, attempts: before + (head.attempts ?? 1) })
        },
        part(bytes) {
          if (isMine()) sink.part(bytes)
        },
        end(info) {
          if (!wins()) return
          finish()
          sink.end(info)
        },
        fail(error, info) {
          const attempts = live.get(number)?.story().attempts ?? []
          if (isOver || !live.delete(number)) return
          if (isMine()) return fail(error, info)
          if (error.code === 'protocol.proxy-lost') records.lost(proxy, clock.now())
          else if (MAY_MOVE.has(error.code) && error.family !== 'request') records.failed(proxy.address, clock.now())
          // A proxy may have waited for the worker to come back before it gave up: that counts.
          const endedMs = attempts.at(-1)?.endedMs ?? null
          failed(proxy, error, info, endedMs === null ? clock.now() : startedMs + endedMs)
        },
      }
      const left = number === 1 ? request.timeoutMs : deadlineMs - startedMs
      const running = proxy.run({ ...request, timeoutMs: left }, attempt)
      runs.push({ running, afterMs: startedMs - beganMs })
      if (live.has(number)) live.set(number, running)
    }

    function failed(proxy: ReadyProxy, error: CocoonError, info: FinalInfo | undefined, sinceMs: number): void {
      const now = clock.now()
      if ((PASSES.has(error.code) || isBrief(error)) && !hasLost) {
        hasLost = true
        patientUntilMs = Math.max(patientUntilMs, sinceMs + options.reconnectWaitMs)
      }
      if (now < patientUntilMs && NOT_YET.has(error.code)) {
        tried.delete(proxy.connectionId)
        attempts--
        if (live.size === 0) timer = clock.after(LOOK_AGAIN_MS, () => next(error))
        return
      }
      if (told === null || !isBetterNews(told.error, error)) told = { error, info }
      // The other of two may still answer.
      if (live.size > 0) return
      const wasCharged = info !== undefined && info.tokens.total > 0n
      if (wasCharged || !MAY_MOVE.has(error.code)) return fail(error, info)
      next(error)
    }

    /** Another proxy, or the end. */
    function next(because: CocoonError): void {
      if (isOver) return
      const now = clock.now()
      const proxy =
        attempts < MAX_ATTEMPTS && deadlineMs - now >= MIN_LEFT_MS && !deps.stopping() ? choose(tried, now) : null
      if (proxy !== null) {
        if (runs.length > 0) {
          moved.add(1, { reason: because.code })
          deps.log.info('a request moves to another proxy', {
            trace: request.traceId,
            proxy: proxy.address,
            reason: because.code,
          })
        }
        try {
          return start(proxy)
        } catch (error) {
          return fail(toCocoonError(error))
        }
      }
      const mayCome = attempts < MAX_ATTEMPTS && !deps.stopping()
      const untilMs = Math.min(patientUntilMs, deadlineMs - MIN_LEFT_MS)
      if (mayCome && ONCE_MORE.has(because.code) && now + ONCE_MORE_MS < untilMs) {
        timer = clock.after(ONCE_MORE_MS, () => {
          tried.clear()
          next(because)
        })
        return
      }
      if (mayCome && now + LOOK_AGAIN_MS < untilMs) {
        timer = clock.after(LOOK_AGAIN_MS, () => next(because))
        return
      }
      fail(told?.error ?? because, told?.info)
    }

    try {
      if (request.maxCostNano !== undefined) expectWithinMaxCost(request, deps.quote(request))
      const proxy = choose(NONE, clock.now())
      if (proxy !== null) start(proxy)
      else {
        const nobody = deps.nobody()
        if (deps.stopping() || clock.now() >= patientUntilMs) throw nobody
        timer = clock.after(LOOK_AGAIN_MS, () => next(nobody))
      }
    } catch (error) {
      // Never inside the caller's call: a sink may be used before `run` has returned.
      finish()
      queueMicrotask(() => sink.fail(toCocoonError(error)))
      return { cancel() {}, charge: () => Promise.resolve('nothing'), story: () => NO_STORY }
    }
    const hedgeAfterMs = request.hedgeAfterMs ?? options.hedgeAfterMs
    if (hedgeAfterMs > 0)
      hedge = clock.after(hedgeAfterMs, () => {
        const second = isOver || winner !== null ? null : choose(tried, clock.now())
        if (second === null || deps.stopping()) return
        hedged.add(1)
        start(second)
      })
    return {
      cancel() {
        if (isOver) return
        finish()
        for (const running of live.values()) running?.cancel()
      },
      charge: async () => sumOf(await Promise.all(runs.map(({ running }) => running.charge()))),
      story: () => joined(runs.map(({ running, afterMs }) => ({ ...running.story(), afterMs }))),
    }
  }

  return { run }
}

/**
 * Of all attempts. One whose proxy was lost before any answer delivered nothing, and a proxy that is gone records nothing: beside
 * one that was answered it counts as free.
 */
function sumOf(charges: readonly Charge[]): Charge {
  const told = charges.filter((charge) => typeof charge !== 'string')
  const [first, ...others] = told
  if (first === undefined) return charges.includes('unknown') ? 'unknown' : 'nothing'
  return others.reduce((sum, { tokens: t, costNano }) => {
    const { prompt, cached, completion, reasoning, total } = sum.tokens
    const tokens = {
      prompt: prompt + t.prompt,
      cached: cached + t.cached,
      completion: completion + t.completion,
      reasoning: reasoning + t.reasoning,
      total: total + t.total,
    }
    return { ...sum, tokens, costNano: sum.costNano + costNano }
  }, first)
}

/** One story of those at several proxies. */
function joined(stories: readonly (RequestStory & { readonly afterMs: number })[]): RequestStory {
  const waits = stories.map(({ queuedMs }) => queuedMs).filter((ms) => ms !== null)
  const attempts = stories.flatMap(({ attempts: of, afterMs }) =>
    of.map((one) => ({
      ...one,
      sentMs: one.sentMs + afterMs,
      firstByteMs: one.firstByteMs === null ? null : one.firstByteMs + afterMs,
      endedMs: one.endedMs === null ? null : one.endedMs + afterMs,
    })),
  )
  return { queuedMs: waits.length === 0 ? null : waits.reduce((sum, ms) => sum + ms, 0), attempts }
}

const NONE: ReadonlySet<number> = new Set()

/** A proxy that is full tells more than one that does not know the model: what is worth another try is said. */
const isBetterNews = (a: CocoonError, b: CocoonError): boolean => a.family === 'capacity' && b.family !== 'capacity'
