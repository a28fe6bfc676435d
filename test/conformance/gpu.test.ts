/** NVIDIA: every recorded report, manifest and comparison yields the recorded fields and verdict. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type GpuReport,
  OPAQUE,
  parseGpuEvidence,
  parseGpuReport,
  vbiosManifestName,
} from '../../src/tee/quote/nvidia.ts'
import { compareMeasurements } from '../../src/tee/verify/nvidia/compare.ts'
import { fwidOf } from '../../src/tee/verify/nvidia/leaf.ts'
import { parseManifest } from '../../src/tee/verify/nvidia/manifest.ts'
import { NVIDIA_DEVICE_ROOT, NVIDIA_MANIFEST_ROOT } from '../../src/tee/verify/nvidia/roots.ts'
import type { GpuProof } from '../../src/tee/quote/claims.ts'
import { verifyGpu } from '../../src/tee/verify/nvidia/verify.ts'
import { verifyManifest } from '../../src/tee/verify/nvidia/verify-manifest.ts'
import { subjectText } from '../../src/tee/verify/chain.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { parseCertificate, readPem, webVerifyCrypto } from '../../src/tee/x509/index.ts'
import { fromHex, toHex } from '../../src/util/index.ts'
import { certificatesIn, lenientGpu, vectorBytes, vectorJson, vectorText } from '../support/attestation-vectors.ts'

interface ReportCase {
  readonly certChain: string
  readonly length: number
  readonly arch: string
  readonly nonceField?: string
  readonly expect: {
    readonly root: string
    readonly requestNonce: string
    readonly responseNonce: string
    readonly measurementBlocks: number
    readonly driverVersion: string
    readonly vbiosVersionBytes: string
    readonly project: string
    readonly projectSku: string
    readonly chipSku: string
    readonly nvdec0: string
    readonly featureFlag: string | null
    readonly fwid: string | null
    readonly fwidMatchesLeaf: boolean | null
    readonly leaf: string
    readonly opaqueFields: readonly string[]
    readonly firstMeasurements: Readonly<Record<string, string>>
  }
}

interface ManifestCase {
  readonly tagId: string
  readonly name: string
  readonly colloquialVersion: readonly [string]
  readonly activeMeasurements: number
  readonly totalMeasurements: number
  readonly signer: string
  readonly validFrom: string
  readonly validUntil: string
  readonly at: string
}

interface ComparisonCase {
  readonly report: string
  readonly rims: readonly [string]
  readonly compared: number
  readonly mismatching: readonly number[]
}

const index = vectorJson<{
  readonly reports: Readonly<Record<string, ReportCase>>
  readonly rims: Readonly<Record<string, ManifestCase>>
  readonly comparisons: readonly ComparisonCase[]
}>('gpu.json')

/** Any time within the chains' validity, which has no end. */
const NOW = Date.parse('2026-01-01T00:00:00Z')
const context = { crypto: nodeVerifyCrypto, nowMs: NOW }
const NO_MANIFESTS = { driverManifest: null, vbiosManifest: null, answers: [] }

function proofOf(path: string): GpuProof {
  const [file = '', place] = path.split('#')
  if (place === undefined)
    return { report: vectorBytes(file), certificates: certificatesIn(index.reports[path]?.certChain as string) }
  const one = parseGpuEvidence(vectorText(file))[Number(place)]
  if (one === undefined) throw new Error(`nothing at ${path}`)
  return { report: one.report, certificates: readPem(one.certificates) }
}

const reports = Object.entries(index.reports).map(([path, one]) => ({ path, ...one }))
const manifests = Object.entries(index.rims).map(([path, one]) => ({ path, ...one }))

