/** What a proxy needs for peers that are connected and do nothing: real TLS, both full handshakes. */
import type { Benchmark } from './benchmark.ts'
import { startProxy } from './network.ts'
import { startHelper, usageOf } from './processes.ts'

const PEERS_EACH = 1000
/** Garbage of two thousand handshakes goes while the process idles. */
const SETTLE_MS = 5000

export const memoryBenchmark: Benchmark = {
  name: 'memory',
  what: `a proxy with ${PEERS_EACH} idle workers and ${PEERS_EACH} idle clients`,
  async run({ profileInto }) {
    await using network = await startProxy({ powDifficulty: 0, profileInto })
    const before = usageOf(network.proxy)
    if (before === undefined) return []
    const start = performance.now()
    const args = [String(PEERS_EACH), network.networkFile]
    await using _workers = await startHelper('./idle-peers.ts', ['worker', ...args])
    await using _clients = await startHelper('./idle-peers.ts', ['client', ...args])
    const seconds = (performance.now() - start) / 1000
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const response = await fetch(`http://127.0.0.1:${network.ports.proxyHttp}/status`)
    const status = (await response.json()) as { readonly workers: unknown[]; readonly clients: unknown }
    const shown = Array.isArray(status.clients) ? status.clients.length : Number(status.clients)
    if (status.workers.length !== PEERS_EACH || shown < PEERS_EACH)
      throw new Error(`the proxy shows ${status.workers.length} workers and ${shown} clients`)
    const after = usageOf(network.proxy) ?? before
    const perPeer = (1024 * (after.rssMib - before.rssMib)) / (2 * PEERS_EACH)
    return [
      { name: 'without peers', value: before.rssMib, unit: 'MiB' },
      { name: 'with 2,000 idle peers', value: after.rssMib, unit: 'MiB', goal: { atMost: 400 } },
      { name: 'peak', value: after.peakRssMib, unit: 'MiB' },
      { name: 'a peer', value: perPeer, unit: 'KiB' },
      { name: 'handshakes', value: (2 * PEERS_EACH) / seconds, unit: '1/s' },
    ]
  },
}
