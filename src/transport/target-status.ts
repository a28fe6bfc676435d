/** A kept connection as nodes show it in their status. */
import type { Link, Target } from './targets.ts'
import type { EvidenceLabel } from './types.ts'

export interface TargetStatus {
  /** `host:port`. */
  readonly address: string
  readonly ready: boolean
  /** What the peer proved; null while it is not ready. */
  readonly evidence: EvidenceLabel | null
  /** Of the protocol; null while it is not ready. */
  readonly version: number | null
  /** Why the last attempt to connect failed, until one succeeds. */
  readonly lastFailure: string | null
}

/** @param of what the session on a connection that is ready knows */
export function targetStatus<L extends Link>(
  { host, port, ready, link, lastFailure }: Target<L>,
  of: (link: L) => Pick<TargetStatus, 'evidence' | 'version'>,
): TargetStatus {
  const { evidence, version } = ready && link !== null ? of(link) : { evidence: null, version: null }
  return { address: `${host}:${port}`, ready, evidence, version, lastFailure: lastFailure?.message ?? null }
}
