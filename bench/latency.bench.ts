/**
 * How much later an answer comes through the chain than straight from the engine, one request at a time; and how much of that the
 * proxy's ledger waits for the disk, since an answer is durable before its end leaves.
 */
import { type Benchmark, type Figure, median, quantile } from './benchmark.ts'
import { type Answered, createAsker } from './load.ts'
import { startChain } from './network.ts'
import { startHelper } from './processes.ts'

const WARM_UP = 300
const NS_PER_MS = 1e6

export const latencyBenchmark: Benchmark = {
  name: 'latency',
  what: 'added time of one request after the other, and age of streamed bytes on arrival',
  async run({ seconds, seed, profileInto }) {
    await using engine = await startHelper<{ port: number }>('./engine.ts', [String(seed)])
    const engineUrl = `http://127.0.0.1:${engine.hello.port}`
    await using chain = await startChain({ engineUrl, profileInto })
    const direct = createAsker(engineUrl, 1)
    const through = createAsker(chain.url, 1)

    /** One direct and one through the chain by turns. */
    const pairs = async (ask: { stream: boolean; manner?: 'stamped' }): Promise<[Answered, Answered][]> => {
      for (let i = 0; i < WARM_UP; i++) await through.ask(ask)
      const all: [Answered, Answered][] = []
      for (const end = performance.now() + seconds * 1000; performance.now() < end; )
        all.push([await direct.ask(ask), await through.ask(ask)])
      return all
    }
    const added = async (name: string, ask: { stream: boolean }): Promise<Figure[]> => {
      const before = await commits(chain.proxyUrl)
      const ms = (await pairs(ask)).map(([d, t]) => t.ms - d.ms)
      const after = await commits(chain.proxyUrl)
      const ledgerMs = (1000 * (after.seconds - before.seconds)) / (after.count - before.count)
      return [
        { name: `${name}: added, median`, value: median(ms), unit: 'ms', goal: { atMost: 1.5 } },
        { name: `${name}: added, p99`, value: quantile(ms, 0.99), unit: 'ms' },
        { name: `${name}: of it the ledger, mean`, value: ledgerMs, unit: 'ms', goal: { atMost: 2 } },
        { name: `${name}: added without the ledger`, value: median(ms) - ledgerMs, unit: 'ms' },
      ]
    }
    const figures = [
      ...(await added('whole answer', { stream: false })),
      ...(await added('streamed answer', { stream: true })),
    ]
    const stamped = await pairs({ stream: true, manner: 'stamped' })
    await Promise.all([direct.close(), through.close()])

    const first = (answers: readonly Answered[]): number[] =>
      answers.map(({ delaysNs: [ns] }) => {
        if (ns === undefined) throw new Error('an answer came without a stamp')
        return ns / NS_PER_MS
      })
    const later = stamped.flatMap(([, t]) => t.delaysNs.slice(1)).map((ns) => ns / NS_PER_MS)
    const firstThrough = first(stamped.map(([, t]) => t))
    return [
      ...figures,
      { name: 'first streamed byte, direct: age, median', value: median(first(stamped.map(([d]) => d))), unit: 'ms' },
      { name: 'first streamed byte: age, median', value: median(firstThrough), unit: 'ms', goal: { atMost: 2 } },
      { name: 'first streamed byte: age, p99', value: quantile(firstThrough, 0.99), unit: 'ms' },
      { name: 'later streamed bytes: age, median', value: median(later), unit: 'ms' },
    ]
  },
}

/** What the ledger has written so far: groups, and the time they took. */
async function commits(proxyUrl: string): Promise<{ readonly count: number; readonly seconds: number }> {
  const text = await (await fetch(`${proxyUrl}/metrics`)).text()
  const read = (name: string): number => {
    const found = new RegExp(`^cocoon_ledger_commit_seconds_${name} (\\S+)$`, 'm').exec(text)
    if (found === null) throw new Error(`the proxy does not tell ledger_commit_seconds_${name}`)
    return Number(found[1])
  }
  return { count: read('count'), seconds: read('sum') }
}
