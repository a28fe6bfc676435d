/**
 * Whether an engine is ready, asked again and again. It starts as not ready; every change is announced once. One failed
 * probe makes it not ready: better to be skipped for two seconds than to fail requests.
 */
import type { Clock, CocoonError, Timer } from '../util/index.ts'
import { engineError, toEngineError } from './errors.ts'
import type { Engine } from './types.ts'

export type EngineState =
  | { readonly ready: true; readonly models: readonly string[] }
  /** `why` is absent only before the first probe has finished. */
  | { readonly ready: false; readonly why?: CocoonError }

export interface EngineWatch {
  readonly state: EngineState
  /** A call has just failed as if nobody were there: looks at once, instead of when the next probe is due. */
  suspect(): void
  /** Ends the running probe and every later one. `onChange` is not called any more. */
  stop(): void
}

export interface EngineWatchOptions {
  readonly engine: Pick<Engine, 'models'>
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Called when the engine becomes ready or ceases to be, not when only its list of models changed. */
  readonly onChange: (state: EngineState) => void
  /** Pause between a probe's end and the next one's start, uniform between the two. */
  readonly pauseMs?: { readonly min: number; readonly max: number }
  /** For engines that do not keep a time of their own. */
  readonly timeoutMs?: number
}

const PAUSE_MS = { min: 1_000, max: 2_000 }
/** While it is down: a probe costs a refused connection, and every moment until it is found back costs requests. */
const DOWN_SHARE = 0.25
/** 10 s for the head and 30 s for the body. */
const PROBE_TIMEOUT_MS = 40_000

/** Starts with a probe at once. */
export function watchEngine({
  engine,
  clock,
  random,
  onChange,
  pauseMs = PAUSE_MS,
  timeoutMs = PROBE_TIMEOUT_MS,
}: EngineWatchOptions): EngineWatch {
  let state: EngineState = { ready: false }
  let stopped = false
  let next: Timer | undefined
  let probing: AbortController | undefined

  function become(now: EngineState): void {
    if (stopped) return
    const changed = now.ready !== state.ready
    state = now
    const pause = pauseMs.min + random() * (pauseMs.max - pauseMs.min)
    next = clock.after(now.ready ? pause : DOWN_SHARE * pause, probe)
    if (changed) onChange(now)
  }

  function probe(): void {
    const stop = new AbortController()
    probing = stop
    next = undefined
    // Settles even if the engine forgets its promise.
    const expired = new Promise<never>((_, reject) => {
      stop.signal.addEventListener('abort', () => reject(toEngineError(stop.signal.reason)), { once: true })
    })
    const timer = clock.after(timeoutMs, () => stop.abort(engineError('engine.timeout', { timeoutMs })))
    void Promise.race([engine.models(stop.signal), expired])
      .then(
        (models): EngineState => ({ ready: true, models }),
        (error: unknown): EngineState => ({ ready: false, why: toEngineError(error) }),
      )
      .then((now) => {
        timer.cancel()
        become(now)
      })
  }

  probe()
  return {
    get state() {
      return state
    },
    suspect() {
      // Without a next one a probe is running.
      if (stopped || !state.ready || next === undefined) return
      next.cancel()
      probe()
    },
    stop() {
      stopped = true
      next?.cancel()
      probing?.abort(engineError('engine.aborted'))
    },
  }
}
