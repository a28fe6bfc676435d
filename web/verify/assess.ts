/** The judgement: the same modules, the same order and the same result as `cocoon verify --json`. */
import {
  assessCertificate,
  type Assessment,
  assessEvidence,
  type AssessOptions,
  type CollateralBundle,
  EMPTY_BUNDLE,
  type JudgeContext,
  type Policy,
  policyHash,
  webVerifyCrypto,
} from '../../src/tee/browser.ts'
import type { GivenFile } from './inputs.ts'

export interface Choice {
  readonly policy: Policy
  readonly nowMs: number
  readonly images: readonly string[]
  readonly network: JudgeContext['networkEvidence']
}

export interface Judged {
  readonly target: string
  readonly at: string
  readonly policy: { readonly name: string; readonly sha256: string }
  readonly assessment: Assessment
}

/** One for each file with evidence, in their order. */
export async function judgeFiles(files: readonly GivenFile[], choice: Choice): Promise<Judged[]> {
  const crypto = webVerifyCrypto()
  const options: AssessOptions = {
    crypto,
    bundle: joined(files.flatMap((file) => (file.kind === 'bundle' ? [file.bundle] : []))),
    policy: choice.policy,
    eventLog: files.find((file) => file.kind === 'event-log')?.log ?? null,
    context: {
      nowMs: choice.nowMs,
      allowedImageHashes: new Set(choice.images),
      networkEvidence: choice.network,
      about: 'document',
    },
  }
  const heading = {
    at: new Date(choice.nowMs).toISOString(),
    policy: { name: choice.policy.name, sha256: await policyHash(crypto, choice.policy) },
  }
  const judged: Judged[] = []
  for (const file of files) {
    if (file.kind !== 'evidence') continue
    const { form } = file.evidence
    const assessment =
      form === 'certificate'
        ? await assessCertificate(file.evidence.bytes, 'unknown', options)
        : await assessEvidence({ ...file.evidence, form }, options)
    judged.push({ target: file.name, ...heading, assessment })
  }
  return judged
}

/** The newest item counts wherever several fit, so order does not matter. */
const joined = (bundles: readonly CollateralBundle[]): CollateralBundle =>
  bundles.length === 0
    ? EMPTY_BUNDLE
    : { ...(bundles[0] as CollateralBundle), items: bundles.flatMap(({ items }) => items) }
