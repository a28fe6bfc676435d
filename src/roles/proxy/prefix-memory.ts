/**
 * Which worker saw the beginning of a prompt before: engines keep it in their cache, and answer sooner and cheaper. Only a
 * hint. No content is kept: keyed hashes of the first 1, 2, 4 … KiB, with a key that dies with the process, and with the
 * client in the hash, so that nobody learns from a price or a time what somebody else asks.
 */
import { createHmac } from 'node:crypto'

/** Below this a cache saves less than the hash costs. */
const FIRST_BLOCK_BYTES = 1024
/** 1 KiB to 64 KiB. */
const MAX_BLOCKS = 7
/** 64 Ki entries of about 200 bytes. */
export const MAX_PREFIXES = 65_536
/** A prompt that many ask with is more than one worker's load. */
const WORKERS_A_PREFIX = 4
/** Of 32: enough that two prompts never meet by chance. */
const KEY_BYTES = 12

/** Hashes of a prompt's beginnings, the shortest first. */
export type PrefixKeys = readonly string[]

/** @param key 32 random bytes */
export function createPrefixKeys(key: Uint8Array): (client: string, payload: Uint8Array) => PrefixKeys {
  return (client, payload) => {
    const prompt = payload.subarray(startOfPrompt(payload))
    if (prompt.length < FIRST_BLOCK_BYTES) return []
    const hash = createHmac('sha256', key).update(client)
    const keys: string[] = []
    let end = FIRST_BLOCK_BYTES
    let [from, last] = [0, hash.digest()]
    while (end <= prompt.length && keys.length < MAX_BLOCKS) {
      last = createHmac('sha256', last).update(prompt.subarray(from, end)).digest()
      keys.push(last.toString('base64', 0, KEY_BYTES))
      from = end
      end *= 2
    }
    return keys
  }
}

const STARTS = ['"messages"', '"prompt"', '"input"'].map((name) => Buffer.from(name))

/** Members before it differ from request to request (limits, seeds) and are no part of what the engine caches. */
function startOfPrompt(payload: Uint8Array): number {
  const head = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.length, FIRST_BLOCK_BYTES))
  for (const name of STARTS) {
    const at = head.indexOf(name)
    if (at >= 0) return at
  }
  return 0
}

export class PrefixMemory {
  /** The oldest first. */
  readonly #workersByKey = new Map<string, readonly number[]>()
  readonly #max: number

  constructor(max = MAX_PREFIXES) {
    this.#max = max
  }

  /** The workers that saw the longest of these beginnings, the last first, and which share of them that is. */
  recall(keys: PrefixKeys): { readonly connectionIds: readonly number[]; readonly share: number } | null {
    for (let i = keys.length - 1; i >= 0; i--) {
      const connectionIds = this.#workersByKey.get(keys[i] as string)
      // Each key stands for twice the bytes of the one before.
      if (connectionIds !== undefined) return { connectionIds, share: 2 ** (i + 1 - keys.length) }
    }
    return null
  }

  remember(keys: PrefixKeys, connectionId: number): void {
    for (const key of keys) {
      const others = (this.#workersByKey.get(key) ?? []).filter((id) => id !== connectionId)
      this.#workersByKey.delete(key)
      this.#workersByKey.set(key, [connectionId, ...others.slice(0, WORKERS_A_PREFIX - 1)])
    }
    for (const oldest of this.#workersByKey.keys()) {
      if (this.#workersByKey.size <= this.#max) break
      this.#workersByKey.delete(oldest)
    }
  }

  get size(): number {
    return this.#workersByKey.size
  }
}
