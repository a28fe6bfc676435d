/**
 * What a policy decides on: facts that verification has found, in one form for all hardware. Every field is required, so
 * that a fact nobody established cannot pass as a good one. Browser-safe.
 */
import { z } from 'zod'
import { isZero, toHex } from '../../util/index.ts'
import type { Verification } from '../verify/checks.ts'
import type { DcapFacts } from '../verify/dcap/index.ts'
import type { GpuFacts } from '../verify/nvidia/index.ts'
import { protectionsOf, type SnpFacts } from '../verify/snp/index.ts'
import { GPU_ARCHITECTURES, SNP_PRODUCTS, SNP_PROTECTIONS } from './schema.ts'

const hex = (bytes: number): z.ZodString => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`))
const word = z.string().max(128)
const words = z.array(word).max(512)
const svn = z.int().min(0).max(255)
const tcb = z.strictObject({ fmc: svn.nullable(), bootLoader: svn, tee: svn, snp: svn, microcode: svn })

const surroundings = {
  /** What the evidence came in; null for evidence by itself, which is bound to nobody and to no time. */
  certificate: z
    .strictObject({
      publicKey: hex(32),
      notBeforeMs: z.number(),
      notAfterMs: z.number(),
      /** What the evidence must contain to belong to this key. */
      expectedReportData: hex(64),
    })
    .nullable(),
  gpus: z
    .array(
      z.strictObject({
        architecture: z.enum(GPU_ARCHITECTURES).nullable(),
        mode: z.enum(['single', 'multi-gpu', 'protected-pcie']).nullable(),
        /** Driver (where the device has one) and VBIOS were both compared with NVIDIA's manifests. */
        manifestsCompared: z.boolean(),
        /** NVIDIA answered for every certificate: of the device, and of the manifests that it was compared with. */
        revocationChecked: z.boolean(),
        /** Whether the report answers the nonce that the certificate's key asks for; null without a certificate. */
        boundToKey: z.boolean().nullable(),
      }),
    )
    .max(32),
  provider: word.nullable(),
  region: word.nullable(),
}
const image = { imageHash: hex(32), reportData: hex(64), debug: z.boolean() }

export const factsSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('tdx'),
    ...image,
    ...surroundings,
    flags: words,
    tcbStatus: word,
    advisoryIds: words,
    evaluationDataNumber: z.int().min(0),
    /** The older of TCB info and QE identity. */
    collateralIssuedMs: z.number(),
  }),
  z.strictObject({
    kind: z.literal('sev-snp'),
    ...image,
    ...surroundings,
    product: z.enum(SNP_PRODUCTS),
    reportedTcb: tcb,
    committedTcb: tcb,
    vmpl: z.int().min(0),
    migrationAgent: z.boolean(),
    revocationChecked: z.boolean(),
    platform: z.array(z.enum(SNP_PROTECTIONS)).max(SNP_PROTECTIONS.length),
  }),
  z.strictObject({ kind: z.literal('sgx'), ...image, ...surroundings }),
  z.strictObject({ kind: z.literal('gpu'), ...surroundings }),
  z.strictObject({ kind: z.literal('simulated'), imageHash: hex(32), reportData: hex(64), ...surroundings }),
  z.strictObject({ kind: z.literal('none'), ...surroundings }),
])

export type EvidenceFacts = z.output<typeof factsSchema>
export type EvidenceFactsKind = EvidenceFacts['kind']

/** What stands around a report and is the same for every kind. */
export type Surroundings = Pick<EvidenceFacts, 'certificate' | 'gpus' | 'provider' | 'region'>

/** For evidence by itself. */
export const NO_SURROUNDINGS: Surroundings = { certificate: null, gpus: [], provider: null, region: null }

/** Null when the quote was refused: nothing in it is a fact then. */
export function factsOfDcap(result: Verification<DcapFacts>, around: Surroundings): EvidenceFacts | null {
  if (!result.ok) return null
  const { facts } = result
  const { attributes, tcb: judged } = facts
  const shared = {
    imageHash: facts.imageHash,
    reportData: facts.reportData,
    debug: attributes.debug,
    ...around,
  }
  if (attributes.tee === 'sgx') return { kind: 'sgx', ...shared }
  const hasUnknownBits = /[^0]/.test(attributes.otherBits)
  return {
    kind: 'tdx',
    ...shared,
    // A name that no policy can tolerate.
    flags: [...facts.flags.filter((flag) => flag !== 'debug'), ...(hasUnknownBits ? ['unknown-attributes'] : [])],
    tcbStatus: judged.status,
    advisoryIds: [...new Set([...judged.advisoryIds, ...(judged.current?.advisoryIds ?? [])])].toSorted(),
    evaluationDataNumber: judged.evaluationDataNumber,
    collateralIssuedMs: Math.min(Date.parse(facts.issued.tcbInfo), Date.parse(facts.issued.qeIdentity)),
  }
}

/** Null when the report was refused. */
export function factsOfSnp(result: Verification<SnpFacts>, around: Surroundings): EvidenceFacts | null {
  if (!result.ok) return null
  const { report, tcb: tcbs, product, imageHash, providerId } = result.facts
  const { policy } = report
  return {
    kind: 'sev-snp',
    imageHash,
    reportData: toHex(report.reportData),
    debug: policy.debugAllowed,
    ...around,
    // A VLEK is given to one provider, whose name AMD certifies.
    provider: providerId ?? around.provider,
    product,
    reportedTcb: tcbs.reported,
    committedTcb: tcbs.committed,
    vmpl: report.vmpl,
    // A report id of an agent without permission would be a contradiction; either is reason enough.
    migrationAgent: policy.migrationAgentAllowed || !isBlank(report.migrationReportId),
    revocationChecked: hasPassed(result, 'snp-crl') && hasPassed(result, 'snp-revocation'),
    platform: protectionsOf(report.platform),
  }
}

/** Null when the GPU was refused. @param boundToKey null when there is no certificate to be bound to */
export function factsOfGpu(
  result: Verification<GpuFacts>,
  boundToKey: boolean | null,
): Surroundings['gpus'][number] | null {
  if (!result.ok) return null
  const { architecture, feature, driverVersion } = result.facts
  const hasDriver = architecture !== 'ls10' || driverVersion !== null
  const compared = (what: string): boolean => hasPassed(result, `gpu-${what}-measurements`)
  const answered = (what: string): boolean => !compared(what) || hasPassed(result, `gpu-${what}-manifest-revocation`)
  return {
    architecture,
    mode: feature,
    manifestsCompared: compared('vbios') && (!hasDriver || compared('driver')),
    revocationChecked: hasPassed(result, 'gpu-revocation') && ['driver', 'vbios'].every(answered),
    boundToKey,
  }
}

const hasPassed = ({ checks }: Verification<unknown>, id: string): boolean =>
  checks.some((check) => check.id === id && check.outcome === 'passed')

/** Without an agent the firmware writes all ones; some write zeros. */
const isBlank = (id: Uint8Array): boolean => isZero(id) || id.every((byte) => byte === 0xff)
