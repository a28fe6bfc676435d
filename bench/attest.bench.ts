/** What mutual attestation costs: a connection on which both ends verify a TDX quote, and one on which both know it already. */
import { randomBytes } from 'node:crypto'
import { fixedCollateral, createNetworkVerifier, openIdentity, type NetworkVerifier } from '../src/tee/index.ts'
import { type Connection, createPowSolver, dial, listen, type Peer, type TlsIdentity } from '../src/transport/index.ts'
import { type Clock, CocoonError, silentLog, systemClock, toHex } from '../src/util/index.ts'
import { createTestPlatform, type TestPlatform } from '../test/support/attested-peers.ts'
import { NOW_MS } from '../test/support/dcap-maker.ts'
import { type Benchmark, median } from './benchmark.ts'

const HOST = '127.0.0.1'
/** Certificates that no end has seen before are made beforehand; each is used once. */
const NEW_PEERS = 150
const US_PER_MS = 1000
const MS_PER_MINUTE = 60_000

/** The time at which the hardware of the tests is good. */
function clockOfTests(): Clock {
  const offsetMs = NOW_MS - Date.now()
  return { now: () => systemClock.now() + offsetMs, after: (delayMs, run) => systemClock.after(delayMs, run) }
}

async function identities(platform: TestPlatform, clock: Clock, count: number): Promise<TlsIdentity[]> {
  const made: TlsIdentity[] = []
  for (let i = 0; i < count; i++) {
    const identity = await openIdentity({ source: platform.source(), clock, log: silentLog, random: randomBytes })
    identity.close()
    const pair = identity.current()
    made.push({ current: () => pair })
  }
  return made
}

export const attestBenchmark: Benchmark = {
  name: 'attest',
  what: 'connections on which both ends verify a TDX quote; CPU time of both ends together',
  async run({ seconds }) {
    const clock = clockOfTests()
    const platform = createTestPlatform()
    const verifier = (): NetworkVerifier =>
      createNetworkVerifier(
        {
          clock,
          log: silentLog,
          collateral: fixedCollateral(platform.bundle()),
          images: { current: () => new Set([platform.imageHash]), subscribe: () => () => undefined },
        },
        { evidence: 'real', isTest: true, testRoots: { intel: toHex(platform.rootKey) } },
      )
    const [servers, clients] = [
      await identities(platform, clock, NEW_PEERS),
      await identities(platform, clock, NEW_PEERS),
    ]
    let serving = 0
    const [ours, theirs] = [verifier(), verifier()]
    const seen: Peer[] = []
    const listener = await listen({
      host: HOST,
      port: 0,
      clock,
      identity: { current: () => (servers[serving] as TlsIdentity).current() },
      verifier: theirs,
      limits: { powDifficulty: 0 },
      onConnection: (connection) => {
        seen.push(connection.peer)
        return QUIET
      },
    })
    const solver = createPowSolver({ threads: 1 })
    const { port } = listener
    const connect = async (identity: TlsIdentity): Promise<void> => {
      const connection = await dial({ host: HOST, port, identity, verifier: ours, solver, clock }, () => QUIET)
      verifyBoth(connection, seen)
      connection.close(new CocoonError('capacity.closing'))
    }
    try {
      const fresh: number[] = []
      for (serving = 0; serving < NEW_PEERS; serving++)
        fresh.push(await cpuMs(() => connect(clients[serving] as TlsIdentity)))
      serving = 0
      const known: number[] = []
      for (const end = performance.now() + seconds * 1000; performance.now() < end; )
        known.push(await cpuMs(() => connect(clients[0] as TlsIdentity)))
      const hits = ours.status()?.memory.hits ?? 0
      if (hits < known.length) throw new Error(`the evidence was not remembered: ${hits} of ${known.length} times`)
      const again = known.reduce((sum, one) => sum + one, 0) / known.length
      return [
        { name: 'new peers, both verified', value: median(fresh), unit: 'CPU ms', goal: { atMost: 15 } },
        { name: 'known peers', value: again, unit: 'CPU ms' },
        { name: 'reconnects on one core', value: MS_PER_MINUTE / again, unit: '1/min', goal: { atLeast: 1000 } },
      ]
    } finally {
      await listener.close()
      for (const one of [ours, theirs]) one.close()
      solver.close()
    }
  },
}

const QUIET = { message() {}, query() {}, closed() {} }

function verifyBoth(connection: Connection, seen: readonly Peer[]): void {
  if (connection.peer.evidence !== 'verified' || seen.at(-1)?.evidence !== 'verified')
    throw new Error('a peer was not verified')
}

/** Of this process, in which both ends are. */
async function cpuMs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / US_PER_MS
}
