/** Whom a node has judged, newest last, for `/status`: bounded, one line for each certificate. */
import type { ErrorCode } from '../../util/index.ts'
import type { Assessment } from '../assess/index.ts'

export interface PeerRecord {
  /** SHA-256 of the certificate, hex. */
  readonly certificate: string
  /** Where it was last seen. */
  readonly remote: string
  /** Never a plain yes: `simulated` proves nothing. */
  readonly evidence: 'verified' | 'simulated' | 'refused'
  readonly code: ErrorCode | null
  /** One sentence; null unless refused. */
  readonly reason: string | null
  /** An open connection was closed for it. */
  readonly wasOpen: boolean
  readonly firstAt: string
  readonly lastAt: string
  /** How often this certificate has been judged. */
  readonly times: number
  readonly assessment: Assessment
}

/** A node shows its newest peers whole; the metrics count all of them. */
const MAX_RECORDS = 64

/** Accepted and refused apart, so that a flood of strangers does not push out those that are in use. */
export class PeerRecords {
  readonly #accepted = new Map<string, PeerRecord>()
  readonly #refused = new Map<string, PeerRecord>()

  get accepted(): readonly PeerRecord[] {
    return [...this.#accepted.values()]
  }

  get refused(): readonly PeerRecord[] {
    return [...this.#refused.values()]
  }

  /** True when this certificate was not refused for this before. */
  add(certificate: string, remote: string, assessment: Assessment, nowMs: number, wasOpen = false): boolean {
    const isRefused = assessment.outcome === 'refused'
    const [into, other] = isRefused ? [this.#refused, this.#accepted] : [this.#accepted, this.#refused]
    const before = into.get(certificate)
    other.delete(certificate)
    into.delete(certificate)
    const at = new Date(nowMs).toISOString()
    into.set(certificate, {
      certificate,
      remote,
      evidence: assessment.outcome,
      code: assessment.code,
      reason: isRefused ? reasonOf(assessment) : null,
      wasOpen,
      firstAt: before?.firstAt ?? at,
      lastAt: at,
      times: (before?.times ?? 0) + 1,
      assessment,
    })
    const [oldest] = into.keys()
    if (into.size > MAX_RECORDS && oldest !== undefined) into.delete(oldest)
    return before?.code !== assessment.code
  }
}

/** The first check that failed, in its words. */
export const reasonOf = ({ groups }: Assessment): string =>
  groups.flatMap((group) => group.checks).find((check) => check.outcome === 'failed')?.detail ??
  'The evidence was refused.'
