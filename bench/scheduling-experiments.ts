/** Experiments about scheduling, in the simulation: what the figures and the pictures in docs/scheduling.md are made of. */
import { median, quantile } from './benchmark.ts'
import { leastLoadedPolicy, proxyPolicy } from './policies.ts'
import {
  COLD_MS,
  type Outcome,
  type Policy,
  type Result,
  type Scenario,
  type SimulatedClient,
  type SimulatedWorker,
  simulate,
} from './simulation.ts'

export const WORKERS = 2000
const CAPACITY = 2
const MEAN_SERVICE_MS = 4_000
/** Requests a second that the workers can do. */
export const FULL_RATE = (WORKERS * CAPACITY * 1000) / (MEAN_SERVICE_MS + COLD_MS)

export const POLICIES = {
  'this proxy': proxyPolicy,
  'refuse when busy': () => leastLoadedPolicy('refuse'),
  'queue without admission': () => leastLoadedPolicy('wait'),
} as const satisfies Record<string, (seed: number) => Policy>
export type PolicyName = keyof typeof POLICIES

const equalWorkers = (over: (i: number) => Partial<SimulatedWorker> = () => ({})): SimulatedWorker[] =>
  Array.from({ length: WORKERS }, (_, i) => ({
    id: i + 1,
    capacity: CAPACITY,
    slowness: 1,
    isBroken: false,
    ...over(i),
  }))

/** As many clients of one rate. */
const crowd = (load: number, count = 20, prompts = 0): SimulatedClient[] =>
  Array.from({ length: count }, (_, i) => ({ name: `client ${i}`, rate: (load * FULL_RATE) / count, prompts }))

/** Not the beginning, when everything is free, nor the end, when nobody comes any more. */
const COUNTED = { fromMs: 25_000, untilMs: 50_000 }
const isCounted = (atMs: number): boolean => atMs >= COUNTED.fromMs && atMs < COUNTED.untilMs

/** Outcomes of the requests that arrived in the counted time. */
const run = (s: Scenario, policy: PolicyName): readonly Outcome[] =>
  simulate(s, POLICIES[policy](s.seed)).filter((o) => isCounted(o.arrivedMs))

const scenario = (seed: number, over: Partial<Scenario>): Scenario => ({
  seed,
  workers: equalWorkers(),
  clients: crowd(1),
  forMs: 70_000,
  timeoutMs: 40_000,
  meanServiceMs: MEAN_SERVICE_MS,
  ...over,
})

type Served = Extract<Result, { is: 'served' }>
const servedOf = (outcomes: readonly Outcome[], client?: string): Served[] =>
  outcomes.flatMap(({ result, client: c }) => (result.is === 'served' && (client ?? c) === c ? [result] : []))

export interface LoadPoint {
  readonly load: number
  /** Answers in time, as a share of what the workers can do. */
  readonly goodput: number
  /** Of those served, in seconds. */
  readonly waitP50: number
  readonly waitP99: number
  /** Of those refused, how many at once. */
  readonly refusedAtOnce: number
}

export const LOADS = [0.5, 0.8, 1, 1.25, 1.5, 2, 3]

export function underLoad(policy: PolicyName, seed: number): readonly LoadPoint[] {
  return LOADS.map((load) => {
    const s = scenario(seed, { clients: crowd(load), timeoutMs: 20_000 })
    const all = simulate(s, POLICIES[policy](seed))
    const outcomes = all.filter((o) => isCounted(o.arrivedMs))
    const served = servedOf(outcomes)
    const inTime = servedOf(all.filter((o) => isCounted(o.endedMs))).length
    const refused = outcomes.flatMap(({ result }) => (result.is === 'refused' ? [result.afterMs] : []))
    return {
      load,
      waitP50: median(served.map((r) => r.waitedMs)) / 1000,
      goodput: (1000 * inTime) / (COUNTED.untilMs - COUNTED.fromMs) / FULL_RATE,
      waitP99:
        quantile(
          served.map((r) => r.waitedMs),
          0.99,
        ) / 1000,
      refusedAtOnce: refused.length === 0 ? 1 : refused.filter((ms) => ms === 0).length / refused.length,
    }
  })
}

export interface Fairness {
  /** Median time to the first token of a client with little load, in seconds: alone, and beside one with a hundred times its load. */
  readonly alone: number
  readonly beside: number
  /** Share of its requests that were served beside the other. */
  readonly served: number
}

/** The large client asks for three times what the workers can do. */
export function beside(policy: PolicyName, seed: number): Fairness {
  const small: SimulatedClient = { name: 'small', rate: 0.03 * FULL_RATE, prompts: 0 }
  const large: SimulatedClient = { name: 'large', rate: 100 * small.rate, prompts: 0 }
  const outcomesOfSmall = (clients: readonly SimulatedClient[]): readonly Outcome[] =>
    run(scenario(seed, { clients }), policy).filter((o) => o.client === 'small')
  const firstToken = (outcomes: readonly Outcome[]): number => {
    const times = servedOf(outcomes).map((r) => r.firstTokenMs)
    return times.length === 0 ? Number.POSITIVE_INFINITY : median(times) / 1000
  }
  const both = outcomesOfSmall([small, large])
  return {
    alone: firstToken(outcomesOfSmall([small])),
    beside: firstToken(both),
    served: servedOf(both).length / both.length,
  }
}

/** Share of requests that succeed at 0.7 × capacity when this share of the workers answers everything with an error, at once. */
export function successBesideBroken(policy: PolicyName, brokenShare: number, seed: number): number {
  const workers = equalWorkers((i) => ({ isBroken: i < brokenShare * WORKERS }))
  const outcomes = run(scenario(seed, { workers, clients: crowd(0.7) }), policy)
  return servedOf(outcomes).length / outcomes.length
}

/** Mean time to the first token, in seconds, where a third of the workers takes three times as long. */
export function besideSlow(policy: PolicyName, seed: number): number {
  const workers = equalWorkers((i) => ({ slowness: i % 3 === 0 ? 3 : 1 }))
  return meanFirstTokenS(run(scenario(seed, { workers, clients: crowd(0.5) }), policy))
}

/** Mean time to the first token, in seconds, of clients that ask with the same few long prompts. */
export function withRepeatedPrompts(policy: PolicyName, seed: number): number {
  return meanFirstTokenS(run(scenario(seed, { clients: crowd(0.7, 200, 10) }), policy))
}

function meanFirstTokenS(outcomes: readonly Outcome[]): number {
  const served = servedOf(outcomes)
  return served.reduce((sum, r) => sum + r.firstTokenMs, 0) / served.length / 1000
}
