/**
 * Places for answers: a fixed number run at once, a bounded number wait in order, the rest are refused. A place remembers
 * the tokens it last saw, and an answer gets the free place that has most of its prompt already.
 */
import { queueFull } from '../embedded/errors.ts'

export interface Slot<T> {
  readonly sequence: T
  /** Who may reuse what the place has seen: only requests with the same `cache_salt`. */
  salt: string
}

export interface Slots<T> {
  /** Refuses with `capacity.queue-full` unless this many answers can run or wait now. */
  admit(count: number): void
  /** Waits its turn. Rejects with the signal's reason. */
  acquire(tokens: readonly number[], salt: string, signal: AbortSignal): Promise<Slot<T>>
  release(slot: Slot<T>): void
  readonly busy: number
  readonly queued: number
}

interface Waiting<T> {
  readonly give: (slot: Slot<T>) => void
  readonly tokens: readonly number[]
  readonly salt: string
}

export function createSlots<T>(
  sequences: readonly T[],
  maxQueued: number,
  seenTokens: (sequence: T) => readonly number[],
): Slots<T> {
  const free: Slot<T>[] = sequences.map((sequence) => ({ sequence, salt: '' }))
  const waiting: Waiting<T>[] = []

  /** The free place with the longest common beginning; ties go to the one unused for longest. */
  function takeBest(tokens: readonly number[], salt: string): Slot<T> {
    let best = 0
    let bestLength = -1
    for (const [i, slot] of free.entries()) {
      const length = slot.salt === salt ? commonPrefix(seenTokens(slot.sequence), tokens) : 0
      if (length > bestLength) {
        best = i
        bestLength = length
      }
    }
    return free.splice(best, 1)[0] as Slot<T>
  }

  return {
    admit(count) {
      if (count > free.length + maxQueued - waiting.length) throw queueFull('The engine is busy and its queue is full.')
    },
    async acquire(tokens, salt, signal) {
      signal.throwIfAborted()
      if (free.length > 0 && waiting.length === 0) return takeBest(tokens, salt)
      return new Promise((resolve, reject) => {
        const entry: Waiting<T> = {
          tokens,
          salt,
          give(slot) {
            signal.removeEventListener('abort', leave)
            resolve(slot)
          },
        }
        const leave = (): void => {
          waiting.splice(waiting.indexOf(entry), 1)
          reject(signal.reason as Error)
        }
        signal.addEventListener('abort', leave, { once: true })
        waiting.push(entry)
      })
    },
    release(slot) {
      free.push(slot)
      const next = waiting.shift()
      if (next !== undefined) next.give(takeBest(next.tokens, next.salt))
    },
    get busy() {
      return sequences.length - free.length
    },
    get queued() {
      return waiting.length
    },
  }
}

/** How many tokens two sequences share from the start. */
export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length)
  let i = 0
  while (i < end && a[i] === b[i]) i++
  return i
}
