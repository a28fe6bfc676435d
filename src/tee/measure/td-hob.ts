/**
 * The hand-over list ("TD HOB") that QEMU leaves for the firmware: which memory is there, and which of it is accepted already.
 * The firmware measures it into RTMR0, so the size of the guest's memory is part of the measurement. Browser-safe.
 * Source: spec/measurement.md, "Hand-over list".
 */
import { concatBytes } from '../../util/index.ts'
import { measureError } from './errors.ts'
import { u16, u32, u64 } from './little-endian.ts'
import type { TdxSection } from './tdx-firmware.ts'

interface Range {
  readonly start: number
  readonly end: number
  readonly isAccepted: boolean
}

const FOUR_GIB = 0x1_0000_0000
/** Memory types of UEFI's Platform Initialization specification. */
const RESOURCE = { systemMemory: 0, unaccepted: 7 } as const
/** Present, initialized, tested. */
const ATTRIBUTES = 7
const HANDOFF_BYTES = 56
const RESOURCE_BYTES = 48
const END_BYTES = 8

/** Machine q35: from 2.75 GiB on, 2 GiB lie below 4 GiB; a smaller guest has everything there. */
export const memoryBelow4g = (memoryBytes: number): number => (memoryBytes >= 0xb000_0000 ? 0x8000_0000 : memoryBytes)

/** Throws `config.image-input` when the memory is smaller than what the firmware uses. */
export function encodeTdHob(sections: readonly TdxSection[], memoryBytes: number): Uint8Array {
  const own = sections.find((section) => section.kind === 'td-hob')
  if (own === undefined) throw measureError('config.image-firmware', 'firmware.tdx.sections', 'there is no td-hob')
  const ranges = rangesOf(sections, memoryBytes)
  const bytes = HANDOFF_BYTES + RESOURCE_BYTES * ranges.length
  if (bytes + END_BYTES > own.memoryBytes)
    throw measureError('config.image-firmware', 'firmware.tdx.sections', 'the hand-over list does not fit its section')
  return concatBytes(
    // Kind and size, version 9, boot mode and four bounds that nobody uses, then where the list ends.
    concatBytes(u16(1), u16(HANDOFF_BYTES), u32(0), u32(9), u32(0), u64(0), u64(0), u64(0), u64(0)),
    u64(own.address + bytes + END_BYTES),
    ...ranges.map(({ start, end, isAccepted }) =>
      concatBytes(
        concatBytes(u16(3), u16(RESOURCE_BYTES), u32(0), new Uint8Array(16)),
        u32(isAccepted ? RESOURCE.systemMemory : RESOURCE.unaccepted),
        concatBytes(u32(ATTRIBUTES), u64(start), u64(end - start)),
      ),
    ),
    // The end of the list itself (0xffff) is behind what the firmware measures.
  )
}

function rangesOf(sections: readonly TdxSection[], memoryBytes: number): Range[] {
  const below = memoryBelow4g(memoryBytes)
  let ranges: Range[] = [{ start: 0, end: below, isAccepted: false }]
  if (memoryBytes > below) ranges.push({ start: FOUR_GIB, end: FOUR_GIB + memoryBytes - below, isAccepted: false })
  for (const { kind, address, memoryBytes: size } of sections) {
    if ((kind !== 'td-hob' && kind !== 'temp-mem') || size === 0) continue
    const end = address + size
    const holder = ranges.find((range) => !range.isAccepted && range.start <= address && end <= range.end)
    if (holder === undefined)
      throw measureError('config.image-input', 'memoryMib', `the firmware needs memory at ${address.toString(16)}`)
    ranges = ranges.flatMap((range) =>
      range === holder
        ? [
            { start: range.start, end: address, isAccepted: false },
            { start: address, end, isAccepted: true },
            { start: end, end: range.end, isAccepted: false },
          ].filter((part) => part.end > part.start)
        : [range],
    )
  }
  return ranges
}
