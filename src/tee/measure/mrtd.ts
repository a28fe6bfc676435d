/**
 * MRTD: what the TDX module measures while a hypervisor builds the guest. Every page that is added gives its address, and
 * pages whose content counts give that too, 256 bytes at a time; all of it runs through one SHA-384. Browser-safe.
 * Source: spec/measurement.md, "MRTD".
 */
import { utf8 } from '../../util/index.ts'
import type { Eventually } from '../x509/index.ts'
import { u64 } from './little-endian.ts'
import { contentOf, PAGE_BYTES, type TdxFirmware, type TdxSection } from './tdx-firmware.ts'

/** The hashes that measuring needs; `VerifyCrypto` has them. */
export interface Hashes {
  sha256(bytes: Uint8Array): Eventually<Uint8Array>
  sha384(bytes: Uint8Array): Eventually<Uint8Array>
}

/**
 * In which order a hypervisor adds and measures: each page at once (KVM upstream, QEMU from 9 on), or first all pages of a
 * section, then their contents (QEMU 8 with the patches of its time).
 */
export type LaunchOrder = 'by-page' | 'by-section'

export interface MrtdPart {
  readonly section: TdxSection
  /** SHA-384 of what this section gave: says which section differs, where two MRTDs do. */
  readonly digest: Uint8Array
}

const RECORD_BYTES = 128
const CHUNK_BYTES = 256
/** For one page: its address, and for each of 16 chunks an address and the chunk. */
const EXTEND_BYTES = (PAGE_BYTES / CHUNK_BYTES) * (RECORD_BYTES + CHUNK_BYTES)

export async function computeMrtd(
  hashes: Hashes,
  firmware: TdxFirmware,
  order: LaunchOrder,
): Promise<{ readonly mrtd: Uint8Array; readonly parts: readonly MrtdPart[] }> {
  const streams = firmware.sections.map((section) => streamOf(firmware, section, order))
  const whole = new Uint8Array(streams.reduce((sum, stream) => sum + stream.length, 0))
  let at = 0
  const parts: MrtdPart[] = []
  for (const [i, stream] of streams.entries()) {
    whole.set(stream, at)
    at += stream.length
    parts.push({ section: firmware.sections[i] as TdxSection, digest: await hashes.sha384(stream) })
  }
  return { mrtd: await hashes.sha384(whole), parts }
}

function streamOf(firmware: TdxFirmware, section: TdxSection, order: LaunchOrder): Uint8Array {
  const pages = section.memoryBytes / PAGE_BYTES
  const added = section.isAddedLater ? 0 : RECORD_BYTES
  const extended = section.isExtended ? EXTEND_BYTES : 0
  const out = new Uint8Array(pages * (added + extended))
  const content = section.isExtended ? contentOf(firmware, section) : new Uint8Array()
  let at = 0
  const record = (leaf: string, address: number): void => {
    out.set(utf8(leaf), at)
    out.set(u64(address), at + 16)
    at += RECORD_BYTES
  }
  const add = (page: number): void => {
    if (!section.isAddedLater) record('MEM.PAGE.ADD', section.address + page * PAGE_BYTES)
  }
  const extend = (page: number): void => {
    if (!section.isExtended) return
    for (let chunk = page * PAGE_BYTES; chunk < (page + 1) * PAGE_BYTES; chunk += CHUNK_BYTES) {
      record('MR.EXTEND', section.address + chunk)
      out.set(content.subarray(chunk, chunk + CHUNK_BYTES), at)
      at += CHUNK_BYTES
    }
  }
  if (order === 'by-page')
    for (let page = 0; page < pages; page++) {
      add(page)
      extend(page)
    }
  else {
    for (let page = 0; page < pages; page++) add(page)
    for (let page = 0; page < pages; page++) extend(page)
  }
  return out
}
