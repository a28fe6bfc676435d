/** Kills and restarts nodes at random under continuous load and counts how every request ended. The seed repeats the order. */
import type { Random } from '../../src/util/index.ts'
import { type Asked, askOnce, type Ending } from './asking.ts'
import { MODEL, type MortalNetwork } from './network.ts'

export interface KillingOptions {
  readonly random: Pick<Random, 'fraction'>
  readonly seconds: number
  /** Requests at once. */
  readonly callers: number
}

export interface Story {
  readonly counts: Readonly<Record<Ending, number>>
  /** By code, of those that failed before anything was delivered. */
  readonly failures: Readonly<Record<string, number>>
  /** Of hung, silent and wrong ones: what was seen. */
  readonly oddities: readonly string[]
  readonly kills: Readonly<Record<string, number>>
  readonly longestMs: number
}

const BETWEEN_KILLS_MS = [1_500, 4_000] as const
const DOWN_MS = [200, 1_500] as const
/** A node that is told to go may finish its answers; most die without a word. */
const ASKED_TO_GO = 0.2

export async function killUnderLoad(network: MortalNetwork, options: KillingOptions): Promise<Story> {
  const { random, seconds, callers } = options
  const endMs = performance.now() + seconds * 1000
  const counts: Record<Ending, number> = { answered: 0, failed: 0, cut: 0, hung: 0, silent: 0, wrong: 0 }
  const failures: Record<string, number> = {}
  const oddities: string[] = []
  const kills: Record<string, number> = {}
  let [number, longestMs] = [0, 0]

  function note({ ending, why, ms }: Asked, asked: number): void {
    counts[ending]++
    longestMs = Math.max(longestMs, ms)
    if (ending === 'failed') failures[why] = (failures[why] ?? 0) + 1
    else if (ending !== 'answered' && ending !== 'cut') oddities.push(`request ${asked}: ${ending}: ${why}`)
  }
  async function keepAsking(): Promise<void> {
    while (performance.now() < endMs) {
      const mine = number++
      note(await askOnce(network.url, mine, mine % 2 === 0, MODEL), mine)
    }
  }
  const between = ([from, to]: readonly [number, number]): number => from + random.fraction() * (to - from)
  const rests: Promise<void>[] = []
  async function keepKilling(): Promise<void> {
    for (;;) {
      await sleep(between(BETWEEN_KILLS_MS))
      if (performance.now() > endMs) return
      const alive = network.mortals.filter((each) => each.isUp)
      const victim = alive[Math.floor(random.fraction() * alive.length)]
      if (victim === undefined) continue
      const signal = random.fraction() < ASKED_TO_GO ? 'SIGTERM' : 'SIGKILL'
      const downMs = between(DOWN_MS)
      const kind = `${victim.name.split(' ', 1)[0]} ${signal}`
      kills[kind] = (kills[kind] ?? 0) + 1
      rests.push(
        victim
          .kill(signal)
          .then(() => sleep(downMs))
          .then(() => victim.start()),
      )
    }
  }
  await Promise.all([keepKilling(), ...Array.from({ length: callers }, keepAsking)])
  await Promise.all(rests)
  return { counts, failures, oddities, kills, longestMs }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
