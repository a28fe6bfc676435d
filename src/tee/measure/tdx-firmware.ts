/**
 * What TDX firmware asks of the hypervisor: the sections to be added to the guest, and which of them are measured.
 * Browser-safe. Source: spec/measurement.md, "Firmware".
 */
import { numberIn, parseGuidTable } from './guid-table.ts'
import { measureError } from './errors.ts'
import { viewOf } from './little-endian.ts'

/** Boot firmware, configuration (variables), hand-over list, memory for the start. */
export type TdxSectionKind = 'bfv' | 'cfv' | 'td-hob' | 'temp-mem'

export interface TdxSection {
  readonly kind: TdxSectionKind
  /** In the firmware; both 0 for memory that starts empty. */
  readonly dataAt: number
  readonly dataBytes: number
  /** In the guest, both multiples of 4096. */
  readonly address: number
  readonly memoryBytes: number
  /** Its content is measured, not only its place. */
  readonly isExtended: boolean
  /** Added when the guest asks for it, so not part of MRTD. */
  readonly isAddedLater: boolean
}

export interface TdxFirmware {
  readonly bytes: Uint8Array
  readonly sections: readonly TdxSection[]
}

export const PAGE_BYTES = 4096
const METADATA_OFFSET = 'e47a6535-984a-4798-865e-4685a7bf8ec2'
const SIGNATURE = 0x46564454 // "TDVF"
const DESCRIPTOR_BYTES = 16
const SECTION_BYTES = 32
/** Real firmware has six; a list that a file controls. */
const MAX_SECTIONS = 64
/** Of one section: a hand-made file must not make us allocate its wishes. */
const MAX_SECTION_BYTES = 256 * 1024 * 1024
const KINDS: readonly TdxSectionKind[] = ['bfv', 'cfv', 'td-hob', 'temp-mem']
const ATTRIBUTE = { extend: 1, addLater: 2 } as const

/** Throws `config.image-firmware`. */
export function parseTdxFirmware(bytes: Uint8Array): TdxFirmware {
  const fromEnd = numberIn(parseGuidTable(bytes), METADATA_OFFSET)
  if (fromEnd === null)
    throw measureError('config.image-firmware', 'firmware.tdx', 'it has no TDX metadata: it was not built for TDX')
  const at = bytes.length - fromEnd
  const view = viewOf(bytes)
  if (at < 0 || at + DESCRIPTOR_BYTES > bytes.length || view.getUint32(at, true) !== SIGNATURE)
    throw measureError('config.image-firmware', 'firmware.tdx', 'the metadata are not where the table says')
  const version = view.getUint32(at + 8, true)
  if (version !== 1) throw measureError('config.image-firmware', 'firmware.tdx.version', `${version}; known is 1`)
  const count = view.getUint32(at + 12, true)
  if (count > MAX_SECTIONS || at + DESCRIPTOR_BYTES + count * SECTION_BYTES > bytes.length)
    throw measureError('config.image-firmware', 'firmware.tdx.sections', `${count} sections do not fit`)
  const sections = Array.from({ length: count }, (_, i) =>
    readSection(view, at + DESCRIPTOR_BYTES + i * SECTION_BYTES, `firmware.tdx.sections[${i}]`),
  )
  for (const kind of ['bfv', 'cfv', 'td-hob'] as const)
    if (sections.filter((section) => section.kind === kind).length !== 1)
      throw measureError('config.image-firmware', 'firmware.tdx.sections', `there must be exactly one ${kind}`)
  return { bytes, sections }
}

function readSection(view: DataView, at: number, field: string): TdxSection {
  const refuse = (part: string, why: string): Error => measureError('config.image-firmware', `${field}.${part}`, why)
  const large = (offset: number, part: string): number => {
    const value = view.getBigUint64(at + offset, true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse(part, `${value} is no possible value`)
    return Number(value)
  }
  const type = view.getUint32(at + 24, true)
  const kind = KINDS[type]
  if (kind === undefined) throw refuse('type', `${type}; known are 0 to 3 (firmware, variables, hand-over, memory)`)
  const attributes = view.getUint32(at + 28, true)
  if (attributes > 3) throw refuse('attributes', `${attributes}; known are 1 and 2`)
  const section = {
    kind,
    dataAt: view.getUint32(at, true),
    dataBytes: view.getUint32(at + 4, true),
    address: large(8, 'address'),
    memoryBytes: large(16, 'memoryBytes'),
    isExtended: (attributes & ATTRIBUTE.extend) !== 0,
    isAddedLater: (attributes & ATTRIBUTE.addLater) !== 0,
  }
  if (section.address % PAGE_BYTES !== 0 || section.memoryBytes % PAGE_BYTES !== 0)
    throw refuse('address', 'a section begins and ends on a page of 4096 bytes')
  if (section.memoryBytes > MAX_SECTION_BYTES) throw refuse('memoryBytes', `${section.memoryBytes} is too much`)
  if (section.dataBytes > section.memoryBytes) throw refuse('dataBytes', 'more content than memory')
  if (section.dataAt + section.dataBytes > view.byteLength) throw refuse('dataBytes', 'the content is not in the file')
  return section
}

/** The content of a section, zeros behind it. */
export function contentOf({ bytes }: TdxFirmware, { dataAt, dataBytes, memoryBytes }: TdxSection): Uint8Array {
  const content = new Uint8Array(memoryBytes)
  content.set(bytes.subarray(dataAt, dataAt + dataBytes))
  return content
}
