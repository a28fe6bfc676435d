/**
 * Deciding: facts, a policy, and what is known about network and time become one outcome with one check per rule. Pure;
 * evidence never makes it throw, and what is missing refuses. Browser-safe.
 */
import type { ErrorCode } from '../../util/index.ts'
import { formatTcb, isTcbAtLeast } from '../quote/index.ts'
import { type Check, Checklist, type CheckInputs } from '../verify/checks.ts'
import { POLICY_ERRORS, type PolicyErrorCode } from './errors.ts'
import { type EvidenceFacts, factsSchema } from './facts.ts'
import { type Policy, policySchema, ZERO_IMAGE_HASHES } from './schema.ts'

/** `simulated` proves nothing and is never shown as verified. */
export type Outcome = 'verified' | 'simulated' | 'refused'

export interface JudgeContext {
  readonly nowMs: number
  /** What the network's registry allows for the role in question; hex. Used where the policy says `registry`. */
  readonly allowedImageHashes: ReadonlySet<string>
  /** What the network's own configuration asks of its peers; null when no network was named. */
  readonly networkEvidence: 'none' | 'simulated' | 'real' | null
  /** A peer on a connection must show its evidence in a certificate; a document may be a report by itself. */
  readonly about: 'peer' | 'document'
  /** The peer may still claim GPUs, provider and region, and who asks now will ask again then, before it is used. Absent: what is not there is missing. */
  readonly claimsMayFollow?: boolean
}

