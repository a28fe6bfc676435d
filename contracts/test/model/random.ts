/** Seeded choices, so that a find repeats. */
export interface Random {
  below(limit: number): number
  pick<T>(...of: readonly T[]): T
  /** True once in so many times. */
  once(inTimes: number): boolean
  /** nanoTON below this many TON. */
  ton(limit: number): bigint
}

/** mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
  return {
    below,
    pick: (...of) => of[below(of.length)] as (typeof of)[number],
    once: (inTimes) => below(inTimes) === 0,
    ton: (limit) => BigInt(below(limit * 1_000_000)) * 1_000n + BigInt(below(1_000)),
  }
}
