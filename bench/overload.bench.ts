/** What is left of a worker's speed, and how long callers wait for a yes or a no, when three times as much is asked of it. */
import { seededRandom } from '../src/util/index.ts'
import { SLOW_MS } from './answer.ts'
import { type Benchmark, median, quantile } from './benchmark.ts'
import { createAsker } from './load.ts'
import { startChain } from './network.ts'
import { startHelper } from './processes.ts'

/** Of the worker, at once. With answers of 200 ms that is 80 a second, which two cores serve with ease: what limits is the worker. */
const CAPACITY = 16
const CAPACITY_PER_S = (1000 * CAPACITY) / SLOW_MS
const OVERLOAD = 3
const LONGEST_WAIT_MS = 1000
const SETTLE_S = 2

export const overloadBenchmark: Benchmark = {
  name: 'overload',
  what: `three times as many requests as a worker of ${CAPACITY_PER_S} answers a second can serve`,
  async run({ seconds, seed, profileInto }) {
    await using engine = await startHelper<{ port: number }>('./engine.ts', [String(seed)])
    await using chain = await startChain({
      engineUrl: `http://127.0.0.1:${engine.hello.port}`,
      profileInto,
      capacity: CAPACITY,
      settings: { COCOON_PROXY_MAX_QUEUE_WAIT_MS: String(LONGEST_WAIT_MS) },
    })
    const asker = createAsker(chain.url, 1000)
    const random = seededRandom(seed)
    const measuredS = 2 * seconds
    /** What ends between the time when the queue has found its length and the end of the load. */
    const served = async (ratePerS: number) => {
      const fromMs = performance.now() + 1000 * SETTLE_S
      const toMs = fromMs + 1000 * measuredS
      const all = await asker.arrive({ ratePerS, seconds: SETTLE_S + measuredS, random, manner: 'slow' })
      const answers = all.filter((a) => a.endedMs >= fromMs && a.endedMs < toMs)
      const good = answers.filter((a) => a.status === 200)
      return { answers, good, goodput: good.length / measuredS }
    }
    const peaks = []
    for (const load of [0.9, 1, 1.1]) peaks.push((await served(load * CAPACITY_PER_S)).goodput)
    const { answers, good, goodput } = await served(OVERLOAD * CAPACITY_PER_S)
    await asker.close()
    const refused = answers.filter((a) => a.status === 429 || a.status === 503).map((a) => a.ms)
    if (good.length + refused.length !== answers.length) throw new Error('an answer was neither given nor refused')
    const waits = good.map((a) => a.ms - SLOW_MS)
    const peak = Math.max(...peaks)
    return [
      { name: 'peak', value: peak, unit: 'answers/s' },
      { name: 'at three times the capacity', value: goodput, unit: 'answers/s' },
      { name: 'of the peak', value: goodput / peak, unit: '×', goal: { atLeast: 0.9 } },
      { name: 'wait of those served, median', value: median(waits), unit: 'ms' },
      {
        name: 'wait of those served, p99',
        value: quantile(waits, 0.99),
        unit: 'ms',
        goal: { atMost: LONGEST_WAIT_MS + SLOW_MS },
      },
      { name: 'refused: answer after, median', value: median(refused), unit: 'ms' },
      { name: 'refused: answer after, p99', value: quantile(refused, 0.99), unit: 'ms', goal: { atMost: 50 } },
    ]
  },
}
