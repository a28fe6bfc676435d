/** A client node put together: identity, verification of proxies, proof of work. The SDK and the CLI both start here. */
import type { Address, Registry } from '../chain/index.ts'
import { type ClientDeps, type ClientNode, type ClientOptions, startClientNode } from '../roles/client/index.ts'
import { createPowSolver, createTransportMetrics, type PeerVerifier, type TlsIdentity } from '../transport/index.ts'
import type { Clock, Log, Metrics, Random, Secret, Trace } from '../util/index.ts'

export interface ClientParts {
  /** Stays the caller's to close. */
  readonly registry: Registry
  /** The account that pays. */
  readonly owner: Address
  readonly secret: Secret<string>
  /** In a network with a chain. The wallet is the owner, and stays the caller's to close. */
  readonly chain?: NonNullable<ClientDeps['chain']>
  readonly options: ClientOptions
  /** Who we are to proxies, and which of them we accept; stays the caller's to close. */
  readonly tls: TlsIdentity
  readonly verifier: PeerVerifier
  /** Judges workers that proxies tell about; null where nobody looks at them. */
  readonly workerJudge?: ClientDeps['workerJudge']
  readonly log: Log
  readonly metrics: Metrics
  readonly trace?: Trace
  readonly clock: Clock
  /** Secure: the node's key is made from it. */
  readonly random: Random
}

export interface ComposedClient {
  readonly node: ClientNode
  /** Lets running requests finish for `graceMs`, then closes the connections. */
  close(graceMs: number): Promise<void>
}

/** Starts connecting at once. */
export function composeClient(parts: ClientParts): ComposedClient {
  const { registry, clock, random, metrics } = parts
  const solver = createPowSolver()
  const node = startClientNode(
    {
      registry,
      clock,
      random,
      metrics,
      log: parts.log,
      trace: parts.trace,
      owner: parts.owner,
      secret: parts.secret,
      ...(parts.chain === undefined ? {} : { chain: parts.chain }),
      transportMetrics: createTransportMetrics(metrics),
      tls: parts.tls,
      verifier: parts.verifier,
      workerJudge: parts.workerJudge ?? null,
      solver,
    },
    parts.options,
  )
  return {
    node,
    async close(graceMs) {
      await node.close(graceMs)
      solver.close()
    },
  }
}
