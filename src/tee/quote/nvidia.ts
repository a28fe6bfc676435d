/**
 * NVIDIA attestation reports and the JSON that carries them: bytes to a value, without trust. Browser-safe.
 * Layout: spec/attestation-snp-gpu.md, "GPU report" and "Opaque fields".
 */
import { fromBase64, fromHex, toHex } from '../../util/index.ts'
import { evidenceError, EvidenceReader } from './evidence-reader.ts'
import { GPU_ERRORS } from './nvidia-errors.ts'
import { GPU_MALFORMED, parseSpdmMeasurements, type SpdmMeasurements } from './spdm.ts'

/** How several GPUs work together; `single` is one GPU by itself. */
export type GpuFeature = 'single' | 'multi-gpu' | 'protected-pcie'

export interface GpuReport {
  readonly spdm: SpdmMeasurements
  /** `550.90.07`; null for switches. */
  readonly driverVersion: string | null
  /** `96.00.5E.00.01`. */
  readonly vbiosVersion: string
  /** Parts of the name of the VBIOS manifest. */
  readonly project: string | null
  readonly projectSku: string | null
  readonly chipSku: string | null
  /** Null where the report does not say. */
  readonly isNvdec0Enabled: boolean | null
  readonly isProtectedPcie: boolean | null
  readonly feature: GpuFeature | null
  /** 48 bytes; null in reports of old drivers. */
  readonly fwid: Uint8Array | null
  /** Everything, known or not, by type. */
  readonly opaqueByType: ReadonlyMap<number, Uint8Array>
}

/** One element of the list. */
export interface GpuEvidence {
  /** As written: `HOPPER`, `BLACKWELL`, `LS10`. Nobody vouches for it; the certificates say what the device is. */
  readonly architecture: string
  /** 32 bytes, as written. What counts is the one in the report. */
  readonly nonce: Uint8Array
  readonly report: Uint8Array
  /** PEM, leaf first. */
  readonly certificates: Uint8Array
}

export const OPAQUE = {
  driverVersion: 3,
  vbiosVersion: 6,
  nvdec0: 11,
  chipSku: 15,
  project: 17,
  projectSku: 18,
  fwid: 20,
  protectedPcie: 21,
  featureFlag: 36,
} as const

const ENABLED = 0xaa
const DISABLED = 0x55
const FEATURES: readonly GpuFeature[] = ['single', 'multi-gpu', 'protected-pcie']
/** Eight GPUs and four switches, some 12 kB each. */
export const MAX_GPU_EVIDENCE_CHARACTERS = 512 * 1024
const MAX_GPUS = 32

/** Throws `attestation.gpu-malformed`, `attestation.gpu-spdm-version`, with field and offset. */
export function parseGpuReport(bytes: Uint8Array): GpuReport {
  const spdm = parseSpdmMeasurements(bytes)
  const fields = readOpaque(bytes, spdm)
  const textOf = (type: number): string | null => {
    const field = fields.get(type)
    return field === undefined ? null : readText(field)
  }
  const vbios = fields.get(OPAQUE.vbiosVersion)
  if (vbios === undefined)
    throw evidenceError(GPU_MALFORMED.code, GPU_MALFORMED.sentence, 'opaque.vbiosVersion', spdm.opaqueAt, 'absent')
  return {
    spdm,
    driverVersion: textOf(OPAQUE.driverVersion),
    vbiosVersion: readVbiosVersion(vbios),
    project: textOf(OPAQUE.project),
    projectSku: textOf(OPAQUE.projectSku),
    chipSku: textOf(OPAQUE.chipSku),
    isNvdec0Enabled: readSwitch(fields.get(OPAQUE.nvdec0), 'opaque.nvdec0'),
    isProtectedPcie: readSwitch(fields.get(OPAQUE.protectedPcie), 'opaque.protectedPcie'),
    feature: readFeature(fields.get(OPAQUE.featureFlag)),
    fwid: readFwid(fields.get(OPAQUE.fwid)),
    opaqueByType: new Map([...fields].map(([type, field]) => [type, field.bytes])),
  }
}

