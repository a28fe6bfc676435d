/**
 * Whether a GPU's report is genuine, answers our nonce, and shows only firmware that NVIDIA published. No network and no
 * clock: certificates, manifests and time are arguments. Browser-safe. Source: spec/attestation-snp-gpu.md,
 * "Verifying a GPU report".
 */
import { CocoonError, equalBytes, toHex } from '../../../util/index.ts'
import type { GpuProof } from '../../quote/claims.ts'
import { type GpuFeature, type GpuReport, parseGpuReport } from '../../quote/nvidia.ts'
import { GPU_ERRORS, type GpuErrorCode } from '../../quote/nvidia-errors.ts'
import { type Certificate, parseCertificate } from '../../x509/index.ts'
import { dateFaultOf, faultOfChain, subjectText } from '../chain.ts'
import { Checklist, type CheckInputs, type Verification } from '../checks.ts'
import type { OcspContext } from '../ocsp.ts'
import { compareMeasurements, conflictsOf } from './compare.ts'
import { architectureOf, chipOf, fwidOf, type GpuArchitecture } from './leaf.ts'
import type { Manifest } from './manifest.ts'
import { checkRevocation, deviceLinks, manifestLinks } from './revocation.ts'
import { NVIDIA_DEVICE_ROOT } from './roots.ts'
import { DEFAULT_CLOCK_SKEW_MS, type ManifestContext, need, verifyManifest } from './verify-manifest.ts'

/** What NVIDIA publishes for the versions that the report names; it need not come from a trusted place. */
export interface GpuCollateral {
  readonly driverManifest: Uint8Array | null
  readonly vbiosManifest: Uint8Array | null
  /** NVIDIA's answers about revocation, DER: of the device's certificates and of the manifests'. */
  readonly answers: readonly Uint8Array[]
}

/** What the GPU must be. Every field is a decision; null says that anything goes. */
export interface GpuExpectations {
  /** 32 bytes that were ours to choose. */
  readonly nonce: Uint8Array
  /** `if-given` proves who made the GPU, and not what runs on it. */
  readonly manifests: 'required' | 'if-given'
  /** `if-given`: what nobody answered for, or answered too long ago, is only stated. What is revoked never passes. */
  readonly revocation: 'required' | 'if-given'
  /** Drivers of the 535 series do not state the firmware id. */
  readonly fwid: 'required' | 'if-stated'
  readonly architectures: readonly GpuArchitecture[] | null
  /** A report that does not say is on no list. */
  readonly features: readonly GpuFeature[] | null
}

export interface GpuFacts {
  readonly report: GpuReport
  /** `GH100`, by its certificate. */
  readonly chip: string | null
  readonly architecture: GpuArchitecture | null
  readonly driverVersion: string | null
  readonly vbiosVersion: string
  readonly feature: GpuFeature | null
  /** Serial number of the device key, hex. */
  readonly leafSerial: string
  /** How many measurements were found to be published ones. */
  readonly measurementsCompared: number
  /** Serial number of the chip's certificate, hex: which GPU it is. */
  readonly deviceSerial: string
  /** The first certificate or answer behind all this ends then. */
  readonly earliestExpiryMs: number
}

export interface GpuContext extends ManifestContext {
  /** Key pins. Other than NVIDIA's only in tests. */
  readonly deviceRoots?: readonly string[]
}

/** Firmware, boot ROM, provisioner, identity, root. */
const CHAIN_LENGTH = 5

/** All checks, in the order in which the first failure gives the code. Throws nothing that the input could cause. */
export async function verifyGpu(
  proof: GpuProof,
  collateral: GpuCollateral,
  expected: GpuExpectations,
  context: GpuContext,
): Promise<Verification<GpuFacts>> {
  const list = new Checklist()
  const chain = readChain(list, proof.certificates)
  const report = readReport(list, proof.report)
  if (chain === null || report === null) return list.finish<GpuFacts>(null)
  await checkDevice(list, chain, context)
  const answersUntilMs = await checkRevocation(
    list,
    {
      id: 'gpu-revocation',
      revoked: 'attestation.gpu-revoked',
      links: deviceLinks(chain),
      answers: collateral.answers,
      demand: expected.revocation,
    },
    ocspContext(context),
  )
  const [leaf] = chain
  checkFwid(list, report, leaf, expected)
  checkNonce(list, report, expected)
  await checkSignature(list, report, leaf, context)
  const chip = chipOf(leaf)
  const architecture = architectureOf(chip)
  const hasDriver = architecture !== 'ls10' || report.driverVersion !== null
  const manifests = await checkManifests(list, report, collateral, hasDriver, expected, context)
  checkKind(list, report, chip, architecture, expected)
  return list.finish<GpuFacts>({
    report,
    chip,
    architecture,
    driverVersion: report.driverVersion,
    vbiosVersion: report.vbiosVersion,
    feature: report.feature,
    leafSerial: toHex(leaf.serial),
    deviceSerial: toHex(chain[1]?.serial ?? new Uint8Array()),
    measurementsCompared: manifests.compared,
    earliestExpiryMs: Math.min(
      answersUntilMs,
      manifests.earliestExpiryMs,
      ...chain.map((certificate) => certificate.notAfterMs),
    ),
  })
}

