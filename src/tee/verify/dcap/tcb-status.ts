/**
 * Which TCB level a platform reaches, and what its parts amount to together. Pure rules over facts that others verified.
 * Browser-safe. Source: spec/attestation-dcap.md, "TCB status".
 */
import type {
  EnclaveLevel,
  EnclaveStatus,
  Level,
  PlatformLevel,
  PlatformStatus,
  TdxModuleIdentity,
} from './tcb-info.ts'

/** What a verified platform is. The relaunch words exist only for guests that outlived an update of their TDX module. */
export type TcbStatus = PlatformStatus | 'TDRelaunchAdvised' | 'TDRelaunchAdvisedConfigurationNeeded'

/** The SVNs of a platform, as its PCK certificate and, for TDX, its guest's report give them. */
export interface PlatformSvns {
  /** Of the PCK certificate, 16. */
  readonly sgxComponents: readonly number[]
  readonly pceSvn: number
  /** TEE_TCB_SVN, 16 bytes; null for SGX. */
  readonly teeTcbSvn: Uint8Array | null
}

/** TEE_TCB_SVN[1]: the major version of the TDX module. Module 0 came before modules had identities of their own. */
export const moduleVersion = (teeTcbSvn: Uint8Array): number => teeTcbSvn[1] ?? 0

/** The first two bytes are the module's, once it has an identity of its own, and are judged there. */
const firstTdxComponent = (teeTcbSvn: Uint8Array): number => (moduleVersion(teeTcbSvn) > 0 ? 2 : 0)

/** The highest level that the platform reaches in every component; null when it reaches none. */
export function platformLevel(levels: readonly PlatformLevel[], svns: PlatformSvns): PlatformLevel | null {
  const { teeTcbSvn } = svns
  const reaches = (level: PlatformLevel): boolean =>
    level.sgxComponents.every((svn, i) => svn <= (svns.sgxComponents[i] ?? -1)) &&
    level.pceSvn <= svns.pceSvn &&
    (teeTcbSvn === null ||
      level.tdxComponents.every((svn, i) => i < firstTdxComponent(teeTcbSvn) || svn <= (teeTcbSvn[i] ?? -1)))
  return levels.find(reaches) ?? null
}

/** The highest level with an SVN of at most `isvSvn`; null when there is none. */
export const enclaveLevel = (levels: readonly EnclaveLevel[], isvSvn: number): EnclaveLevel | null =>
  levels.find((level) => level.isvSvn <= isvSvn) ?? null

/** The identity of a module version above 0; null when the TCB info has none. */
export function moduleIdentity(identities: readonly TdxModuleIdentity[], version: number): TdxModuleIdentity | null {
  const id = `TDX_${version.toString(16).toUpperCase().padStart(2, '0')}`
  return identities.find((identity) => identity.id === id) ?? null
}

/** The worst that platform, quoting enclave and module say together; dates and advisories of all. */
export function combine(platform: PlatformLevel, ...enclaves: readonly EnclaveLevel[]): Level<PlatformStatus> {
  const all: readonly Level<unknown>[] = [platform, ...enclaves]
  return {
    status: enclaves.reduce<PlatformStatus>(
      (status, enclave) => combineStatus(status, enclave.status),
      platform.status,
    ),
    tcbDateMs: Math.min(...all.map((level) => level.tcbDateMs)),
    advisoryIds: [...new Set(all.flatMap((level) => level.advisoryIds))].toSorted(),
  }
}

function combineStatus(platform: PlatformStatus, enclave: EnclaveStatus): PlatformStatus {
  if (platform === 'Revoked' || enclave === 'Revoked') return 'Revoked'
  if (enclave === 'UpToDate') return platform
  return needsConfiguration(platform) ? 'OutOfDateConfigurationNeeded' : 'OutOfDate'
}

const needsConfiguration = (status: PlatformStatus): boolean =>
  status === 'ConfigurationNeeded' ||
  status === 'ConfigurationAndSWHardeningNeeded' ||
  status === 'OutOfDateConfigurationNeeded'

const isOutOfDate = (status: PlatformStatus): boolean =>
  status === 'OutOfDate' || status === 'OutOfDateConfigurationNeeded'

/** A guest started on an old TCB that runs on a current one needs a new start, not a new machine. */
export function overallStatus(launch: PlatformStatus, current: PlatformStatus | null): TcbStatus {
  // Intel's rule names launch alone here; a platform that is revoked now has nothing left to say.
  if (current === 'Revoked') return 'Revoked'
  if (current === null || !isOutOfDate(launch) || isOutOfDate(current)) return launch
  return needsConfiguration(launch) || needsConfiguration(current)
    ? 'TDRelaunchAdvisedConfigurationNeeded'
    : 'TDRelaunchAdvised'
}
