/** Small firmware and kernels with the structures of real ones: for measuring, not for running. */
import { concatBytes, utf8 } from '../../src/util/index.ts'
import { encodeGuid } from '../../src/tee/measure/guid.ts'
import { u16, u32, u64, viewOf } from '../../src/tee/measure/little-endian.ts'
import type { SnpSection, TdxSection } from '../../src/tee/measure/index.ts'

export const FIRMWARE_BYTES = 0x1_0000
const VARIABLES_BYTES = 0x4000
const CODE_BYTES = FIRMWARE_BYTES - VARIABLES_BYTES
const FIRMWARE_AT = 0x1_0000_0000 - FIRMWARE_BYTES

/** Where real firmware has them; two are smaller. */
export const TDX_SECTIONS: readonly TdxSection[] = [
  section('bfv', FIRMWARE_AT + VARIABLES_BYTES, CODE_BYTES, {
    dataAt: VARIABLES_BYTES,
    dataBytes: CODE_BYTES,
    isExtended: true,
  }),
  section('cfv', FIRMWARE_AT, VARIABLES_BYTES, { dataAt: 0, dataBytes: VARIABLES_BYTES }),
  section('temp-mem', 0x81_0000, 0x1_0000),
  section('temp-mem', 0x80_b000, 0x2000),
  section('td-hob', 0x80_9000, 0x2000),
  section('temp-mem', 0x80_0000, 0x6000),
]

export const SNP_SECTIONS: readonly SnpSection[] = [
  { kind: 'memory', address: 0x80_0000, bytes: 0x9000 },
  { kind: 'secrets', address: 0x80_d000, bytes: 0x1000 },
  { kind: 'cpuid', address: 0x80_e000, bytes: 0x1000 },
  { kind: 'kernel-hashes', address: 0x81_0000, bytes: 0x1000 },
]

export const KERNEL_HASHES_AT = 0x81_0c00
export const RESET_AT = 0x80_b004

function section(
  kind: TdxSection['kind'],
  address: number,
  memoryBytes: number,
  more: Partial<TdxSection> = {},
): TdxSection {
  return { kind, address, memoryBytes, dataAt: 0, dataBytes: 0, isExtended: false, isAddedLater: false, ...more }
}

const TDX_KINDS: readonly TdxSection['kind'][] = ['bfv', 'cfv', 'td-hob', 'temp-mem']
const SNP_KINDS: Readonly<Record<SnpSection['kind'], number>> = {
  memory: 1,
  secrets: 2,
  cpuid: 3,
  'svsm-calling-area': 4,
  'kernel-hashes': 0x10,
}

/** @param fill every byte that has no meaning */
export function makeFirmware(
  fill = 0x90,
  tdx: readonly TdxSection[] = TDX_SECTIONS,
  snp: readonly SnpSection[] = SNP_SECTIONS,
): Uint8Array {
  const out = new Uint8Array(FIRMWARE_BYTES).fill(fill)
  // A little that differs from page to page.
  for (let at = 0; at < out.length; at += 256) out[at] = (at / 256) % 251
  const tdxAt = 0xf000
  out.set(
    concatBytes(
      utf8('TDVF'),
      u32(16 + 32 * tdx.length),
      u32(1),
      u32(tdx.length),
      ...tdx.map((one) =>
        concatBytes(
          concatBytes(u32(one.dataAt), u32(one.dataBytes), u64(one.address), u64(one.memoryBytes)),
          u32(TDX_KINDS.indexOf(one.kind)),
          u32((one.isExtended ? 1 : 0) + (one.isAddedLater ? 2 : 0)),
        ),
      ),
    ),
    tdxAt,
  )
  const snpAt = 0xf400
  out.set(
    concatBytes(
      utf8('ASEV'),
      u32(16 + 12 * snp.length),
      u32(1),
      u32(snp.length),
      ...snp.map(({ kind, address, bytes }) => concatBytes(u32(address), u32(bytes), u32(SNP_KINDS[kind]))),
    ),
    snpAt,
  )
  const entry = (guid: string, value: number): Uint8Array => concatBytes(u32(value), u16(22), encodeGuid(guid))
  const entries = concatBytes(
    entry('e47a6535-984a-4798-865e-4685a7bf8ec2', FIRMWARE_BYTES - tdxAt),
    entry('dc886566-984a-4798-a75e-5585a7bf67cc', FIRMWARE_BYTES - snpAt),
    entry('7255371f-3a3b-4b04-927b-1da6efa8d454', KERNEL_HASHES_AT),
    entry('00f771de-1a7e-4fcb-890e-68c77e2fb44e', RESET_AT),
  )
  const table = concatBytes(entries, u16(entries.length + 18), encodeGuid('96b582de-1fb2-45f7-baea-a366c55a082d'))
  out.set(table, out.length - 32 - table.length)
  return out
}

const SETUP_AT = 0x200
export const KERNEL_BYTES = 0x2000

/** A bzImage with an EFI stub's headers: two sections, no signature. */
export function makeKernel(fill = 0x90): Uint8Array {
  const out = new Uint8Array(KERNEL_BYTES).fill(fill, 0x300)
  const view = viewOf(out)
  out.set(utf8('MZ'))
  view.setUint32(0x3c, 0x40, true)
  const coff = concatBytes(utf8('PE\0\0'), u16(0x8664), u16(2), new Uint8Array(12), u16(160), u16(0x206))
  out.set(coff, 0x40)
  const optional = 0x58
  view.setUint16(optional, 0x20b, true)
  view.setUint32(optional + 32, 0x1000, true) // section alignment
  view.setUint32(optional + 36, 0x200, true) // file alignment
  view.setUint32(optional + 56, 0x4000, true) // size of image
  view.setUint32(optional + 60, SETUP_AT, true) // size of headers
  view.setUint32(optional + 64, 0x1234, true) // checksum
  view.setUint16(optional + 68, 10, true) // EFI application
  view.setUint32(optional + 108, 6, true) // directories
  const sections = [
    ['.setup', SETUP_AT, 0x800],
    ['.text', 0xa00, KERNEL_BYTES - 0xa00],
  ] as const
  for (const [i, [name, at, bytes]] of sections.entries()) {
    const header = optional + 160 + 40 * i
    out.set(utf8(name), header)
    for (const [offset, value] of [
      [8, bytes],
      [12, 0x1000 * (i + 1)],
      [16, bytes],
      [20, at],
    ] as const)
      view.setUint32(header + offset, value, true)
  }
  // Setup header of the Linux boot protocol, version 2.15.
  view.setUint16(0x1fe, 0xaa55, true)
  out.set(utf8('HdrS'), 0x202)
  view.setUint16(0x206, 0x20f, true)
  out[0x211] = 0x01
  view.setUint32(0x22c, 0x7fff_ffff, true)
  view.setUint16(0x236, 0x7f, true)
  return out
}
