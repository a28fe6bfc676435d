/** The verifier for test networks: evidence that is absent or simulated. Real evidence is `peers/verifier.ts`. */
import { teeError } from '../errors.ts'
import { type EvidencePolicy, type Judgement, judgeEvidence } from '../policy/evidence.ts'
import type { TlsRole } from './rules.ts'
import { verifyRatls } from './verify.ts'

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
