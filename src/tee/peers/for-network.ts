/**
 * What a network asks of its nodes, as a verifier for peers and an identity for ourselves. Everything that would weaken a
 * network is refused here, before a node listens: simulated or absent evidence outside of test networks, test roots beside
 * real ones, a policy that contradicts the network. Source: docs/attestation.md, "Networks".
 */
import { type Clock, CocoonError, fromHex, type Log } from '../../util/index.ts'
import type { TrustedRoots } from '../assess/index.ts'
import { BUILT_IN_POLICIES, type Policy } from '../policy/index.ts'
import { createIdentity, type IdentityStatus, type NodeIdentity, openIdentity, type Stated } from '../ratls/identity.ts'
import { createVerifier, type VerifiedPeer } from '../ratls/verifier.ts'
import type { TlsRole } from '../ratls/rules.ts'
import type { GpuSource } from '../source/gpu-command.ts'
import type { EvidenceSource } from '../source/source.ts'
import {
  type Asking,
  createPeerVerifier,
  type JudgedPeer,
  type PeerVerifierDeps,
  type PeerVerifierOptions,
  type PeerVerifierStatus,
} from './verifier.ts'

/** As the network's configuration says at start; a registry that changes its mind later changes nothing in a running node. */
export interface NetworkRules {
  readonly evidence: 'none' | 'simulated' | 'real'
  readonly isTest: boolean
  readonly testRoots?: {
    /** X ‖ Y, hex. */
    readonly intel?: string
    readonly amd?: NonNullable<TrustedRoots['amd']>
    /** Key pins: SHA-256 of the SubjectPublicKeyInfo, hex. */
    readonly nvidiaDevices?: readonly string[]
    readonly nvidiaManifests?: readonly string[]
  }
}

/** `/status` of a verifier; null where nobody's evidence is looked at. */
export interface NetworkVerifier {
  verify(der: Uint8Array, role: TlsRole, nowMs: number, asking: Asking): VerifiedPeer | JudgedPeer | Promise<JudgedPeer>
  status(): PeerVerifierStatus | null
  close(): void
}

/**
 * @param policy what the operator asks for; null for what the network asks for. Throws `config.evidence`, `config.test-roots`
 *   and `config.policy`.
 * @param takesClaims whoever uses it lets peers show GPUs after the handshake
 */
export function createNetworkVerifier(
  deps: PeerVerifierDeps,
  rules: NetworkRules,
  policy: Policy | null = null,
  { takesClaims = false, about = 'peer' }: Pick<PeerVerifierOptions, 'takesClaims' | 'about'> = {},
): NetworkVerifier {
  verifyRules(rules)
  if (rules.evidence === 'none' && policy === null)
    return { ...createVerifier({ accept: ['none'] }), status: () => null, close: () => undefined }
  const asked = policy ?? (rules.evidence === 'real' ? BUILT_IN_POLICIES.mainnet : BUILT_IN_POLICIES.devnet)
  if (asked.simulated === 'on-test-networks' && rules.evidence !== 'simulated')
    throw refuse(
      'config.policy',
      `the policy ${asked.name} accepts simulated evidence only, and this network’s evidence is "${rules.evidence}": choose mainnet, strict or a policy of your own`,
    )
  if (asked.gpu.required && !takesClaims)
    throw refuse(
      'config.policy',
      `the policy ${asked.name} requires GPUs, and proxies, whom this node judges, have none: such a policy is for a proxy, which judges workers`,
    )
  const { testRoots } = rules
  return createPeerVerifier(deps, {
    policy: asked,
    networkEvidence: rules.evidence,
    takesClaims,
    about,
    ...(testRoots === undefined ? {} : { testRoots: trustedRoots(testRoots) }),
  })
}

function verifyRules({ evidence, isTest, testRoots }: NetworkRules): void {
  if (evidence !== 'real' && !isTest)
    throw refuse('config.evidence', `evidence "${evidence}" is possible on test networks only`)
  if (testRoots !== undefined && (!isTest || evidence !== 'real'))
    throw refuse('config.test-roots', 'test roots can be named by test networks with real evidence only')
}

/** What is named replaces the vendor's own; what is not named trusts nobody, so that the two are never mixed. */
export const trustedRoots = ({
  intel,
  amd,
  nvidiaDevices,
  nvidiaManifests,
}: NonNullable<NetworkRules['testRoots']>): TrustedRoots => ({
  intel: intel === undefined ? new Uint8Array(64) : fromHex(intel),
  amd: amd ?? [],
  nvidiaDevices: nvidiaDevices ?? [],
  nvidiaManifests: nvidiaManifests ?? [],
})

export interface NetworkIdentityDeps {
  readonly clock: Clock
  readonly log: Log
  /** Secure random bytes. */
  readonly random: (count: number) => Uint8Array
}

export interface NetworkIdentity extends NodeIdentity {
  status(): IdentityStatus | { readonly evidence: 'none' | 'simulated' }
  close(): void
}

/** For a machine without a source of evidence. @param isRequired peers refuse a node of this role without it. Throws `config.evidence-source`. */
export function createNetworkIdentity(
  deps: NetworkIdentityDeps,
  { evidence, isTest }: NetworkRules,
  isRequired: boolean,
): NetworkIdentity {
  if (evidence === 'real' && isRequired)
    throw refuse(
      'config.evidence-source',
      'this network asks this node for evidence of its hardware, and this machine has no source of it: run it in a TDX or SEV-SNP guest; `cocoon doctor` says what this machine has',
    )
  // Shown on test networks also where nobody has to: peers of one kind demand it, peers of the other ignore it.
  const kind = evidence === 'real' || !isTest ? 'none' : 'simulated'
  return { ...createIdentity({ ...deps, evidence: kind }), status: () => ({ evidence: kind }), close: () => undefined }
}

/** With one: evidence of hardware is shown on every network. Rejects with `attestation.evidence-source`. */
export const openNetworkIdentity = (
  deps: NetworkIdentityDeps,
  source: EvidenceSource,
  gpus?: GpuSource,
  stated: Stated = {},
): Promise<NetworkIdentity> => openIdentity({ ...deps, source, stated, ...(gpus === undefined ? {} : { gpus }) })

const refuse = (
  code: 'config.evidence' | 'config.evidence-source' | 'config.policy' | 'config.test-roots',
  message: string,
): CocoonError => new CocoonError(code, { message })
