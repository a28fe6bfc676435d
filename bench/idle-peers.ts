/** Helper process: many nodes of one role that connect to a proxy and then do nothing. Arguments: role, count, network file. */
import { readFileSync } from 'node:fs'
import { parseAddress, parseNetworkFile } from '../src/chain/index.ts'
import type { Engine } from '../src/engine/index.ts'
import { clientOptions, startClientNode } from '../src/roles/client/index.ts'
import { startWorkerNode, workerOptions } from '../src/roles/worker/index.ts'
import { createIdentity, createVerifier } from '../src/tee/index.ts'
import { createPowSolver, noTransportMetrics } from '../src/transport/index.ts'
import { noMetrics, Secret, silentLog, systemClock, systemRandom } from '../src/util/index.ts'
import { MODEL } from './answer.ts'
import { until } from './processes.ts'

/** New connections at once: a thousand handshakes in one moment would only wait for each other. */
const AT_ONCE = 20

const [role, countText, networkFile] = process.argv.slice(2) as ['client' | 'worker', string, string]
const count = Number(countText)
const config = parseNetworkFile(readFileSync(networkFile, 'utf8'), networkFile)
const shared = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  metrics: noMetrics,
  transportMetrics: noTransportMetrics,
  registry: { current: () => config, subscribe: () => () => undefined, close() {} },
  solver: createPowSolver(),
  verifier: createVerifier({ accept: ['simulated'] }),
}
const idleEngine: Engine = {
  run: () => ({ resume() {} }),
  models: () => Promise.resolve([MODEL]),
  close: () => Promise.resolve(),
}

function open(i: number): { readonly isConnected: () => boolean } {
  const owner = parseAddress(`0:${i.toString(16).padStart(64, '0')}`, 'owner')
  const tls = createIdentity({ evidence: 'simulated' })
  if (role === 'client') {
    const node = startClientNode({ ...shared, owner, secret: new Secret(''), tls }, clientOptions.parse({}))
    return { isConnected: () => node.ready().length === 0 }
  }
  const node = startWorkerNode({ ...shared, engine: idleEngine, owner, tls }, workerOptions.parse({ model: MODEL }))
  return { isConnected: () => node.ready().length === 0 }
}

for (let done = 0; done < count; done += AT_ONCE) {
  const some = Array.from({ length: Math.min(AT_ONCE, count - done) }, (_, i) => open(done + i + 1))
  await until(async () => some.every((node) => node.isConnected()), `${AT_ONCE} idle ${role}s are connected`)
}
process.send?.({ connected: count })
process.on('SIGTERM', () => process.exit(0))
process.on('disconnect', () => process.exit(0))
setInterval(() => undefined, 2 ** 30)