export interface PolicyDecision {
  readonly outcome: Outcome
  /** Of the first rule that was not met; null unless refused. */
  readonly code: ErrorCode | null
  readonly checks: readonly Check[]
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A peer's clock may be ahead of ours by this much. */
const SKEW_MS = 5 * 60_000
/** States in which advisories name everything that is wrong. Where configuration is, no date helps. */
const GRACEFUL: readonly string[] = ['SWHardeningNeeded', 'OutOfDate', 'TDRelaunchAdvised']

/** Facts come from `factsOf…`, which give none for evidence that was not verified. */
export function judge(facts: EvidenceFacts | null, policy: Policy, context: JudgeContext): PolicyDecision {
  const list = new Checklist()
  const rules = policySchema.safeParse(policy)
  const known = factsSchema.safeParse(facts)
  if (!rules.success) fail(list, 'policy', 'attestation.policy-unusable', { field: firstPath(rules.error) })
  if (!known.success) fail(list, 'facts', 'attestation.facts-malformed', { field: firstPath(known.error) })
  if (!rules.success || !known.success) return decide(list, 'refused')
  apply(list, known.data, rules.data, context)
  return decide(list, known.data.kind === 'simulated' ? 'simulated' : 'verified')
}

const firstPath = ({ issues }: { readonly issues: readonly { readonly path: readonly PropertyKey[] }[] }): string =>
  issues[0]?.path.map(String).join('.') || 'all'

function decide(list: Checklist, otherwise: Outcome): PolicyDecision {
  const first = list.checks.find((check) => check.outcome === 'failed')
  if (first === undefined) return { outcome: otherwise, code: null, checks: list.checks }
  return { outcome: 'refused', code: first.code ?? 'bug.check-without-code', checks: list.checks }
}

function apply(list: Checklist, facts: EvidenceFacts, policy: Policy, context: JudgeContext): void {
  judgeKind(list, facts, policy, context)
  if (facts.kind === 'tdx' || facts.kind === 'sev-snp' || facts.kind === 'sgx') {
    need(list, 'debug', !facts.debug, 'attestation.debug', 'The guest cannot be debugged.', { debug: facts.debug })
    judgeImage(list, facts.imageHash, policy, context)
  }
  if (facts.kind === 'tdx' && policy.tdx !== null) judgeTdx(list, facts, policy.tdx, context)
  if (facts.kind === 'sev-snp' && policy.sevSnp !== null) judgeSnp(list, facts, policy.sevSnp)
  judgeCertificate(list, facts, policy, context)
  judgeGpus(list, facts, policy.gpu, context)
  judgeClaim(list, 'provider', facts.provider, policy.providers, context)
  judgeClaim(list, 'region', facts.region, policy.regions, context)
}

function judgeKind(list: Checklist, facts: EvidenceFacts, policy: Policy, context: JudgeContext): void {
  const { kind } = facts
  const accepted = [
    ...(policy.tdx === null ? [] : ['tdx']),
    ...(policy.sevSnp === null ? [] : ['sev-snp']),
    ...(policy.simulated === 'refuse' ? [] : ['simulated']),
  ]
  const inputs = { kind, accepted: accepted.join(', ') }
  const isGpuDocument = kind === 'gpu' && context.about === 'document' && policy.simulated === 'refuse'
  const code = {
    tdx: 'attestation.kind-not-accepted',
    'sev-snp': 'attestation.kind-not-accepted',
    gpu: 'attestation.kind-not-accepted',
    sgx: 'attestation.sgx-not-accepted',
    simulated: 'attestation.simulated-not-accepted',
    none: 'attestation.quote-required',
  } as const
  const holds = accepted.includes(kind) || isGpuDocument
  need(list, 'evidence-kind', holds, code[kind], 'The policy accepts this kind of evidence.', inputs)
  if (kind !== 'simulated' || !holds) return
  const { networkEvidence } = context
  const isTest = networkEvidence === 'simulated'
  const words = 'The network’s configuration says that its evidence is simulated.'
  need(list, 'network-evidence', isTest, 'attestation.simulated-network', words, { networkEvidence })
}

function judgeImage(list: Checklist, imageHash: string, { images }: Policy, context: JudgeContext): void {
  const isReal = !ZERO_IMAGE_HASHES.includes(imageHash)
  need(
    list,
    'image-hash-real',
    isReal,
    'attestation.image-hash-zero',
    'The image hash is not that of simulated evidence.',
    {
      imageHash,
    },
  )
  const fromRegistry = images === 'registry'
  const allowed = new Set([...(fromRegistry ? context.allowedImageHashes : images)].map((hash) => hash.toLowerCase()))
  const inputs = { imageHash, allowed: allowed.size, from: fromRegistry ? 'registry' : 'policy' }
  const code = allowed.size === 0 ? 'attestation.image-hash-list-empty' : 'attestation.image-hash'
  need(list, 'image-hash', allowed.has(imageHash), code, 'The image is an allowed one.', inputs)
}

function judgeTdx(
  list: Checklist,
  facts: Extract<EvidenceFacts, { kind: 'tdx' }>,
  policy: NonNullable<Policy['tdx']>,
  { nowMs }: JudgeContext,
): void {
  const { tcbStatus, advisoryIds, evaluationDataNumber, flags } = facts
  const isListed = (policy.statuses as readonly string[]).includes(tcbStatus)
  const tolerated = new Set(policy.grace.filter((g) => nowMs < Date.parse(g.until)).map((g) => g.advisory))
  const open = advisoryIds.filter((id) => !tolerated.has(id))
  const isGraced = GRACEFUL.includes(tcbStatus) && advisoryIds.length > 0 && open.length === 0
  list.require(
    'policy-tcb-status',
    isListed || isGraced,
    'attestation.tcb-status',
    {
      passed: isListed
        ? `Intel’s status of the platform is ${tcbStatus}, which is accepted.`
        : `Intel’s status of the platform is ${tcbStatus}, for nothing but advisories in their grace time.`,
      failed: `Intel’s status of the platform is ${tcbStatus}; the policy accepts ${policy.statuses.join(', ') || 'none'}.`,
    },
    {
      status: tcbStatus,
      accepted: policy.statuses.join(', '),
      advisories: advisoryIds.join(', '),
      open: open.join(', '),
    },
  )
  const isNew = evaluationDataNumber >= policy.minEvaluationNumber
  need(list, 'evaluation-number', isNew, 'attestation.evaluation-number', 'The TCB data are of a recent evaluation.', {
    number: evaluationDataNumber,
    minimum: policy.minEvaluationNumber,
  })
  const ageDays = (nowMs - facts.collateralIssuedMs) / DAY_MS
  // Asked so that a time which is no number fails.
  const isFresh = ageDays <= policy.maxCollateralAgeDays
  need(list, 'collateral-age', isFresh, 'attestation.collateral-age', 'The TCB data are fresh enough.', {
    issued: isoOf(facts.collateralIssuedMs),
    ageDays: Math.floor(ageDays),
    maxDays: policy.maxCollateralAgeDays,
  })
  const unwanted = flags.filter((flag) => !(policy.tolerate as readonly string[]).includes(flag))
  need(
    list,
    'td-attributes',
    unwanted.length === 0,
    'attestation.td-attributes',
    'The guest has no unwanted property.',
    {
      raised: flags.join(', '),
      tolerated: policy.tolerate.join(', '),
      unwanted: unwanted.join(', '),
    },
  )
}

function judgeSnp(
  list: Checklist,
  facts: Extract<EvidenceFacts, { kind: 'sev-snp' }>,
  policy: NonNullable<Policy['sevSnp']>,
): void {
  const { product, reportedTcb, committedTcb, vmpl, migrationAgent, revocationChecked, platform } = facts
  const rule = policy.minTcb[product]
  const minimum = rule === 'refuse' ? null : { fmc: null, ...rule }
  const reaches = minimum !== null && isTcbAtLeast(reportedTcb, minimum) && isTcbAtLeast(committedTcb, minimum)
  need(list, 'snp-minimum-tcb', reaches, 'attestation.snp-tcb-too-old', 'The firmware reaches the minimum.', {
    product,
    reported: formatTcb(reportedTcb),
    committed: formatTcb(committedTcb),
    minimum: minimum === null ? 'the product line is refused' : formatTcb(minimum),
  })
  const level = 'The report comes from the demanded privilege level.'
  need(list, 'snp-vmpl', vmpl === policy.vmpl, 'attestation.snp-vmpl', level, { vmpl, demanded: policy.vmpl })
  const mayMove = migrationAgent && policy.migrationAgent !== 'allow'
  need(list, 'snp-migration', !mayMove, 'attestation.snp-migration', 'The policy on migration agents is met.', {
    migrationAgent,
    policy: policy.migrationAgent,
  })
  const isRevocationMet = revocationChecked || policy.revocationList === 'if-given'
  const revocation = revocationChecked ? 'Revocation was checked.' : 'Revocation was not checked, and need not be.'
  need(list, 'snp-revocation-list', isRevocationMet, 'attestation.snp-crl-missing', revocation, { revocationChecked })
  const missing = policy.platform.filter((name) => !platform.includes(name))
  need(list, 'snp-platform', missing.length === 0, 'attestation.snp-platform', 'The machine states what is demanded.', {
    stated: platform.join(', '),
    missing: missing.join(', '),
  })
}

function judgeCertificate(list: Checklist, facts: EvidenceFacts, policy: Policy, { nowMs, about }: JudgeContext): void {
  const { certificate } = facts
  if (certificate === null) {
    if (about === 'peer') fail(list, 'certificate', 'attestation.certificate-required', {})
    else
      list.info(
        'policy-certificate',
        'The evidence stands by itself: nothing says for which key, and when, it was made.',
      )
    return
  }
  const ageMs = nowMs - certificate.notBeforeMs
  const isYoung = ageMs >= -SKEW_MS && ageMs <= policy.maxCertificateAgeHours * HOUR_MS
  need(list, 'certificate-age', isYoung, 'attestation.certificate-age', 'The certificate is young enough.', {
    notBefore: isoOf(certificate.notBeforeMs),
    ageHours: Math.floor(ageMs / HOUR_MS),
    maxHours: policy.maxCertificateAgeHours,
  })
  if (facts.kind === 'none' || facts.kind === 'gpu') return
  const { reportData } = facts
  const expected = certificate.expectedReportData
  need(list, 'report-data', reportData === expected, 'attestation.report-data', 'The evidence was made for this key.', {
    publicKey: certificate.publicKey,
    reportData,
    expected,
  })
}

function judgeGpus(
  list: Checklist,
  { gpus, kind }: EvidenceFacts,
  policy: Policy['gpu'],
  { claimsMayFollow = false }: JudgeContext,
): void {
  if (gpus.length === 0 && policy.required && claimsMayFollow && kind !== 'gpu')
    return list.info('policy-gpu', 'GPUs are due, and are shown after the handshake: the peer is not used before.')
  const isThere = gpus.length > 0 || (!policy.required && kind !== 'gpu')
  const words = gpus.length > 0 ? 'GPUs prove themselves.' : 'No GPU proves itself, and none has to.'
  need(list, 'gpu', isThere, 'attestation.gpu-required', words, { gpus: gpus.length, required: policy.required })
  gpus.forEach(({ architecture, mode, manifestsCompared, revocationChecked, boundToKey }, i) => {
    const isAllowed = architecture !== null && policy.architectures.includes(architecture)
    need(list, `gpu-${i}-architecture`, isAllowed, 'attestation.gpu-architecture', 'The architecture is allowed.', {
      architecture,
      allowed: policy.architectures.join(', '),
    })
    const stated = mode ?? 'unstated'
    const isMode = policy.modes.includes(stated)
    need(list, `gpu-${i}-mode`, isMode, 'attestation.gpu-feature', 'The mode is an allowed one.', {
      mode: stated,
      allowed: policy.modes.join(', '),
    })
    const isCompared = manifestsCompared || policy.manifests === 'if-given'
    const compared = manifestsCompared ? 'Its firmware is what NVIDIA published.' : 'Its firmware was not compared.'
    need(list, `gpu-${i}-manifests`, isCompared, 'attestation.gpu-rim-missing', compared, {
      manifestsCompared,
      policy: policy.manifests,
    })
    const isAnswered = revocationChecked || policy.revocation === 'if-given'
    const answered = revocationChecked ? 'NVIDIA calls its certificates good.' : 'Revocation was not checked.'
    need(list, `gpu-${i}-revocation`, isAnswered, 'attestation.gpu-ocsp-missing', answered, {
      revocationChecked,
      policy: policy.revocation,
    })
    if (boundToKey === null) list.info(`policy-gpu-${i}-binding`, 'No key is known that this GPU could belong to.')
    else
      need(
        list,
        `gpu-${i}-binding`,
        boundToKey,
        'attestation.gpu-nonce',
        'Its report was made for the certificate’s key.',
        {
          boundToKey,
        },
      )
  })
}

function judgeClaim(
  list: Checklist,
  what: 'provider' | 'region',
  stated: string | null,
  allowed: 'any' | readonly string[],
  { claimsMayFollow = false }: JudgeContext,
): void {
  if (allowed !== 'any' && stated === null && claimsMayFollow)
    return list.info(
      `policy-${what}`,
      `The ${what} is due, and is claimed after the handshake: the peer is not used before.`,
    )
  const isAllowed = allowed === 'any' || (stated !== null && allowed.includes(stated))
  const words = allowed === 'any' ? `Any ${what} will do.` : `The ${what} is an allowed one.`
  need(list, what, isAllowed, `attestation.${what}`, words, {
    stated,
    allowed: allowed === 'any' ? 'any' : allowed.join(', '),
  })
}

/** Ids begin with `policy-`, so that they differ from those of verification. */
function need(
  list: Checklist,
  id: string,
  holds: boolean,
  code: PolicyErrorCode,
  passed: string,
  inputs: CheckInputs,
): void {
  list.require(`policy-${id}`, holds, code, { passed, failed: POLICY_ERRORS[code] }, inputs)
}

const fail = (list: Checklist, id: string, code: PolicyErrorCode, inputs: CheckInputs): void =>
  list.fail(`policy-${id}`, code, POLICY_ERRORS[code], inputs)

/** A number that is no time shows as one, instead of throwing. */
const isoOf = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms))
