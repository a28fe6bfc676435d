/** What the node tells, in a component: fetched, fetched again, and never mixed up with an older answer. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

export interface Fetched<T> {
  /** The newest answer; stays while a newer one is fetched. */
  readonly value: T | null
  readonly error: unknown
  readonly isFetching: boolean
  reload(): void
}

export interface Repeat<T> {
  /** While the page is visible; undefined: once. */
  readonly everyMs?: number | undefined
  /** What is known then needs no further look. */
  readonly until?: (value: T | null) => boolean
}

/**
 * @param key says what is asked for: another key is another question
 * @param load stops when its signal does
 */
export function useFetched<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  { everyMs: wantedMs, until }: Repeat<T> = {},
): Fetched<T> {
  const [answer, setAnswer] = useState<{ value: T | null; error: unknown }>({ value: null, error: null })
  const [isFetching, setFetching] = useState(true)
  const [round, setRound] = useState(0)
  const current = useRef(load)
  current.current = load
  useEffect(() => {
    const stop = new AbortController()
    setFetching(true)
    current.current(stop.signal).then(
      (value) => {
        if (stop.signal.aborted) return
        setAnswer({ value, error: null })
        setFetching(false)
      },
      (error: unknown) => {
        if (stop.signal.aborted) return
        setAnswer((before) => ({ value: before.value, error }))
        setFetching(false)
      },
    )
    return () => stop.abort()
  }, [key, round])
  const reload = useCallback(() => setRound((n) => n + 1), [])
  const everyMs = until?.(answer.value) === true ? undefined : wantedMs
  useEffect(() => {
    if (everyMs === undefined) return
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') reload()
    }, everyMs)
    return () => clearInterval(timer)
  }, [everyMs, reload])
  return { ...answer, isFetching, reload }
}
