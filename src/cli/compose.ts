/** Putting nodes together from a configuration: what every role needs, made once per process. */
import { join } from 'node:path'
import {
  type ChainAccess,
  type ChainDeps,
  type ChainNetwork,
  type ChainRegistry,
  loadNetworkFile,
  openChainAccess,
  openChainRegistry,
  parseAddress,
  type Registry,
  type RootConfig,
} from '../chain/index.ts'
import { createPrometheusMetrics } from '../api/index.ts'
import { type NodeAttestation, gpuSourceOf, openAttestation, openOwnSource } from '../attest/index.ts'
import type { Policy } from '../tee/index.ts'
import { createOtlpTrace, type OtlpDeps, type OtlpTrace, postSpans } from '../telemetry/index.ts'
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
  noTrace,
  pooledRandom,
  type Random,
  systemClock,
  systemRandom,
} from '../util/index.ts'
import { createLog } from './log.ts'
import { loadPolicy } from './verify/policies.ts'
import { chooseNetwork } from './network.ts'
import type { Config } from './schema.ts'

export interface Process {
  /** Of this network. */
  readonly config: Config
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: ReturnType<typeof createPrometheusMetrics>
  readonly transportMetrics: TransportMetrics
  readonly trace: OtlpTrace
  readonly registry: Registry
  /** Null in a network without one. */
  readonly chain: NodeChain | null
  readonly attestation: NodeAttestation
  readonly tls: TlsIdentity
  /** Of the peers that must prove something to this role; demands what the network demands. */
  readonly verifier: PeerVerifier
  /** For clients: judges workers that proxies tell about. */
  readonly workerJudge: NodeAttestation['workerJudge']
}

/** A chain as nodes use it. */
export interface NodeChain {
  readonly network: ChainNetwork
  readonly access: ChainAccess
  readonly registry: ChainRegistry
}

/** Where `cocoon up` writes the network it makes. */
export const devnetFile = (home: string): string => join(home, 'devnet', 'network.json')

function openFile(path: string, config: Config, log: Log): Registry {
  return loadNetworkFile(path, {
    clock: systemClock,
    log,
    ...(config.rootContractAddress === undefined
      ? {}
      : { root: parseAddress(config.rootContractAddress, 'rootContractAddress') }),
  })
}

/** Waits for the first reading of the root contract, as long as it takes. Throws what `ready` throws. */
async function openChain(network: ChainNetwork, deps: ChainDeps): Promise<NodeChain> {
  const access = openChainAccess(network, deps)
  const registry = openChainRegistry(network, access, deps, network.evidence)
  deps.log.info('reading the root contract', { network: network.name, root: registry.status().rootAddress })
  await registry.ready().catch((error: unknown) => {
    registry.close()
    throw error
  })
  return { network, access, registry }
}

export async function openProcess(
  config: Config,
  role: 'client' | 'proxy' | 'worker',
  stream: NodeJS.WriteStream = process.stdout,
): Promise<Process> {
  const log = createLog(config.log, role, stream)
  const metrics = createPrometheusMetrics({ prefix: 'cocoon_', processMetrics: true })
  const random = pooledRandom(systemRandom)
  const chosen = chooseNetwork(config)
  const chain =
    chosen.kind === 'chain' ? await openChain(chosen.chain, { clock: systemClock, random, log, metrics }) : null
  const registry = chosen.kind === 'file' ? openFile(chosen.path, config, log) : (chain as NodeChain).registry
  warnAboutEvidence(registry.current(), log)
  const attestation = await openAttestation(
    { clock: systemClock, random, log, registry },
    {
      ...config.attestation,
      role,
      policy: policyOf(config),
      openSource: () => openOwnSource({ clock: systemClock, random }, config.attestation),
      gpus: role === 'worker' ? gpuSourceOf(config.attestation) : null,
      collateralPath: collateralPath(config.home),
    },
  ).catch((error: unknown) => {
    registry.close()
    throw error
  })
  return {
    config: chain === null ? config : inFormOf(chain.network, config, role),
    clock: systemClock,
    random,
    log,
    metrics,
    transportMetrics: createTransportMetrics(metrics),
    trace: openTrace(config, role, { clock: systemClock, log, metrics }),
    registry,
    chain,
    attestation,
    tls: attestation.tls,
    verifier: attestation.verifier,
    workerJudge: attestation.workerJudge,
  }
}

/** On a chain for tests, addresses have their testnet form: wallets and explorers take no other there. */
const inFormOf = ({ isTest }: ChainNetwork, config: Config, role: 'client' | 'proxy' | 'worker'): Config =>
  isTest ? { ...config, [role]: { ...config[role], isTestnet: true } } : config

/** One that traces nothing where no collector is named. */
function openTrace({ telemetry }: Config, role: string, deps: Omit<OtlpDeps, 'post'>): OtlpTrace {
  const { url, ratio } = telemetry
  if (url === undefined) return { ...noTrace, close: () => Promise.resolve() }
  return createOtlpTrace({ ...deps, post: postSpans }, { url, ratio, role })
}

/** Null for what the network asks for. */
const policyOf = ({ attestation: { policy } }: Config): Policy | null =>
  policy === 'network' ? null : loadPolicy(policy)

/** What nodes of this folder keep of what vendors publish. The last that changed it wins; what it lacks is fetched again. */
export const collateralPath = (home: string): string => join(home, 'collateral', 'bundle.json')

function warnAboutEvidence({ evidence, testRoots }: RootConfig, log: Log): void {
  if (evidence === 'simulated')
    log.warn('this network accepts SIMULATED evidence: it proves nothing about the machines; for tests only')
  if (evidence === 'none')
    log.warn('this network asks for NO evidence: whoever runs a node can read what passes through it; for tests only')
  if (testRoots !== undefined)
    log.warn(
      'this network trusts TEST ROOTS in the place of hardware makers: its evidence proves nothing; for tests only',
    )
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
