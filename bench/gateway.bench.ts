/** What keys, budgets and traces cost: added time at a steady rate, and the throughput that is left with keys and budgets. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from '../src/util/index.ts'
import { type Benchmark, median, quantile } from './benchmark.ts'
import { createAsker } from './load.ts'
import { type RunningChain, startChain } from './network.ts'
import { startHelper } from './processes.ts'

const RATE_PER_S = 500
const CONNECTIONS = 30
/** By turns, so that a machine that slows down slows both. */
const ROUNDS = 4

export const gatewayBenchmark: Benchmark = {
  name: 'gateway',
  what: `streams with keys and budgets: at ${RATE_PER_S} requests/s with traces on, and as many as go`,
  async run({ seconds, seed, profileInto }) {
    await using engine = await startHelper<{ port: number }>('./engine.ts', [String(seed)])
    const engineUrl = `http://127.0.0.1:${engine.hello.port}`
    await using collector = await startHelper<{ url: string }>('./collector.ts', [])
    const random = seededRandom(seed)

    const added: { median: number; p95: number }[] = []
    {
      const settings = { COCOON_TELEMETRY_URL: collector.hello.url }
      await using chain = await startChain({ engineUrl, profileInto, settings })
      const direct = createAsker(engineUrl, CONNECTIONS)
      const through = createAsker(chain.url, CONNECTIONS, await makeKey(chain))
      const steady = async (asker: typeof direct): Promise<readonly number[]> =>
        (await asker.arrive({ ratePerS: RATE_PER_S, seconds: seconds / 2, random })).map((a) => a.ms)
      await through.streamsPerSecond(3)
      await steady(direct)
      for (let round = 0; round < ROUNDS; round++) {
        const [d, t] = [await steady(direct), await steady(through)]
        added.push({ median: median(t) - median(d), p95: quantile(t, 0.95) - quantile(d, 0.95) })
      }
      await Promise.all([direct.close(), through.close()])
    }
    if (Number(await (await fetch(collector.hello.url)).text()) === 0) throw new Error('the collector was sent no span')

    await using open = await startChain({ engineUrl })
    await using keyed = await startChain({ engineUrl })
    const without = createAsker(open.url, CONNECTIONS)
    const withKeys = createAsker(keyed.url, CONNECTIONS, await makeKey(keyed))
    await without.streamsPerSecond(2)
    await withKeys.streamsPerSecond(2)
    const left: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const rate = await without.streamsPerSecond(seconds / 2)
      left.push((await withKeys.streamsPerSecond(seconds / 2)) / rate)
    }
    await Promise.all([without.close(), withKeys.close()])
    return [
      {
        name: `at ${RATE_PER_S}/s: added, median`,
        value: median(added.map((a) => a.median)),
        unit: 'ms',
        goal: { atMost: 2 },
      },
      {
        name: `at ${RATE_PER_S}/s: added, p95`,
        value: median(added.map((a) => a.p95)),
        unit: 'ms',
        goal: { atMost: 8 },
      },
      { name: 'throughput with keys ÷ without', value: median(left), unit: '×', goal: { atLeast: 0.9 } },
    ]
  },
}

/** With limits and budgets of every scope, none of which is ever reached. */
async function makeKey({ url, home }: RunningChain): Promise<string> {
  const authorization = `Bearer ${readFileSync(join(home, 'keys/admin.key'), 'utf8').trim()}`
  const admin = async <T>(method: string, path: string, body: object): Promise<T> => {
    const headers = { authorization, 'content-type': 'application/json' }
    const answer = await fetch(`${url}/admin/${path}`, { method, headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
    return (await answer.json()) as T
  }
  const plenty = 1_000_000_000
  const limits = { requests_per_minute: plenty, tokens_per_minute: plenty, max_concurrent: 10_000 }
  const { id, key } = await admin<{ id: string; key: string }>('POST', 'keys', { name: 'bench', limits })
  for (const scope of [{ scope: 'node' }, { scope: 'project', id: 'default' }, { scope: 'key', id }])
    for (const window of ['day', 'month']) await admin('PUT', 'budgets', { ...scope, window, limit: '1000000 TON' })
  return key
}
