/**
 * What requests were charged, for clients that may not live to hear it: by owner and by the name that their ids begin with. Numbers
 * only, and those of this process: how far back they reach is told with them.
 */
import type { OwnerKey } from '../../ledger/index.ts'
import { type Clock, toHex } from '../../util/index.ts'

export interface KeptCharge {
  readonly name: Uint8Array
  /** Adjusted, of all its requests that have ended. */
  readonly tokens: bigint
  /** One of them has not. */
  readonly isRunning: boolean
}

export interface KeptCharges {
  begin(owner: OwnerKey, requestId: Uint8Array): void
  /** With zero tokens where nothing is charged. A charge of which nobody knows whether it was written never ends. */
  end(owner: OwnerKey, requestId: Uint8Array, tokens: bigint): void
  /** Those of the names that are known. */
  of(owner: OwnerKey, names: readonly Uint8Array[]): readonly KeptCharge[]
  /** Nothing is forgotten that began within so many milliseconds. */
  readonly knownForMs: number
}

/** The first half of an id. */
export const NAME_BYTES = 16
/** Some ten megabytes. A client has as many as it has lines under way, and asks at its next start. */
const MAX_KEPT = 50_000

interface Entry {
  tokens: bigint
  running: number
  readonly beganMs: number
}

export function createKeptCharges(clock: Clock, maxKept = MAX_KEPT): KeptCharges {
  /** The oldest first. */
  const entryByName = new Map<string, Entry>()
  let sinceMs = clock.now()
  const keyOf = (owner: OwnerKey, id: Uint8Array): string => `${owner} ${toHex(id.subarray(0, NAME_BYTES))}`

  function forgetOldest(): void {
    for (const [key, { beganMs }] of entryByName) {
      entryByName.delete(key)
      // Others of the same moment may be gone with it.
      sinceMs = Math.max(sinceMs, beganMs + 1)
      return
    }
  }

  return {
    begin(owner, requestId) {
      const key = keyOf(owner, requestId)
      const entry = entryByName.get(key)
      if (entry !== undefined) return void entry.running++
      if (entryByName.size >= maxKept) forgetOldest()
      entryByName.set(key, { tokens: 0n, running: 1, beganMs: clock.now() })
    },
    end(owner, requestId, tokens) {
      const entry = entryByName.get(keyOf(owner, requestId))
      if (entry === undefined) return
      entry.running--
      entry.tokens += tokens
    },
    of: (owner, names) =>
      names.flatMap((name) => {
        const entry = entryByName.get(keyOf(owner, name))
        return entry === undefined ? [] : [{ name, tokens: entry.tokens, isRunning: entry.running > 0 }]
      }),
    get knownForMs() {
      return clock.now() - sinceMs
    },
  }
}
