/** What looking at evidence from end to end yields: verification and policy in one list, and what they amount to. Browser-safe. */
import { CocoonError, type ErrorCode } from '../../util/index.ts'
import type { CollateralBundle } from '../collateral/index.ts'
import { type EvidenceFacts, judge, type JudgeContext, type Outcome, type Policy } from '../policy/index.ts'
import type { Check, CheckInputs, Checklist } from '../verify/checks.ts'
import type { SnpRoot } from '../verify/snp/index.ts'
import type { VerifyCrypto } from '../x509/index.ts'
import type { DcapCollateralMemory } from './collateral-memory.ts'

export interface AssessOptions {
  readonly crypto: VerifyCrypto
  readonly bundle: CollateralBundle
  readonly policy: Policy
  readonly context: JudgeContext
  /** A TCG event log made beside a TDX quote; null for none. */
  readonly eventLog: Uint8Array | null
  /** Other than the vendors' only in tests. */
  readonly roots?: TrustedRoots
  /** For callers that assess much with the same roots. */
  readonly collateralMemory?: DcapCollateralMemory
}

export interface TrustedRoots {
  /** X ‖ Y. */
  readonly intel?: Uint8Array
  readonly amd?: readonly SnpRoot[]
  /** Key pins. */
  readonly nvidiaDevices?: readonly string[]
  readonly nvidiaManifests?: readonly string[]
}

/** Checks that belong together: those of the certificate, of the quote, of the policy. */
export interface CheckGroup {
  readonly title: string
  readonly checks: readonly Check[]
}

export interface Assessment {
  /** `Intel TDX quote, version 4` */
  readonly summary: string
  readonly evidence: EvidenceFacts['kind'] | 'unknown'
  readonly outcome: Outcome
  /** Of the first check that failed; null unless refused. */
  readonly code: ErrorCode | null
  readonly groups: readonly CheckGroup[]
  /** For display: who, what, which image. Proven only where the outcome is `verified`. */
  readonly facts: CheckInputs
  /** Sentences. */
  readonly proven: readonly string[]
  readonly notProven: readonly string[]
}

/** Everything before the policy. `facts` null means that verification refused. */
export interface Findings {
  readonly summary: string
  readonly evidence: Assessment['evidence']
  readonly groups: readonly CheckGroup[]
  readonly shown: CheckInputs
  readonly facts: EvidenceFacts | null
  /** The first certificate, list or TCB info behind the facts ends then; null where nothing ends. */
  readonly validUntilMs: number | null
  readonly proven: readonly string[]
  readonly notProven: readonly string[]
}

/** Asks the policy where verification held; a policy has nothing to say about what is not genuine. */
export function conclude(found: Findings, { policy, context }: AssessOptions): Assessment {
  const { summary, evidence, groups, shown, facts, notProven } = found
  const base = { summary, evidence, facts: shown }
  const failed = groups.flatMap((group) => group.checks).find((check) => check.outcome === 'failed')
  if (failed !== undefined || facts === null)
    return {
      ...base,
      outcome: 'refused',
      code: failed?.code ?? 'bug.check-without-code',
      groups,
      proven: [],
      notProven: ['Anything: the evidence does not hold, so the policy was not asked.'],
    }
  const decision = judge(facts, policy, context)
  const open = [
    ...(decision.outcome === 'refused' ? ['That the policy’s demands are met.'] : []),
    ...(facts.certificate === null
      ? ['For which key, and when, the evidence was made: it came without a certificate.']
      : []),
    ...notProven,
  ]
  return {
    ...base,
    outcome: decision.outcome,
    code: decision.code,
    groups: [...groups, { title: `Policy ${policy.name}`, checks: decision.checks }],
    proven: found.proven,
    notProven: open,
  }
}

/** What throws `attestation.*` on bad input becomes a failed check under the same code; null then. */
export async function attempt<T>(list: Checklist, id: string, run: () => T | Promise<T>): Promise<T | null> {
  try {
    return await run()
  } catch (error) {
    return failed(list, id, error)
  }
}

/** The same for what does not wait. */
export function attemptNow<T>(list: Checklist, id: string, run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    return failed(list, id, error)
  }
}

function failed(list: Checklist, id: string, error: unknown): null {
  if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
  const { message: _, ...info } = error.info
  list.fail(
    id,
    error.code,
    error.message,
    Object.fromEntries(Object.entries(info).map(([name, value]) => [name, inputOf(value)])),
  )
  return null
}

const inputOf = (value: unknown): string | number | boolean | null =>
  typeof value === 'number' || typeof value === 'boolean' ? value : value === null ? null : String(value)