describe.each(reports)('$path', ({ path, length, expect: due, arch }) => {
  const proof = proofOf(path)
  const report = parseGpuReport(proof.report)
  const { spdm } = report
  const hexOf = (type: number): string | null => {
    const bytes = report.opaqueByType.get(type)
    return bytes === undefined ? null : toHex(bytes)
  }

  test('parses to the recorded fields', () => {
    expect({
      length: proof.report.length,
      requestNonce: toHex(spdm.requestNonce),
      responseNonce: toHex(spdm.responseNonce),
      blocks: spdm.measurements.length,
      driverVersion: report.driverVersion,
      vbios: hexOf(OPAQUE.vbiosVersion),
      project: report.project,
      projectSku: report.projectSku,
      chipSku: report.chipSku,
      nvdec0: hexOf(OPAQUE.nvdec0),
      feature: hexOf(OPAQUE.featureFlag),
      fwid: report.fwid === null ? null : toHex(report.fwid),
      fields: report.opaqueByType.size,
    }).toEqual({
      length,
      requestNonce: due.requestNonce,
      responseNonce: due.responseNonce,
      blocks: due.measurementBlocks,
      driverVersion: due.driverVersion,
      vbios: due.vbiosVersionBytes,
      project: due.project,
      projectSku: due.projectSku,
      chipSku: due.chipSku,
      nvdec0: due.nvdec0,
      feature: due.featureFlag,
      fwid: due.fwid,
      fields: due.opaqueFields.length,
    })
    for (const [block, hex] of Object.entries(due.firstMeasurements))
      expect(toHex(spdm.measurements[Number(block) - 1]?.value ?? new Uint8Array())).toBe(hex)
  })

  test('verifies against its nonce, in Node and over WebCrypto alike', async () => {
    const expected = lenientGpu(fromHex(due.requestNonce))
    const result = await verifyGpu(proof, NO_MANIFESTS, expected, context)
    expect(result.checks.filter((c) => c.outcome === 'failed')).toEqual([])
    expect(result).toMatchObject({ ok: true, facts: { architecture: arch.toLowerCase() } })
    expect(await verifyGpu(proof, NO_MANIFESTS, expected, { ...context, crypto: webVerifyCrypto() })).toEqual(result)
  })

  test('leaf, root and firmware id are the recorded ones', () => {
    const chain = proof.certificates.map(parseCertificate)
    const [leaf] = chain
    expect(chain.map(subjectText)).toEqual([due.leaf, ...chain.slice(1, -1).map(subjectText), due.root])
    const certified = leaf === undefined ? null : fwidOf(leaf)
    expect(certified).toHaveLength(48)
    if (due.fwidMatchesLeaf !== null) expect(toHex(certified as Uint8Array) === due.fwid).toBe(due.fwidMatchesLeaf)
  })

  test('another nonce is refused, and so is a list that demands what was not given', async () => {
    const expected = lenientGpu(fromHex(due.requestNonce))
    const other = await verifyGpu(proof, NO_MANIFESTS, lenientGpu(new Uint8Array(32)), context)
    expect(other).toMatchObject({ ok: false, code: 'attestation.gpu-nonce' })
    const required = await verifyGpu(proof, NO_MANIFESTS, { ...expected, manifests: 'required' }, context)
    expect(required).toMatchObject({ ok: false, code: 'attestation.gpu-rim-missing' })
    const fwid = await verifyGpu(proof, NO_MANIFESTS, { ...expected, fwid: 'required' }, context)
    expect(fwid.ok || fwid.code).toBe(due.fwid === null ? 'attestation.gpu-fwid-missing' : true)
  })

  test('the certificates of any other GPU are refused', async () => {
    for (const { path: other } of reports.filter((one) => one.path !== path)) {
      const foreign = { ...proof, certificates: proofOf(other).certificates }
      const result = await verifyGpu(foreign, NO_MANIFESTS, lenientGpu(fromHex(due.requestNonce)), context)
      expect(result.checks.find((c) => c.id === 'gpu-report-signature')?.outcome).toBe('failed')
    }
  })
})

test('what NVIDIA’s own parser says of one report is what ours says', () => {
  const theirs = vectorJson<{
    MeasurementRecord: { MeasurementBlocks: Record<string, { DMTFSpecMeasurementValue: string }> }
    OpaqueLength: number
    Signature: string
  }>('gpu/hopper-580-parsed.json')
  const { spdm } = parseGpuReport(vectorBytes('gpu/hopper-580-report.bin'))
  expect(Object.fromEntries(spdm.measurements.map((m) => [m.index, `0x${toHex(m.value)}`]))).toEqual(
    Object.fromEntries(
      Object.entries(theirs.MeasurementRecord.MeasurementBlocks).map(([i, b]) => [i, b.DMTFSpecMeasurementValue]),
    ),
  )
  expect([spdm.opaque.length, `0x${toHex(spdm.signature)}`]).toEqual([theirs.OpaqueLength, theirs.Signature])
})

