/** How long a connection takes where the network's usual proof of work is asked for, and whether the process stays awake. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createIdentity, createVerifier } from '../src/tee/index.ts'
import { createPowSolver, DEFAULT_POW_DIFFICULTY, dial } from '../src/transport/index.ts'
import { CocoonError } from '../src/util/index.ts'
import { type Benchmark, median, quantile } from './benchmark.ts'
import { startProxy } from './network.ts'

const CONNECTIONS = 30
const NS_PER_MS = 1e6

export const powBenchmark: Benchmark = {
  name: 'pow',
  what: `${CONNECTIONS} connections to a proxy that asks for ${DEFAULT_POW_DIFFICULTY} bits, one after the other`,
  async run({ profileInto }) {
    await using network = await startProxy({ powDifficulty: DEFAULT_POW_DIFFICULTY, profileInto })
    const solver = createPowSolver()
    const [identity, verifier] = [createIdentity({ evidence: 'simulated' }), createVerifier({ accept: ['simulated'] })]
    const connect = async (): Promise<void> => {
      const { clientPort: port } = network.ports
      const connection = await dial({ host: '127.0.0.1', port, identity, verifier, solver }, () => ({
        message() {},
        query: (_data, reply) => reply.error(0, ''),
        closed() {},
      }))
      connection.close(new CocoonError('capacity.closing'))
    }
    // Threads start with the first challenge.
    await connect()
    const delay = monitorEventLoopDelay({ resolution: 2 })
    delay.enable()
    const ms: number[] = []
    for (let i = 0; i < CONNECTIONS; i++) {
      const start = performance.now()
      await connect()
      ms.push(performance.now() - start)
    }
    delay.disable()
    solver.close()
    return [
      { name: 'connection, median', value: median(ms), unit: 'ms', goal: { atMost: 1000 } },
      { name: 'connection, mean', value: ms.reduce((sum, one) => sum + one, 0) / ms.length, unit: 'ms' },
      { name: 'connection, p90', value: quantile(ms, 0.9), unit: 'ms' },
      { name: 'event loop held up, longest', value: delay.max / NS_PER_MS, unit: 'ms', goal: { atMost: 20 } },
    ]
  },
}
