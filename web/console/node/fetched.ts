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
  const isUnderWay = useRef(false)
  useEffect(() => {
    const stop = new AbortController()
    isUnderWay.current = true
    setFetching(true)
    const take = (change: (before: T | null) => { value: T | null; error: unknown }): void => {
      if (stop.signal.aborted) return
      isUnderWay.current = false
      setAnswer((before) => change(before.value))
      setFetching(false)
    }
    current.current(stop.signal).then(
      (value) => take(() => ({ value, error: null })),
      (error: unknown) => take((value) => ({ value, error })),
    )
    return () => stop.abort()
  }, [key, round])
  const reload = useCallback(() => setRound((n) => n + 1), [])
  const everyMs = until?.(answer.value) === true ? undefined : wantedMs
  useEffect(() => {
    if (everyMs === undefined) return
    const timer = setInterval(() => {
      // A node that answers slowly is not asked again before it has: that would take its answer away, each time.
      if (document.visibilityState === 'visible' && !isUnderWay.current) reload()
    }, everyMs)
    return () => clearInterval(timer)
  }, [everyMs, reload])
  return { ...answer, isFetching, reload }
}
