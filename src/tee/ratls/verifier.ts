/** What the transport asks for, in its words: a verifier for peers and an identity for ourselves. */
import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../../util/index.ts'
import { teeError } from '../errors.ts'
import { type EvidenceKind, type EvidencePolicy, type Judgement, judgeEvidence } from '../policy/evidence.ts'
import { createCertificate, type NodeCertificate } from './create.ts'
import { type TlsRole, verifyRatls } from './verify.ts'

export type VerifiedPeer = { readonly publicKey: Uint8Array } & Judgement

export interface RatlsVerifier {
  /** Throws `attestation.*`. */
  verify(der: Uint8Array, role: TlsRole, nowMs: number): VerifiedPeer
}

/** Throws `config.policy-empty` at once when nothing would be accepted. */
export function createVerifier(policy: EvidencePolicy): RatlsVerifier {
  if (policy.accept.length === 0) throw teeError('config.policy-empty')
  return {
    verify(der, role, nowMs) {
      const shown = verifyRatls(der, role, nowMs)
      return { publicKey: shown.publicKey, ...judgeEvidence(policy, shown) }
    },
  }
}

export interface NodeIdentity {
  /** The pair for the next connection. Open connections keep theirs. */
  current(): NodeCertificate
}

export interface IdentityOptions {
  readonly evidence: EvidenceKind
  readonly clock?: Clock
  /** Secure random bytes. */
  readonly random?: (count: number) => Uint8Array
  /** A new key and certificate after this long. */
  readonly renewAfterMs?: number
}

/** As often as the reference: what a stolen key is good for. */
export const DEFAULT_RENEW_AFTER_MS = 3_600_000

/** A certificate that renews itself when it is asked for, so that no timer is needed. */
export function createIdentity(options: IdentityOptions): NodeIdentity {
  const { evidence, clock = systemClock, random = randomBytes, renewAfterMs = DEFAULT_RENEW_AFTER_MS } = options
  let pair: NodeCertificate | null = null
  let madeMs = 0
  return {
    current() {
      const nowMs = clock.now()
      // Also when the clock was set back: the certificate would not be valid yet.
      if (pair === null || Math.abs(nowMs - madeMs) >= renewAfterMs) {
        pair = createCertificate({ evidence, nowMs, random })
        madeMs = nowMs
      }
      return pair
    },
  }
}
