/** GUIDs as UEFI stores them: the first three groups little-endian, the rest as written. Browser-safe. */
import { fromHex, toHex } from '../../util/index.ts'

export const GUID_BYTES = 16
const GROUPS = [4, 2, 2, 2, 6] as const

export function encodeGuid(guid: string): Uint8Array {
  const out = new Uint8Array(GUID_BYTES)
  let at = 0
  for (const [i, group] of guid.split('-').entries()) {
    const bytes = fromHex(group)
    out.set(i < 3 ? bytes.toReversed() : bytes, at)
    at += bytes.length
  }
  return out
}

/** Lower case, with dashes. */
export function decodeGuid(bytes: Uint8Array): string {
  let at = 0
  return GROUPS.map((size, i) => {
    const group = bytes.subarray(at, at + size)
    at += size
    return toHex(i < 3 ? group.toReversed() : group)
  }).join('-')
}
