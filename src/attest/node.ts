/**
 * What a node of a network needs towards its peers: who it is, whom it accepts, and the collateral behind that. Proxies are
 * judged by clients and workers, workers by proxies; clients by nobody. Source: docs/attestation.md, "Networks".
 */
import { allowedHashes, type Registry, type RootConfig } from '../chain/index.ts'
import {
  type CollateralSupply,
  createNetworkIdentity,
  createNetworkVerifier,
  type EvidenceSource,
  type GpuSource,
  fixedCollateral,
  EMPTY_BUNDLE,
  type NetworkIdentity,
  type NetworkIdentityDeps,
  type NetworkRules,
  type NetworkVerifier,
  openNetworkIdentity,
  type Policy,
  trustedRoots,
} from '../tee/index.ts'
import { type Clock, CocoonError, type Log, type Random } from '../util/index.ts'
import { type CollateralKeeper, createCollateralKeeper, type KeeperStatus } from './keeper.ts'
import type { VendorGet } from './http-get.ts'
import type { AttestationOptions } from './options.ts'
import type { CollateralServers } from './vendors.ts'
import { createWorkerJudge, type WorkerJudge } from './worker-judge.ts'

export interface AttestationDeps {
  readonly clock: Clock
  /** Secure: keys are made from it. */
  readonly random: Random
  readonly log: Log
  readonly registry: Registry
  /** For tests; HTTP otherwise. */
  readonly get?: VendorGet
}

export interface NodeAttestationOptions
  extends Omit<AttestationOptions, 'policy' | 'source' | 'sourceKind' | 'sourceCommand' | 'gpuSource' | 'gpuCommand'> {
  readonly role: 'client' | 'proxy' | 'worker'
  /** Null for what the network asks for. */
  readonly policy: Policy | null
  /** Opens this machine's own, null where it has none; asked only where the network's evidence is real and the role needs some. */
  readonly openSource: () => Promise<EvidenceSource | null>
  /** Evidence of this machine’s GPUs; null where it shows none. Asked like the source. */
  readonly gpus?: GpuSource | null
  /** Where collateral is kept; null for in memory only. */
  readonly collateralPath: string | null
}

export interface NodeAttestation {
  readonly tls: NetworkIdentity
  /** Judges the peers of this role that must prove something. */
  readonly verifier: NetworkVerifier
  /** For clients: judges workers that proxies tell about. */
  readonly workerJudge: WorkerJudge | null
  /** Null where nothing real is accepted. */
  readonly collateral: CollateralKeeper | null
  status(): AttestationStatus
  close(): void
}

/** The part `attestation` of `/status`. */
export interface AttestationStatus {
  readonly network: {
    readonly evidence: RootConfig['evidence']
    /** Hardware of makers that exist in tests only counts as real here. */
    readonly testRoots: boolean
  }
  readonly own: ReturnType<NetworkIdentity['status']>
  /** Null where nobody’s evidence is looked at. */
  readonly peers: ReturnType<NetworkVerifier['status']>
  /** Null where nothing real is accepted. */
  readonly collateral: KeeperStatus | null
}

/** Throws `config.*` for what contradicts the network; rejects with `attestation.evidence-source`. */
export async function openAttestation(
  deps: AttestationDeps,
  options: NodeAttestationOptions,
): Promise<NodeAttestation> {
  const isNeeded = deps.registry.current().evidence === 'real' && options.role !== 'client'
  // First, since it may fail: nothing has been started then.
  const source = isNeeded ? await options.openSource() : null
  const gpus = isNeeded ? (options.gpus ?? undefined) : undefined
  if (gpus !== undefined && source === null)
    throw new CocoonError('config.evidence-source', {
      message: 'attestation.gpuSource is set, and this machine has no evidence of its own that GPUs could belong to',
    })
  const tls = source === null ? null : await openNetworkIdentity(identityDeps(deps), source, gpus, statedBy(options))
  try {
    return createAttestation(deps, options, tls)
  } catch (error) {
    tls?.close()
    throw error
  }
}