describe.each(manifests)('$path', (one) => {
  const bytes = vectorBytes(one.path)
  const verifyAt = (nowMs: number, crypto = nodeVerifyCrypto) => verifyManifest('driver', bytes, { crypto, nowMs })

  test('says what the index records', () => {
    const { manifest, certificates } = parseManifest(bytes)
    expect({
      tagId: manifest.tagId,
      product: manifest.product,
      version: manifest.version,
      active: manifest.values.filter((value) => value.isActive).length,
      total: manifest.values.length,
      signer: subjectText(parseCertificate(certificates[0] as Uint8Array)),
    }).toEqual({
      tagId: one.tagId,
      product: one.name,
      version: one.colloquialVersion[0],
      active: one.activeMeasurements,
      total: one.totalMeasurements,
      signer: one.signer,
    })
  })

  test('verifies at its time, in Node and over WebCrypto alike', async () => {
    const result = await verifyAt(Date.parse(one.at))
    expect(result.checks.filter((c) => c.outcome !== 'passed')).toEqual([])
    expect(await verifyAt(Date.parse(one.at), webVerifyCrypto())).toEqual(result)
  })

  test('is good from its first second, but for the skew, to its last', async () => {
    const codeAt = async (ms: number): Promise<string> => {
      const result = await verifyAt(ms)
      return result.ok ? 'ok' : result.code
    }
    const [from, until] = [Date.parse(one.validFrom), Date.parse(one.validUntil)]
    expect(await codeAt(from)).toBe('ok')
    expect(await codeAt(from - 301_000)).toBe('attestation.gpu-rim-certificate-not-yet-valid')
    expect(await codeAt(until)).toBe('ok')
    expect(await codeAt(until + 1000)).toBe('attestation.gpu-rim-certificate-expired')
  })
})

test.each(index.comparisons)('$report against $rims: indexes $mismatching differ', async (one) => {
  const [rim] = one.rims
  const report: GpuReport = parseGpuReport(vectorBytes(one.report))
  const { manifest } = parseManifest(vectorBytes(rim))
  const { compared, different, skipped } = compareMeasurements(report, manifest)
  expect(different).toEqual(one.mismatching)
  // The index counts the value of a switched-off NVDEC0 as compared.
  expect(compared.length + skipped.length).toBe(one.compared)

  const isDriver = rim.includes('driver')
  const result = await verifyGpu(
    proofOf(one.report),
    {
      driverManifest: isDriver ? vectorBytes(rim) : null,
      vbiosManifest: isDriver ? null : vectorBytes(rim),
      answers: [],
    },
    lenientGpu(report.spdm.requestNonce),
    { ...context, nowMs: Date.parse(index.rims[rim]?.at as string) },
  )
  const failed = result.checks.filter((c) => c.outcome === 'failed').map((c) => c.code)
  const version = isDriver ? report.driverVersion : report.vbiosVersion
  expect(failed).toEqual([
    ...(version === manifest.version ? [] : ['attestation.gpu-rim-version']),
    ...(one.mismatching.length === 0 ? [] : ['attestation.gpu-measurement']),
  ])
})

test('a report with the VBIOS manifest of its version verifies, and the count of equal values is a fact', async () => {
  const [match] = index.comparisons
  if (match === undefined) throw new Error('no comparison')
  const report = parseGpuReport(vectorBytes(match.report))
  const result = await verifyGpu(
    proofOf(match.report),
    { driverManifest: null, vbiosManifest: vectorBytes(match.rims[0]), answers: [] },
    lenientGpu(report.spdm.requestNonce),
    { ...context, nowMs: Date.parse('2024-06-22T09:30:33Z') },
  )
  expect(result).toMatchObject({ ok: true, facts: { measurementsCompared: 12, chip: 'GH100' } })
  expect(vbiosManifestName(report)).toBe('NV_GPU_VBIOS_1010_0200_882_96005E0001')
})

test('the pins are those of the published root certificates, whose fingerprints stand beside them', async () => {
  const source = readFileSync(new URL('../../src/tee/verify/nvidia/roots.ts', import.meta.url), 'utf8')
  for (const [path, pin] of [
    ['gpu/nvidia-device-root.pem', NVIDIA_DEVICE_ROOT],
    ['gpu/nvidia-rim-root.pem', NVIDIA_MANIFEST_ROOT],
  ] as const) {
    const [root] = certificatesIn(path) as [Uint8Array]
    expect(toHex(await nodeVerifyCrypto.sha256(parseCertificate(root).spki))).toBe(pin)
    expect(source).toContain(toHex(await nodeVerifyCrypto.sha256(root)))
  }
})
