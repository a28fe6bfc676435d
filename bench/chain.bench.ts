/**
 * How much of an engine's speed is left behind client, proxy and worker, each a process of its own: for an engine that sends each
 * event by itself, as engines do that make one token after the other, and for one whose 50 events are one piece of 6 KB.
 */
import type { Benchmark, Figure } from './benchmark.ts'
import { median } from './benchmark.ts'
import { createAsker } from './load.ts'
import { startChain } from './network.ts'
import { type Running, startHelper, usageOf } from './processes.ts'

const CONNECTIONS = 30
/** Direct and through the chain by turns, so that a machine that slows down slows both. */
const ROUNDS = 4

interface Rates {
  /** Streams a second. */
  readonly direct: number
  readonly through: number
}

export const chainBenchmark: Benchmark = {
  name: 'chain',
  what: `streams of 50 events of 128 bytes over ${CONNECTIONS} kept connections, every stream checked`,
  async run({ seconds, seed, profileInto }) {
    await using engine = await startHelper<{ port: number }>('./engine.ts', [String(seed)])
    const engineUrl = `http://127.0.0.1:${engine.hello.port}`
    await using chain = await startChain({ engineUrl, profileInto })
    const direct = createAsker(engineUrl, CONNECTIONS)
    const through = createAsker(chain.url, CONNECTIONS)
    await direct.streamsPerSecond(1, 'single')
    await through.streamsPerSecond(3, 'single')

    const spentMs = new Map<Running, number>()
    let streams = 0
    const measured = [...Object.values(chain.roles), engine]
    const compare = async (manner: 'single' | 'burst', rounds: number): Promise<readonly Rates[]> => {
      const rates: Rates[] = []
      for (let round = 0; round < rounds; round++) {
        const directRate = await direct.streamsPerSecond(seconds / 2, manner)
        const before = measured.map((running) => usageOf(running)?.cpuMs ?? 0)
        const rate = await through.streamsPerSecond(seconds, manner)
        rates.push({ direct: directRate, through: rate })
        if (manner !== 'single') continue
        streams += rate * seconds
        for (const [i, running] of measured.entries()) {
          const spent = (usageOf(running)?.cpuMs ?? 0) - (before[i] ?? 0)
          spentMs.set(running, (spentMs.get(running) ?? 0) + spent)
        }
      }
      return rates
    }
    const singly = await compare('single', ROUNDS)
    const bursts = await compare('burst', ROUNDS)
    await Promise.all([direct.close(), through.close()])

    const figures: Figure[] = [
      { name: 'direct', value: median(singly.map((r) => r.direct)), unit: 'streams/s' },
      { name: 'through the chain', value: median(singly.map((r) => r.through)), unit: 'streams/s' },
      {
        name: 'chain ÷ direct',
        value: median(singly.map((r) => r.through / r.direct)),
        unit: '×',
        goal: { atLeast: 0.35 },
      },
      { name: 'all events at once: direct', value: median(bursts.map((r) => r.direct)), unit: 'streams/s' },
      { name: 'all events at once: through', value: median(bursts.map((r) => r.through)), unit: 'streams/s' },
      { name: 'all events at once: ratio', value: median(bursts.map((r) => r.through / r.direct)), unit: '×' },
    ]
    for (const running of measured) {
      const usage = usageOf(running)
      if (usage === undefined) continue
      const cpuUs = (1000 * (spentMs.get(running) ?? 0)) / streams
      const name = running === engine ? 'engine' : running.name
      figures.push({ name: `${name}: CPU a stream`, value: cpuUs, unit: 'µs' })
      if (running !== engine) figures.push({ name: `${name}: peak memory`, value: usage.peakRssMib, unit: 'MiB' })
    }
    return figures
  },
}
