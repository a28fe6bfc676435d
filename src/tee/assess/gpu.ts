/** NVIDIA GPUs from evidence to findings: by themselves as NVIDIA's tools write them, or as the claims of a key. Browser-safe. */
import { CocoonError, toHex } from '../../util/index.ts'
import { selectGpuCollateral } from '../collateral/index.ts'
import { factsOfGpu, type Surroundings } from '../policy/index.ts'
import {
  CLAIMS_ERRORS,
  type GpuProof,
  parseClaims,
  parseGpuEvidence,
  parseGpuReport,
  type SignedClaims,
  signedClaims,
} from '../quote/index.ts'
import { GPU_ERRORS } from '../quote/nvidia-errors.ts'
import { Checklist, type Verification } from '../verify/checks.ts'
import { type GpuCollateral, type GpuFacts, gpuNonceFor, verifyGpu } from '../verify/nvidia/index.ts'
import { spkiOf } from '../ratls/rules.ts'
import { type Certificate, parseCertificate, readPem } from '../x509/index.ts'
import { type AssessOptions, attempt, type CheckGroup, type Findings } from './assessment.ts'

/** What examining GPUs needs. */
export type GpuOptions = Pick<AssessOptions, 'bundle' | 'crypto' | 'roots'> & { readonly nowMs: number }

/** What was found out about GPUs that are shown beside something else. */
export interface GpuFindings {
  readonly groups: readonly CheckGroup[]
  /** Null when one of them, or what they came in, was refused. */
  readonly facts: readonly GpuFacts[] | null
  readonly judged: Surroundings['gpus']
  /** What the key's owner says of itself, and nobody certifies. */
  readonly stated: Pick<Surroundings, 'provider' | 'region'>
  /** The first certificate or answer behind them ends then; null where nothing ends. */
  readonly validUntilMs: number | null
}

const NOTHING_STATED = { provider: null, region: null }
/** Judged by the policy; asked for nothing here, they would only confuse. */
const FOR_POLICY: readonly string[] = ['gpu-architecture', 'gpu-feature']
const SKEW_MS = 5 * 60_000
const REPEATED = 'attestation.gpu-repeated'

/** Throws nothing that the evidence or the bundle could cause. */
export async function examineGpus(json: Uint8Array, around: Surroundings, options: AssessOptions): Promise<Findings> {
  const reading = new Checklist()
  const evidence = await attempt(reading, 'gpu-evidence', () =>
    parseGpuEvidence(new TextDecoder().decode(json)).map(({ report, nonce, certificates }) => ({
      report,
      nonce,
      certificates: readPem(certificates),
    })),
  )
  const { groups, facts, judged, validUntilMs } = await examineAll(evidence ?? [], null, {
    ...options,
    nowMs: options.context.nowMs,
  })
  const isRevocationChecked = judged.length > 0 && judged.every((gpu) => gpu.revocationChecked)
  return {
    summary: `NVIDIA evidence of ${evidence?.length ?? 0} GPU(s)`,
    evidence: evidence === null ? 'unknown' : 'gpu',
    groups: evidence === null ? [{ title: 'NVIDIA evidence', checks: reading.checks }] : groups,
    shown: { ...shownOf(facts ?? []), nonces: (evidence ?? []).map((one) => toHex(one.nonce)).join(', ') },
    facts: evidence === null || facts === null ? null : { kind: 'gpu', ...around, gpus: [...judged] },
    validUntilMs,
    proven: (facts ?? []).map(sentenceOf),
    notProven: [
      'Who asked: the nonce is the one that the file itself names.',
      'Which machine the GPU is in, and what software talks to it: that is the guest’s evidence.',
      ...(isRevocationChecked ? [] : ['That its certificates are not revoked: not every one has NVIDIA’s answer.']),
    ],
  }
}

/** The GPUs that the owner of a certificate's key claims. Throws nothing that claims or bundle could cause. */
export async function examineClaims(
  { claims, signature }: SignedClaims,
  certificate: Certificate,
  options: GpuOptions,
): Promise<GpuFindings> {
  const list = new Checklist()
  const group: CheckGroup = { title: 'Claims', checks: list.checks }
  const said = await attempt(list, 'claims', () => parseClaims(claims))
  if (said === null) return { groups: [group], facts: null, judged: [], stated: NOTHING_STATED, validUntilMs: null }
  const { publicKey, issuedAtMs, gpus, provider, region } = said
  const need = (id: string, holds: boolean, code: keyof typeof CLAIMS_ERRORS, passed: string, inputs = {}): boolean =>
    list.require(id, holds, code, { passed, failed: CLAIMS_ERRORS[code] }, inputs)
  need('claims', true, 'attestation.claims-malformed', 'The claims are well formed.', { gpus: gpus.length })
  need(
    'claims-key',
    toHex(publicKey) === toHex(certificate.key),
    'attestation.claims-key',
    'The claims are of the certificate’s key.',
    { publicKey: toHex(publicKey) },
  )
  const key = await options.crypto.importKey('ed25519', spkiOf(certificate))
  const isSigned = key !== null && (await key.verify(signature, signedClaims(claims)))
  need('claims-signature', isSigned, 'attestation.claims-signature', 'The claims are signed by the certificate’s key.')
  const inTime =
    issuedAtMs <= options.nowMs + SKEW_MS &&
    issuedAtMs >= certificate.notBeforeMs - SKEW_MS &&
    issuedAtMs <= certificate.notAfterMs
  need('claims-time', inTime, 'attestation.claims-time', 'The claims were made in the certificate’s time.', {
    issuedAt: new Date(issuedAtMs).toISOString(),
  })
  if (list.failed) return { groups: [group], facts: null, judged: [], stated: NOTHING_STATED, validUntilMs: null }
  const found = await examineAll(gpus, certificate.key, options)
  return { ...found, groups: [group, ...found.groups], stated: { provider, region } }
}

