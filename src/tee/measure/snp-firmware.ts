/**
 * What SEV-SNP firmware asks of the hypervisor: pages with a meaning, where hashes of kernel and command line go, where the other
 * processors begin. Browser-safe. Source: spec/measurement.md, "Firmware".
 */
import { measureError } from './errors.ts'
import { numberIn, parseGuidTable } from './guid-table.ts'
import { viewOf } from './little-endian.ts'

export type SnpSectionKind = 'memory' | 'secrets' | 'cpuid' | 'svsm-calling-area' | 'kernel-hashes'

export interface SnpSection {
  readonly kind: SnpSectionKind
  readonly address: number
  readonly bytes: number
}

export interface SnpFirmware {
  readonly sections: readonly SnpSection[]
  /** Address of the table of hashes; null where the firmware has no place for one. */
  readonly kernelHashesAt: number | null
  /** Where processors other than the first begin. */
  readonly resetAddress: number | null
}

const METADATA = 'dc886566-984a-4798-a75e-5585a7bf67cc'
const KERNEL_HASHES = '7255371f-3a3b-4b04-927b-1da6efa8d454'
const RESET = '00f771de-1a7e-4fcb-890e-68c77e2fb44e'
const SIGNATURE = 0x56455341 // "ASEV"
const HEADER_BYTES = 16
const SECTION_BYTES = 12
const MAX_SECTIONS = 64
/** Of one section; real ones have up to 60 kB. */
const MAX_SECTION_BYTES = 64 * 1024 * 1024
const KINDS: Readonly<Record<number, SnpSectionKind>> = {
  1: 'memory',
  2: 'secrets',
  3: 'cpuid',
  4: 'svsm-calling-area',
  0x10: 'kernel-hashes',
}

/** Throws `config.image-firmware`. */
export function parseSnpFirmware(firmware: Uint8Array): SnpFirmware {
  if (firmware.length % 4096 !== 0)
    throw measureError('config.image-firmware', 'firmware', `${firmware.length} bytes are no whole pages of 4096`)
  const table = parseGuidTable(firmware)
  const fromEnd = numberIn(table, METADATA)
  if (fromEnd === null)
    throw measureError('config.image-firmware', 'firmware.sev', 'it has no SEV metadata: it was not built for SEV-SNP')
  const at = firmware.length - fromEnd
  const view = viewOf(firmware)
  if (at < 0 || at + HEADER_BYTES > firmware.length || view.getUint32(at, true) !== SIGNATURE)
    throw measureError('config.image-firmware', 'firmware.sev', 'the metadata are not where the table says')
  const version = view.getUint32(at + 8, true)
  if (version !== 1) throw measureError('config.image-firmware', 'firmware.sev.version', `${version}; known is 1`)
  const count = view.getUint32(at + 12, true)
  if (count > MAX_SECTIONS || at + HEADER_BYTES + count * SECTION_BYTES > firmware.length)
    throw measureError('config.image-firmware', 'firmware.sev.sections', `${count} sections do not fit`)
  const sections = Array.from({ length: count }, (_, i): SnpSection => {
    const from = at + HEADER_BYTES + i * SECTION_BYTES
    const field = `firmware.sev.sections[${i}]`
    const [address, bytes, type] = [0, 4, 8].map((offset) => view.getUint32(from + offset, true)) as [
      number,
      number,
      number,
    ]
    const kind = KINDS[type]
    if (kind === undefined) throw measureError('config.image-firmware', `${field}.type`, `${type} is not known here`)
    if (address % 4096 !== 0 || bytes % 4096 !== 0 || bytes === 0 || bytes > MAX_SECTION_BYTES)
      throw measureError('config.image-firmware', field, `${bytes} bytes at ${address} are no whole pages`)
    return { kind, address, bytes }
  })
  // Firmware without the feature has the entry with address zero.
  const hashes = numberIn(table, KERNEL_HASHES)
  return {
    sections,
    kernelHashesAt: hashes === 0 ? null : hashes,
    resetAddress: numberIn(table, RESET),
  }
}