/** The same at once, for a machine without a source of evidence. Throws `config.*`. @param tls another identity */
export function createAttestation(
  deps: AttestationDeps,
  options: Omit<NodeAttestationOptions, 'openSource'>,
  tls: NetworkIdentity | null = null,
): NodeAttestation {
  const { registry, log, clock } = deps
  const rules = rulesOf(registry.current())
  const images = allowedHashes(registry, options.role === 'proxy' ? 'workers' : 'proxies')
  const identity = tls ?? createNetworkIdentity(identityDeps(deps), rules, options.role !== 'client')
  const keeper = openKeeper(deps, options, rules)
  try {
    const collateral = keeper ?? fixedCollateral(EMPTY_BUNDLE)
    const verifier = createNetworkVerifier({ clock, log, collateral, images }, rules, options.policy, {
      takesClaims: options.role === 'proxy',
    })
    const behind = options.role === 'client' ? openWorkerVerifier({ ...deps, collateral }, options, rules) : null
    return {
      tls: identity,
      verifier,
      workerJudge: behind === null ? null : createWorkerJudge(behind, clock),
      collateral: keeper,
      status: () => ({
        network: { evidence: rules.evidence, testRoots: rules.testRoots !== undefined },
        own: identity.status(),
        peers: verifier.status(),
        collateral: keeper?.status() ?? null,
      }),
      close() {
        identity.close()
        verifier.close()
        behind?.close()
        keeper?.close()
      },
    }
  } catch (error) {
    keeper?.close()
    throw error
  }
}

const statedBy = ({ provider, region }: Pick<AttestationOptions, 'provider' | 'region'>) => ({
  provider: provider === '' ? null : provider,
  region: region === '' ? null : region,
})

const identityDeps = ({ clock, log, random }: AttestationDeps): NetworkIdentityDeps => ({
  clock,
  log,
  random: (count) => random.bytes(count),
})

/** As the registry says at this moment, and so it stays: a later version cannot talk a running node into accepting less. */
const rulesOf = ({ evidence, params, testRoots }: RootConfig): NetworkRules => ({
  evidence,
  isTest: params.isTest,
  ...(testRoots === undefined ? {} : { testRoots }),
})

/** By the same policy as proxies, and the registry's list of workers' images. */
const openWorkerVerifier = (
  { clock, log, registry, collateral }: AttestationDeps & { readonly collateral: CollateralSupply },
  { policy }: Pick<NodeAttestationOptions, 'policy'>,
  rules: NetworkRules,
): NetworkVerifier =>
  createNetworkVerifier({ clock, log, collateral, images: allowedHashes(registry, 'workers') }, rules, policy, {
    takesClaims: true,
    about: 'document',
  })

function openKeeper(
  deps: AttestationDeps,
  { collateralPath, refreshHours, ...options }: Omit<NodeAttestationOptions, 'openSource'>,
  { evidence, testRoots }: NetworkRules,
): CollateralKeeper | null {
  if (evidence !== 'real') return null
  return createCollateralKeeper(deps, {
    servers: serversOf(options),
    path: collateralPath,
    refreshEveryMs: refreshHours * 3_600_000,
    ...(testRoots === undefined ? {} : { roots: trustedRoots(testRoots) }),
  })
}

export const serversOf = ({
  intelServer,
  amdServer,
  nvidiaServer,
  nvidiaOcspServer,
}: Pick<AttestationOptions, 'intelServer' | 'amdServer' | 'nvidiaServer' | 'nvidiaOcspServer'>): CollateralServers => ({
  intel: orNull(intelServer),
  amd: orNull(amdServer),
  nvidia: orNull(nvidiaServer),
  nvidiaOcsp: orNull(nvidiaOcspServer),
})
const orNull = (server: string): string | null => (server === 'off' ? null : server)