const ocspContext = ({ crypto, nowMs, clockSkewMs = DEFAULT_CLOCK_SKEW_MS }: GpuContext): OcspContext => ({
  crypto,
  nowMs,
  clockSkewMs,
})

type Chain = readonly [Certificate, ...Certificate[]]

function readChain(list: Checklist, certificates: readonly Uint8Array[]): Chain | null {
  const code = 'attestation.gpu-certificate-format'
  if (certificates.length !== CHAIN_LENGTH) {
    list.fail('gpu-certificates', code, GPU_ERRORS[code], { found: certificates.length, due: CHAIN_LENGTH })
    return null
  }
  try {
    const [leaf, ...others] = certificates.map(parseCertificate)
    return [leaf as Certificate, ...others]
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    list.fail('gpu-certificates', code, GPU_ERRORS[code], { found: error.message })
    return null
  }
}

function readReport(list: Checklist, bytes: Uint8Array): GpuReport | null {
  try {
    const report = parseGpuReport(bytes)
    need(list, 'gpu-report', true, 'attestation.gpu-malformed', {
      passed: 'The report is well formed.',
      inputs: { bytes: bytes.length, measurements: report.spdm.measurements.length },
    })
    return report
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    const { message: _, ...info } = error.info
    list.fail('gpu-report', error.code, error.message, info as CheckInputs)
    return null
  }
}

async function checkDevice(
  list: Checklist,
  chain: Chain,
  { crypto, nowMs, clockSkewMs = DEFAULT_CLOCK_SKEW_MS, deviceRoots = [NVIDIA_DEVICE_ROOT] }: GpuContext,
): Promise<void> {
  const fault = await faultOfChain(crypto, chain, deviceRoots)
  const code: GpuErrorCode =
    fault?.problem === 'untrusted-root' ? 'attestation.gpu-root-untrusted' : 'attestation.gpu-chain'
  need(list, 'gpu-chain', fault === null, code, {
    passed: 'The device’s certificates and the pinned root are one chain.',
    inputs: {
      chain: chain.map(subjectText).join(' < '),
      ...(fault === null ? {} : { problem: fault.problem, at: fault.subject }),
    },
  })
  const date = dateFaultOf(chain, nowMs, clockSkewMs)
  need(list, 'gpu-dates', date === null, `attestation.gpu-certificate-${date?.problem ?? 'expired'}`, {
    passed: 'The device’s certificates are valid now.',
    inputs: { now: new Date(nowMs).toISOString(), ...(date === null ? {} : { at: date.subject }) },
  })
}

function checkFwid(list: Checklist, report: GpuReport, leaf: Certificate, expected: GpuExpectations): void {
  const [stated, certified] = [report.fwid, fwidOf(leaf)]
  const inputs = {
    report: stated === null ? 'not stated' : toHex(stated),
    certificate: certified === null ? 'not stated' : toHex(certified),
  }
  const passed = 'The certificate was issued for the firmware of the report.'
  if (stated !== null && certified !== null)
    need(list, 'gpu-fwid', equalBytes(stated, certified), 'attestation.gpu-fwid', { passed, inputs })
  else if (expected.fwid === 'required' || certified === null)
    list.fail('gpu-fwid', 'attestation.gpu-fwid-missing', GPU_ERRORS['attestation.gpu-fwid-missing'], inputs)
  else list.info('gpu-fwid', 'The report does not state its firmware id; drivers of the 535 series do not.', inputs)
}

function checkNonce(list: Checklist, { spdm }: GpuReport, { nonce }: GpuExpectations): void {
  need(list, 'gpu-nonce', equalBytes(spdm.requestNonce, nonce), 'attestation.gpu-nonce', {
    passed: 'The report answers the nonce that was asked for.',
    inputs: { report: toHex(spdm.requestNonce), expected: toHex(nonce) },
  })
}

