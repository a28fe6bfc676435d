/**
 * What QEMU writes into the setup header of a Linux kernel before the firmware sees it: where command line and initial RAM disk
 * will be. It changes the kernel's hash, and makes that depend on the guest's memory. Browser-safe.
 * Source: spec/measurement.md, "Kernel"; layout: the Linux x86 boot protocol.
 */
import { measureError } from './errors.ts'
import { u32, viewOf } from './little-endian.ts'
import { memoryBelow4g } from './td-hob.ts'

const MAGIC_AT = 0x202
const MAGIC = 0x53726448 // "HdrS"
/** 2.12, Linux 3.8: the first that says whether things may lie above 4 GiB. Older ones are treated differently. */
const MIN_PROTOCOL = 0x20c
const HEADER_BYTES = 0x268
const REAL_MODE_AT = 0x1_0000
const COMMAND_LINE_AT = 0x2_0000
const FLAG = { loadedHigh: 0x01, canUseHeap: 0x80, canBeAbove4g: 0x02 } as const
const LOADER_QEMU = 0xb0
/** What q35 keeps free below the end of low memory for ACPI tables. */
const ACPI_BYTES = 0x2_8000
const PAGE_BYTES = 4096

/** A copy with the header as QEMU leaves it. Throws `config.image-kernel`, `config.image-input`. */
export function patchLinuxHeader(kernel: Uint8Array, initrdBytes: number, memoryBytes: number): Uint8Array {
  const source = viewOf(kernel)
  if (kernel.length < HEADER_BYTES || source.getUint32(MAGIC_AT, true) !== MAGIC)
    throw measureError('config.image-kernel', 'kernel', 'it is no Linux kernel (bzImage)')
  const protocol = source.getUint16(0x206, true)
  if (protocol < MIN_PROTOCOL || ((kernel[0x211] as number) & FLAG.loadedHigh) === 0)
    throw measureError('config.image-kernel', 'kernel.protocol', `0x${protocol.toString(16)}; 0x20c or newer is needed`)
  const patched = Uint8Array.from(kernel)
  patched[0x210] = LOADER_QEMU
  patched[0x211] = (kernel[0x211] as number) | FLAG.canUseHeap
  patched.set(u32(COMMAND_LINE_AT - REAL_MODE_AT - 0x200), 0x224)
  patched.set(u32(COMMAND_LINE_AT), 0x228)
  if (initrdBytes > 0) {
    patched.set(u32(initrdAddress(source, initrdBytes, memoryBytes)), 0x218)
    patched.set(u32(initrdBytes), 0x21c)
  }
  return patched
}

/** As high as it may be. */
function initrdAddress(header: DataView, initrdBytes: number, memoryBytes: number): number {
  const isFree = (header.getUint16(0x236, true) & FLAG.canBeAbove4g) !== 0
  const wanted = isFree ? 0xffff_ffff : header.getUint32(0x22c, true)
  const highest = Math.min(wanted, memoryBelow4g(memoryBytes) - ACPI_BYTES - 1)
  if (initrdBytes >= highest)
    throw measureError('config.image-input', 'initrd', `${initrdBytes} bytes do not fit below ${highest}`)
  const address = highest - initrdBytes
  return address - (address % PAGE_BYTES)
}