/** The JSON list of NVIDIA's tools, alone or as `evidences` of what they print. Throws `attestation.gpu-evidence-format`; `offset` is the place in the list. */
export function parseGpuEvidence(json: string): GpuEvidence[] {
  const refuse = (field: string, at: number): Error =>
    evidenceError('attestation.gpu-evidence-format', GPU_ERRORS['attestation.gpu-evidence-format'], field, at)
  if (json.length > MAX_GPU_EVIDENCE_CHARACTERS) throw refuse('length', MAX_GPU_EVIDENCE_CHARACTERS)
  let list: unknown
  try {
    list = JSON.parse(json)
  } catch {
    throw refuse('json', 0)
  }
  if (typeof list === 'object' && list !== null && 'evidences' in list) list = list.evidences
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_GPUS) throw refuse('list', 0)
  return list.map((one: unknown, at) => {
    const field = <T>(name: string, form: RegExp, read: (text: string) => T): T => {
      const value = typeof one === 'object' && one !== null ? (one as Record<string, unknown>)[name] : undefined
      if (typeof value !== 'string' || !form.test(value)) throw refuse(name, at)
      try {
        return read(value)
      } catch {
        throw refuse(name, at)
      }
    }
    return {
      architecture: field('arch', /^[A-Z0-9]{1,32}$/, (text) => text),
      nonce: field('nonce', /^[0-9a-fA-F]{64}$/, fromHex),
      report: field('evidence', /^[A-Za-z0-9+/]+={0,2}$/, fromBase64),
      certificates: field('certificate', /^[A-Za-z0-9+/]+={0,2}$/, fromBase64),
    }
  })
}

/** The driver manifest's name at NVIDIA's service; null for a device without a driver. @param chip `GH100`, as its certificate says */
export function driverManifestName({ driverVersion }: GpuReport, chip: string | null): string | null {
  if (driverVersion === null || chip === null) return null
  const kind = chip.startsWith('GH') ? 'NV_GPU_DRIVER' : 'NV_GPU_CC_DRIVER'
  return `${kind}_${chip}_${driverVersion}`.toUpperCase()
}

/** The VBIOS manifest's name at NVIDIA's service; null where the report lacks a part of it. */
export function vbiosManifestName(report: GpuReport): string | null {
  const { project, projectSku, chipSku, vbiosVersion } = report
  if (project === null || projectSku === null || chipSku === null) return null
  // Only switches have no driver.
  const kind = report.driverVersion === null ? 'NV_SWITCH_BIOS' : 'NV_GPU_VBIOS'
  return `${kind}_${project}_${projectSku}_${chipSku}_${vbiosVersion.replaceAll('.', '')}`.toUpperCase()
}

/** An opaque field and where its bytes begin in the report. */
interface OpaqueField {
  readonly bytes: Uint8Array
  readonly at: number
}

function readOpaque(report: Uint8Array, { opaqueAt, opaque }: SpdmMeasurements): Map<number, OpaqueField> {
  const r = new EvidenceReader(report, GPU_MALFORMED, opaqueAt, opaqueAt + opaque.length)
  const fields = new Map<number, OpaqueField>()
  while (r.left > 0) {
    const typeAt = r.at
    const type = r.u16('opaque.type')
    const size = r.u16('opaque.size')
    const { at } = r
    const bytes = r.bytes(size, 'opaque.field')
    // Two of a kind would let two readers see two different GPUs.
    if (fields.has(type)) throw r.refuse('opaque.type', typeAt, `${type} twice`)
    fields.set(type, { bytes, at })
  }
  return fields
}

const refuseField = (field: string, { bytes, at }: OpaqueField): Error =>
  evidenceError(GPU_MALFORMED.code, GPU_MALFORMED.sentence, field, at, toHex(bytes.subarray(0, 16)))

/** ASCII, ended or padded with NULs. */
function readText(field: OpaqueField): string {
  const text = String.fromCharCode(...field.bytes.subarray(0, 64)).replace(/\0+$/, '')
  if (field.bytes.length > 64 || !/^[ -~]*$/.test(text)) throw refuseField('opaque.text', field)
  return text
}

/** GPUs: eight bytes, 00 5e 00 96 01 00 00 00 for 96.00.5E.00.01. Switches: the text itself. */
function readVbiosVersion(field: OpaqueField): string {
  const { bytes } = field
  if (bytes.length !== 8) return readText(field)
  const pair = (i: number): string => (bytes[i] as number).toString(16).padStart(2, '0').toUpperCase()
  if (bytes[5] !== 0 || bytes[6] !== 0 || bytes[7] !== 0) throw refuseField('opaque.vbiosVersion', field)
  return [3, 2, 1, 0, 4].map(pair).join('.')
}

function readSwitch(field: OpaqueField | undefined, name: string): boolean | null {
  if (field === undefined) return null
  const [state] = field.bytes
  if (field.bytes.length !== 1 || (state !== ENABLED && state !== DISABLED)) throw refuseField(name, field)
  return state === ENABLED
}

function readFeature(field: OpaqueField | undefined): GpuFeature | null {
  if (field === undefined) return null
  const feature = field.bytes.length === 2 && field.bytes[1] === 0 ? FEATURES[field.bytes[0] as number] : undefined
  if (feature === undefined) throw refuseField('opaque.featureFlag', field)
  return feature
}

function readFwid(field: OpaqueField | undefined): Uint8Array | null {
  if (field === undefined) return null
  if (field.bytes.length !== 48) throw refuseField('opaque.fwid', field)
  return field.bytes
}
