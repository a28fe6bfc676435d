/** Putting nodes together from a configuration: what every role needs, made once per process. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadNetworkFile, parseAddress, type Registry, type RootConfig } from '../chain/index.ts'
import { createPrometheusMetrics } from '../api/index.ts'
import { createIdentity, createVerifier } from '../tee/index.ts'
import {
  createTransportMetrics,
  type PeerVerifier,
  type TlsIdentity,
  type TransportMetrics,
} from '../transport/index.ts'
import {
  type Clock,
  CocoonError,
  type Log,
  pooledRandom,
  type Random,
  systemClock,
  systemRandom,
} from '../util/index.ts'
import { createLog } from './log.ts'
import type { Config } from './schema.ts'

export interface Process {
  readonly config: Config
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: ReturnType<typeof createPrometheusMetrics>
  readonly transportMetrics: TransportMetrics
  readonly registry: Registry
  readonly tls: TlsIdentity
  /** Demands what the network demands. */
  readonly verifier: PeerVerifier
}

/** Where `cocoon up` writes the network it makes. */
export const devnetFile = (home: string): string => join(home, 'devnet', 'network.json')

export function openNetwork(config: Config, log: Log): Registry {
  const path = config.network === 'devnet' ? devnetFile(config.home) : config.network
  if (!existsSync(path)) {
    const mend =
      config.network === 'devnet'
        ? 'run `cocoon up` first, or name a network file with --network FILE'
        : 'give the path of a network file with --network FILE'
    throw new CocoonError('config.network', { message: `the network file ${path} does not exist: ${mend}` })
  }
  return loadNetworkFile(path, {
    clock: systemClock,
    log,
    ...(config.rootContractAddress === undefined
      ? {}
      : { root: parseAddress(config.rootContractAddress, 'rootContractAddress') }),
  })
}

export function openProcess(config: Config, role: string, stream: NodeJS.WriteStream = process.stdout): Process {
  const log = createLog(config.log, role, stream)
  const registry = openNetwork(config, log)
  const metrics = createPrometheusMetrics({ prefix: 'cocoon_' })
  const { evidence } = registry.current()
  warnAboutEvidence(registry.current(), log)
  return {
    config,
    clock: systemClock,
    random: pooledRandom(systemRandom),
    log,
    metrics,
    transportMetrics: createTransportMetrics(metrics),
    registry,
    // Shown also where nobody has to: peers of one kind of test network demand it, peers of the other ignore it.
    tls: createIdentity({ evidence: 'simulated' }),
    verifier: createVerifier({ accept: [evidence] }),
  }
}

function warnAboutEvidence({ evidence }: RootConfig, log: Log): void {
  if (evidence === 'simulated')
    log.warn('this network accepts SIMULATED evidence: it proves nothing about the machines; for tests only')
  else
    log.warn('this network asks for NO evidence: whoever runs a node can read what passes through it; for tests only')
}

/** A system's error about a port, in words that help. */
export function portError(error: unknown, what: string, setting: string): unknown {
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string }
  if (code === 'EADDRINUSE')
    return new CocoonError(
      'config.port-in-use',
      {
        message: `port ${port} for ${what} is taken: stop the program that uses it, or choose another with ${setting}`,
      },
      { cause: error },
    )
  if (code === 'EACCES')
    return new CocoonError(
      'config.port-denied',
      { message: `port ${port} for ${what} needs more rights: choose one above 1023 with ${setting}` },
      { cause: error },
    )
  if (code === 'EADDRNOTAVAIL')
    return new CocoonError(
      'config.address',
      { message: `${address} for ${what} is no address of this machine` },
      { cause: error },
    )
  return error
}
