/**
 * All places: a window goes to a free one, or waits in order. Requests ask for one window after the other, so that a long recording
 * and a short one take turns. Places beyond the first start when somebody waits; one whose thread has ended is replaced.
 */
import { queueFull } from '../embedded/errors.ts'
import type { Place } from './place.ts'

export interface Places {
  readonly languages: readonly string[]
  /** Counts a request in, until the returned function is called. Refuses with `capacity.queue-full`. */
  admit(): () => void
  /** Waits its turn. Rejects with the signal's reason, or with what the place rejects with. */
  write(...task: Parameters<Place['write']>): ReturnType<Place['write']>
  readonly busy: number
  /** Requests beyond those that can be worked on now. */
  readonly queued: number
  close(): Promise<void>
}

export interface PlacesOptions {
  readonly parallel: number
  readonly maxQueued: number
}

/** Starts the first place. Rejects with what it rejects with. */
export async function startPlaces(
  start: () => Promise<Place>,
  { parallel, maxQueued }: PlacesOptions,
): Promise<Places> {
  const first = await start()
  const free: Place[] = [first]
  const all = new Set<Place>(free)
  const waiting: { give(place: Place): void; refuse(why: unknown): void }[] = []
  let starting = 0
  let admitted = 0

  function release(place: Place): void {
    if (place.hasEnded) {
      all.delete(place)
      startAnother()
      return
    }
    const next = waiting.shift()
    if (next === undefined) free.push(place)
    else next.give(place)
  }

  function startAnother(): void {
    if (waiting.length <= starting || all.size + starting >= parallel) return
    starting++
    void start()
      .finally(() => starting--)
      .then(
        (place) => {
          all.add(place)
          release(place)
        },
        // With no place at all nobody else would ever answer.
        (why: unknown) => {
          if (all.size === 0) for (const { refuse } of waiting.splice(0)) refuse(why)
        },
      )
  }

  function acquire(signal: AbortSignal): Promise<Place> {
    signal.throwIfAborted()
    const place = free.pop()
    if (place !== undefined && !place.hasEnded) return Promise.resolve(place)
    if (place !== undefined) all.delete(place)
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.splice(waiting.indexOf(entry), 1)
        reject(signal.reason as Error)
      }
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T): void => {
          signal.removeEventListener('abort', leave)
          settle(value)
        }
      }
      const entry = { give: settled(resolve), refuse: settled(reject) }
      signal.addEventListener('abort', leave, { once: true })
      waiting.push(entry)
      startAnother()
    })
  }

  return {
    languages: first.languages,
    admit() {
      if (admitted >= parallel + maxQueued) throw queueFull('The engine is busy and its queue is full.')
      admitted++
      return () => {
        admitted--
      }
    },
    async write(job, signal) {
      const place = await acquire(signal)
      try {
        const written = await place.write(job, signal)
        signal.throwIfAborted()
        return written
      } finally {
        release(place)
      }
    },
    get busy() {
      return all.size - free.length
    },
    get queued() {
      return Math.max(0, admitted - parallel)
    },
    async close() {
      await Promise.all([...all].map((place) => place.close()))
    },
  }
}
