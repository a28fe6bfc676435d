/**
 * What a client knows of how a request was served: which proxies and workers had it, when, and what ended each try. Proxies of
 * ours tell of their workers; what they tell is kept within the bounds of what can be true, because a peer wrote it.
 */
import type { X1RequestStory } from '../../tl/index.ts'

/** One try. Times are milliseconds after the request began. */
export interface AttemptStory {
  /** Address and port. */
  readonly proxy: string
  /** The wallet that owns the worker; null where the proxy does not tell, or had none for it. */
  readonly worker: string | null
  /** When the worker got it; the proxy, where no worker is known. */
  readonly sentMs: number
  readonly firstByteMs: number | null
  /** Null while it runs. */
  readonly endedMs: number | null
  /** `ok`, `cancelled`, the code of an error, or a proxy's word for why it took another worker; null while it runs. */
  readonly ended: string | null
}

/** One proxy's part in a request, as this client saw it. Times as above. */
export interface SeenOfProxy {
  readonly proxy: string
  readonly firstByteMs: number | null
  readonly endedMs: number | null
  readonly ended: string | null
  /** Null where the proxy did not tell. */
  readonly story: X1RequestStory | null
}

/** A wallet's address in the form for people. */
const WALLET = /^[A-Za-z0-9_-]{48}$/
const REASON = /^[a-z][a-z-]{0,31}$/

export function attemptsAt(seen: SeenOfProxy, nowMs: number): readonly AttemptStory[] {
  const { proxy, firstByteMs, endedMs, ended, story } = seen
  const told = story?.attempts ?? []
  if (told.length === 0) return [{ proxy, worker: null, sentMs: 0, firstByteMs, endedMs, ended }]
  const latestMs = endedMs ?? nowMs
  const within = (ms: number): number => Math.min(latestMs, Math.max(0, ms))
  return told.map((one, i) => {
    const isLast = i === told.length - 1 && one.ended === undefined
    const firstAnswer = one.firstAnswerMs === undefined ? null : within(one.firstAnswerMs)
    return {
      proxy,
      worker: walletIn(one),
      sentMs: within(one.sentMs),
      firstByteMs: isLast ? firstByteMs : firstAnswer,
      endedMs: isLast ? endedMs : within(one.endedMs ?? 0),
      ended: isLast ? ended : REASON.test(one.ended ?? '') ? (one.ended as string) : 'unknown',
    }
  })
}

const walletIn = ({ worker }: X1RequestStory['attempts'][number]): string | null =>
  WALLET.test(worker) ? worker : null

/** The worker that answered, or had it last. */
export function workerIn({ attempts }: X1RequestStory): string | null {
  const last = attempts.at(-1)
  return last === undefined ? null : walletIn(last)
}
