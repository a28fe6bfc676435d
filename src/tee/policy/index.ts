/**
 * Deciding on evidence: `judgeEvidence` for what test networks show, `judge` with a policy for what hardware proves.
 * Nothing here verifies, fetches or reads a clock. Browser-safe. Source: docs/verification.md.
 */
export { BUILT_IN_POLICIES, type BuiltInPolicy, isBuiltInPolicy } from './built-in.ts'
export { POLICY_ERRORS, type PolicyErrorCode } from './errors.ts'
export {
  type Evidence,
  type EvidenceKind,
  type EvidencePolicy,
  type Judgement,
  judgeEvidence,
  type KeyEvidence,
  SIMULATED_SEV_IMAGE_HASH,
  SIMULATED_TDX_IMAGE_HASH,
} from './evidence.ts'
export { explainPolicy } from './explain.ts'
export {
  type EvidenceFacts,
  type EvidenceFactsKind,
  factsOfDcap,
  factsOfGpu,
  factsOfSnp,
  NO_SURROUNDINGS,
  type Surroundings,
} from './facts.ts'
export { judge, type JudgeContext, type Outcome, type PolicyDecision } from './judge.ts'
export { MAX_POLICY_CHARACTERS, parsePolicy, type Policy, policyHash, policySchema } from './schema.ts'