interface Shown extends GpuProof {
  /** What the evidence itself says that it answers; with a key that does not count. */
  readonly nonce?: Uint8Array
}

/** @param publicKey whose nonces must be answered; null for evidence by itself */
async function examineAll(
  evidence: readonly Shown[],
  publicKey: Uint8Array | null,
  options: GpuOptions,
): Promise<GpuFindings> {
  const groups: CheckGroup[] = []
  const results: Verification<GpuFacts>[] = []
  const seen = new Set<string>()
  for (const [i, one] of evidence.entries()) {
    const list = new Checklist()
    const nonce = publicKey === null ? (one.nonce ?? new Uint8Array()) : await gpuNonceFor(options.crypto, publicKey, i)
    const result = await verify(list, one, nonce, options)
    const device = result.facts?.deviceSerial ?? null
    const isRepeated = device !== null && seen.has(device)
    if (isRepeated) list.fail('gpu-repeated', REPEATED, GPU_ERRORS[REPEATED], { device })
    if (device !== null) seen.add(device)
    groups.push({ title: `NVIDIA GPU ${i}`, checks: list.checks })
    results.push(isRepeated ? { ok: false, code: REPEATED, facts: null, checks: list.checks } : result)
  }
  const judged = results.map((result) => factsOfGpu(result, publicKey === null ? null : true))
  const facts = results.flatMap((result) => (result.ok ? [result.facts] : []))
  const isWhole = facts.length === evidence.length
  const endsMs = facts.map((one) => one.earliestExpiryMs).filter((ms) => Number.isFinite(ms))
  return {
    groups,
    facts: isWhole ? facts : null,
    judged: judged.filter((one) => one !== null),
    stated: NOTHING_STATED,
    validUntilMs: endsMs.length === 0 ? null : Math.min(...endsMs),
  }
}

async function verify(
  list: Checklist,
  proof: GpuProof,
  nonce: Uint8Array,
  { bundle, crypto, nowMs, roots }: GpuOptions,
): Promise<Verification<GpuFacts>> {
  const collateral = collateralFor(list, proof, { bundle, nowMs })
  const result = await verifyGpu(
    proof,
    collateral,
    { nonce, manifests: 'if-given', revocation: 'if-given', fwid: 'if-stated', architectures: null, features: null },
    {
      crypto,
      nowMs,
      ...(roots?.nvidiaDevices === undefined ? {} : { deviceRoots: roots.nvidiaDevices }),
      ...(roots?.nvidiaManifests === undefined ? {} : { manifestRoots: roots.nvidiaManifests }),
    },
  )
  list.append(result.checks.filter(({ id }) => !FOR_POLICY.includes(id)))
  return result
}

/** What cannot be read has none; verification says why. */
function collateralFor(
  list: Checklist,
  { report, certificates }: GpuProof,
  { bundle, nowMs }: Pick<GpuOptions, 'bundle' | 'nowMs'>,
): GpuCollateral {
  const none = { driverManifest: null, vbiosManifest: null, answers: [] }
  try {
    const chain = certificates.map(parseCertificate)
    const { collateral, missing } = selectGpuCollateral(bundle, parseGpuReport(report), chain, nowMs)
    if (missing.length > 0) list.info('gpu-collateral', 'Not in the bundle.', { missing: missing.join('; ') })
    return collateral ?? none
  } catch (error) {
    if (error instanceof CocoonError && error.family === 'attestation') return none
    throw error
  }
}

/** For display. */
export const shownOf = (facts: readonly GpuFacts[]): Readonly<Record<'chips' | 'drivers' | 'vbios', string>> => ({
  chips: facts.map((f) => f.chip ?? 'unknown').join(', '),
  drivers: facts.map((f) => f.driverVersion ?? 'none').join(', '),
  vbios: facts.map((f) => f.vbiosVersion).join(', '),
})

export const sentenceOf = (f: GpuFacts): string =>
  `A genuine NVIDIA ${f.chip ?? 'device'} signed its measurements; driver ${f.driverVersion ?? 'none'}, VBIOS ${f.vbiosVersion}.`
