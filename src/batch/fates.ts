/**
 * What became of attempts that an earlier process sent: every proxy that may have had one is asked what it charged, again and again
 * until all have said so and nothing runs any more, or it is no use to wait longer.
 */
import type { ChargeRecall, RecalledCharges } from '../roles/client/index.ts'
import { type Clock, type Timer, toCocoonError } from '../util/index.ts'
import type { LostAttempt } from './records.ts'

export type Fate =
  | { readonly is: 'charged'; readonly tokens: bigint; readonly costNano: bigint }
  /** It may be asked again at no further cost. */
  | { readonly is: 'nothing' }
  | { readonly is: 'unknown' }

export type AskedAttempt = Pick<LostAttempt, 'request' | 'sentMs' | 'sentTo'>

export interface Fates {
  /** Null after `abort`. Never rejects. */
  of(attempt: AskedAttempt): Promise<Fate | null>
  abort(): void
}

/** One word of one proxy on one attempt. */
export type Word =
  | { readonly is: 'charged'; readonly tokens: bigint; readonly costNano: bigint }
  | { readonly is: 'nothing' }
  /** It has not ended there. */
  | { readonly is: 'runs' }
  /** Not connected, or it did not answer. */
  | { readonly is: 'away' }
  /** It keeps no charges, or not for so long. */
  | { readonly is: 'silent' }

const ASK_EVERY_MS = 500
/** A client that starts reaches its proxies within seconds, unless they are down too. */
const AWAY_PATIENCE_MS = 60_000
/** A worker of the reference's cannot be stopped: it works to the end. Longer than a line's usual limit of time. */
const RUNS_PATIENCE_MS = 15 * 60_000
/** Clocks are set, and what is told is rounded down to seconds. */
const SLACK_MS = 2_000

/** Asks about one attempt at a time: after a crash there are a handful. */
export function createFates({ clock, recall }: { readonly clock: Clock; readonly recall: ChargeRecall | null }): Fates {
  const startedMs = clock.now()
  const aborted = Promise.withResolvers<null>()
  const pauses = new Set<Timer>()

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = clock.after(ASK_EVERY_MS, () => {
        pauses.delete(timer)
        resolve()
      })
      pauses.add(timer)
    })
  }

  async function ask(attempt: AskedAttempt, proxies: readonly string[]): Promise<Fate> {
    for (;;) {
      const words = await Promise.all(proxies.map((proxy) => wordOf(proxy, attempt)))
      const fate = fateFrom(words, clock.now() - startedMs)
      if (fate !== null) return fate
      await pause()
    }
  }

  async function wordOf(proxy: string, attempt: AskedAttempt): Promise<Word> {
    try {
      const told = await (recall as ChargeRecall).chargesAt(proxy, [attempt.request])
      return wordIn(told, attempt, clock.now())
    } catch (error) {
      const { code } = toCocoonError(error)
      return { is: code === 'request.unsupported' ? 'silent' : 'away' }
    }
  }

  return {
    of(attempt) {
      if (recall === null || attempt.sentTo === null) return Promise.resolve({ is: 'unknown' })
      return Promise.race([ask(attempt, attempt.sentTo), aborted.promise])
    },
    abort() {
      aborted.resolve(null)
      for (const timer of pauses) timer.cancel()
    },
  }
}

export function wordIn(told: RecalledCharges, { request, sentMs }: AskedAttempt, nowMs: number): Word {
  const found = told.charges.find(({ name }) => name === request)
  if (found?.isRunning === true) return { is: 'runs' }
  if (found !== undefined && found.tokens > 0n) return { is: 'charged', tokens: found.tokens, costNano: found.costNano }
  if (found !== undefined) return { is: 'nothing' }
  return { is: nowMs - sentMs + SLACK_MS > told.knownForMs ? 'silent' : 'nothing' }
}

/** Null while it is worth waiting. @param waitedMs since the start */
export function fateFrom(words: readonly Word[], waitedMs: number): Fate | null {
  const has = (is: Word['is']): boolean => words.some((word) => word.is === is)
  if (has('runs') && waitedMs < RUNS_PATIENCE_MS) return null
  if (has('away') && waitedMs < AWAY_PATIENCE_MS) return null
  if (has('runs') || has('away') || has('silent')) return { is: 'unknown' }
  let [tokens, costNano] = [0n, 0n]
  for (const word of words)
    if (word.is === 'charged') [tokens, costNano] = [tokens + word.tokens, costNano + word.costNano]
  return tokens === 0n ? { is: 'nothing' } : { is: 'charged', tokens, costNano }
}