async function checkSignature(
  list: Checklist,
  { spdm }: GpuReport,
  leaf: Certificate,
  { crypto }: GpuContext,
): Promise<void> {
  const key = await crypto.importKey('ecdsa-p384-sha384', leaf.spki)
  const holds = key !== null && (await key.verify(spdm.signature, spdm.signed))
  need(list, 'gpu-report-signature', holds, 'attestation.gpu-report-signature', {
    passed: 'Request and response are signed by the GPU’s key.',
    inputs: { algorithm: 'ECDSA P-384 with SHA-384', signedBytes: spdm.signed.length },
  })
}

async function checkManifests(
  list: Checklist,
  report: GpuReport,
  { driverManifest, vbiosManifest, answers }: GpuCollateral,
  hasDriver: boolean,
  expected: GpuExpectations,
  context: GpuContext,
): Promise<{ readonly compared: number; readonly earliestExpiryMs: number }> {
  const found: Manifest[] = []
  let earliestExpiryMs = Number.POSITIVE_INFINITY
  let compared = 0
  const one = async (what: string, bytes: Uint8Array | null, version: string | null): Promise<void> => {
    if (bytes === null) {
      const code = 'attestation.gpu-rim-missing'
      if (expected.manifests === 'required') list.fail(`gpu-${what}-manifest`, code, GPU_ERRORS[code], { version })
      else list.info(`gpu-${what}-manifest`, 'No manifest was given: nothing was compared with it.', { version })
      return
    }
    const verified = await verifyManifest(what, bytes, context)
    list.append(verified.checks)
    if (verified.facts === null) return
    const { manifest, chain } = verified.facts
    found.push(manifest)
    const untilMs = await checkRevocation(
      list,
      {
        id: `gpu-${what}-manifest-revocation`,
        revoked: 'attestation.gpu-rim-revoked',
        links: manifestLinks(chain),
        answers,
        demand: expected.revocation,
      },
      ocspContext(context),
    )
    earliestExpiryMs = Math.min(earliestExpiryMs, untilMs, verified.facts.earliestExpiryMs)
    need(list, `gpu-${what}-version`, manifest.version === version, 'attestation.gpu-rim-version', {
      passed: 'The manifest is for the version of the report.',
      inputs: { manifest: manifest.version, report: version },
    })
    compared += compareOne(list, what, report, manifest)
  }
  if (hasDriver) await one('driver', driverManifest, report.driverVersion)
  else list.info('gpu-driver-manifest', 'A switch has no driver: there is no manifest for one.')
  await one('vbios', vbiosManifest, report.vbiosVersion)
  const [first, second] = found
  if (first !== undefined && second !== undefined) {
    const conflicts = conflictsOf(first, second)
    need(list, 'gpu-manifest-conflict', conflicts.length === 0, 'attestation.gpu-rim-conflict', {
      passed: 'Driver and VBIOS manifest claim different measurements.',
      inputs: { both: conflicts.join(' ') },
    })
  }
  return { compared, earliestExpiryMs }
}

/** Returns how many were equal. */
function compareOne(list: Checklist, what: string, report: GpuReport, manifest: Manifest): number {
  const { compared, different, skipped } = compareMeasurements(report, manifest)
  need(list, `gpu-${what}-measurements`, different.length === 0, 'attestation.gpu-measurement', {
    passed: 'Every active value of the manifest is what the GPU measured.',
    inputs: { compared: compared.length, different: different.join(' '), skipped: skipped.join(' ') },
  })
  return compared.length - different.length
}

function checkKind(
  list: Checklist,
  report: GpuReport,
  chip: string | null,
  architecture: GpuArchitecture | null,
  expected: GpuExpectations,
): void {
  const kind = { chip, architecture }
  if (expected.architectures === null) list.info('gpu-architecture', 'Any architecture is accepted.', kind)
  else
    need(
      list,
      'gpu-architecture',
      architecture !== null && expected.architectures.includes(architecture),
      'attestation.gpu-architecture',
      { passed: 'The architecture is an allowed one.', inputs: kind },
    )
  const mode = { feature: report.feature, protectedPcie: report.isProtectedPcie }
  if (expected.features === null) list.info('gpu-feature', 'Any mode is accepted.', mode)
  else
    need(
      list,
      'gpu-feature',
      report.feature !== null && expected.features.includes(report.feature),
      'attestation.gpu-feature',
      { passed: 'The confidential-computing mode is an allowed one.', inputs: mode },
    )
}
