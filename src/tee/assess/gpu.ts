/** NVIDIA's evidence of GPUs, as its tools write it, from JSON to verdict. Browser-safe. */
import { CocoonError, toHex } from '../../util/index.ts'
import { selectGpuCollateral } from '../collateral/index.ts'
import { factsOfGpu, type Surroundings } from '../policy/index.ts'
import { type GpuEvidence, parseGpuEvidence, parseGpuReport } from '../quote/index.ts'
import { Checklist, type Verification } from '../verify/checks.ts'
import { type GpuCollateral, type GpuFacts, verifyGpu } from '../verify/nvidia/index.ts'
import { parseCertificate, readPem } from '../x509/index.ts'
import { type AssessOptions, attempt, type CheckGroup, type Findings } from './assessment.ts'

/** Judged by the policy; asked for nothing here, they would only confuse. */
const FOR_POLICY: readonly string[] = ['gpu-architecture', 'gpu-feature']

/** Throws nothing that the evidence or the bundle could cause. */
export async function examineGpus(json: Uint8Array, around: Surroundings, options: AssessOptions): Promise<Findings> {
  const reading = new Checklist()
  const evidence = await attempt(reading, 'gpu-evidence', () => parseGpuEvidence(new TextDecoder().decode(json)))
  const groups: CheckGroup[] = evidence === null ? [{ title: 'NVIDIA evidence', checks: reading.checks }] : []
  const results: Verification<GpuFacts>[] = []
  for (const [i, one] of (evidence ?? []).entries()) {
    const list = new Checklist()
    const result = await verify(list, one, options)
    groups.push({ title: `NVIDIA GPU ${i}`, checks: list.checks })
    if (result !== null) results.push(result)
  }
  const gpus = results.map((result) => factsOfGpu(result, null)).filter((facts) => facts !== null)
  const facts = results.flatMap((result) => (result.ok ? [result.facts] : []))
  const isWhole = evidence !== null && gpus.length === evidence.length
  return {
    summary: `NVIDIA evidence of ${evidence?.length ?? 0} GPU(s)`,
    evidence: evidence === null ? 'unknown' : 'gpu',
    groups,
    shown: {
      chips: facts.map((f) => f.chip ?? 'unknown').join(', '),
      drivers: facts.map((f) => f.driverVersion ?? 'none').join(', '),
      vbios: facts.map((f) => f.vbiosVersion).join(', '),
      nonces: (evidence ?? []).map((one) => toHex(one.nonce)).join(', '),
    },
    facts: isWhole ? { kind: 'gpu', ...around, gpus } : null,
    validUntilMs: null,
    proven: facts.map(
      (f) =>
        `A genuine NVIDIA ${f.chip ?? 'device'} signed its measurements; driver ${f.driverVersion ?? 'none'}, VBIOS ${f.vbiosVersion}.`,
    ),
    notProven: [
      'Who asked: the nonce is the one that the file itself names.',
      'Which machine the GPU is in, and what software talks to it: that is the guest’s evidence.',
      'That its certificates are not revoked: NVIDIA answers that online only.',
    ],
  }
}

async function verify(
  list: Checklist,
  one: GpuEvidence,
  { bundle, crypto, context: { nowMs }, roots }: AssessOptions,
): Promise<Verification<GpuFacts> | null> {
  const certificates = await attempt(list, 'gpu-certificates', () => readPem(one.certificates))
  if (certificates === null) return null
  const collateral = collateralFor(list, one, certificates, { bundle, nowMs })
  const result = await verifyGpu(
    { report: one.report, certificates },
    collateral,
    {
      nonce: one.nonce,
      manifests: 'if-given',
      revocation: 'if-given',
      fwid: 'if-stated',
      architectures: null,
      features: null,
    },
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
  { report }: GpuEvidence,
  certificates: readonly Uint8Array[],
  { bundle, nowMs }: Pick<AssessOptions, 'bundle'> & { readonly nowMs: number },
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
