/** The proxy's scheduling, and two plainer ones to compare it with. */
import { Dispatcher, type Effect, WorkerPool, type WorkerSlot } from '../src/roles/proxy/index.ts'
import { seededRandom } from '../src/util/index.ts'
import type { Policy, SimulatedJob, SimulatedWorker } from './simulation.ts'

/** As the proxy's defaults. */
const LIMITS = { maxQueued: 1000, maxQueueWaitMs: 10_000 }

/** What the proxy does. */
export function proxyPolicy(seed: number): Policy {
  const pool = new WorkerPool(seededRandom(seed))
  const dispatcher = new Dispatcher<SimulatedJob>(pool, LIMITS)
  return {
    join(worker, nowMs) {
      pool.add({ connectionId: worker.id, model: 'm', version: 4, capacity: worker.capacity, coefficient: 1000 }, nowMs)
      pool.update(worker.id, { enabled: true }, nowMs)
    },
    offer: (job, nowMs) => dispatcher.offer(job, nowMs),
    again: (job, nowMs) => dispatcher.again(job, nowMs, false),
    finished: (...ended) => dispatcher.finished(...ended),
    tick: (nowMs) => dispatcher.tick(nowMs),
    leave: (job) => dispatcher.leave(job),
  }
}

/**
 * The relatively least loaded worker gets it, whatever it does with it; when all are busy a request is refused, or waits in
 * the order of arrival for as long as its caller does.
 */
export function leastLoadedPolicy(whenBusy: 'refuse' | 'wait'): Policy {
  const workers: (SimulatedWorker & { running: number; lastGiven: number })[] = []
  const byId = new Map<number, (typeof workers)[number]>()
  const waiting = new Set<SimulatedJob>()
  let [free, given] = [0, 0]

  function start(job: SimulatedJob, waitedMs: number): readonly Effect<SimulatedJob>[] {
    let best: (typeof workers)[number] | null = null
    for (const worker of workers) {
      if (worker.running >= worker.capacity) continue
      const load = best === null ? -1 : worker.running * best.capacity - best.running * worker.capacity
      if (load < 0 || (load === 0 && best !== null && worker.lastGiven < best.lastGiven)) best = worker
    }
    if (best === null) throw new Error('somebody was free a moment ago')
    best.running++
    best.lastGiven = ++given
    free--
    const slot = { connectionId: best.id } as WorkerSlot
    return [{ do: 'start', job, slot, why: { score: 0, candidates: workers.length, warm: 0, waitedMs } }]
  }
  const refuse = (job: SimulatedJob): readonly Effect<SimulatedJob>[] => [
    { do: 'refuse', job, refusal: { reason: 'busy', waitMs: 0, retryAfterMs: 1000 } },
  ]
  return {
    join(worker) {
      const entry = { ...worker, running: 0, lastGiven: 0 }
      workers.push(entry)
      byId.set(worker.id, entry)
      free += worker.capacity
    },
    offer(job) {
      if (free > 0) return start(job, 0)
      if (whenBusy === 'refuse') return refuse(job)
      waiting.add(job)
      return []
    },
    again: refuse,
    finished(_job, id, _verdict, _serviceMs, nowMs) {
      const worker = byId.get(id)
      if (worker !== undefined) worker.running--
      free++
      const [next] = waiting
      if (next === undefined) return []
      waiting.delete(next)
      return start(next, nowMs - next.arrivedMs)
    },
    tick: () => [],
    leave: (job) => void waiting.delete(job),
  }
}
