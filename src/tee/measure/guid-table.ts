/**
 * The table of named entries near the end of OVMF: where firmware tells hypervisors how it wants to be started. It is read
 * from its end, which stands 32 bytes before that of the file; an entry is its content, its size (2 bytes, the whole entry) and
 * its GUID. Browser-safe. Source: spec/measurement.md, "Firmware".
 */
import { decodeGuid, GUID_BYTES } from './guid.ts'
import { measureError } from './errors.ts'
import { viewOf } from './little-endian.ts'

/** Between the table and the end of the file stands the reset vector. */
const BYTES_BEHIND_TABLE = 32
const HEAD_BYTES = 2 + GUID_BYTES
const FOOTER = '96b582de-1fb2-45f7-baea-a366c55a082d'

/** What the entries hold, by GUID in lower case. Throws `config.image-firmware`. */
export function parseGuidTable(firmware: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const end = firmware.length - BYTES_BEHIND_TABLE
  if (end < HEAD_BYTES) throw measureError('config.image-firmware', 'firmware', 'it is too short to be one')
  const view = viewOf(firmware)
  const headAt = (to: number): { readonly guid: string; readonly bytes: number } => ({
    guid: decodeGuid(firmware.subarray(to - GUID_BYTES, to)),
    bytes: view.getUint16(to - HEAD_BYTES, true),
  })
  const footer = headAt(end)
  if (footer.guid !== FOOTER)
    throw measureError(
      'config.image-firmware',
      'firmware',
      'no OVMF table stands at its end; give the whole file (variables and code in one), built for TDX or SEV',
    )
  const start = end - footer.bytes
  if (footer.bytes < HEAD_BYTES || start < 0)
    throw measureError('config.image-firmware', 'firmware.table', `${footer.bytes} bytes is no possible size`)
  const entries = new Map<string, Uint8Array>()
  let to = end - HEAD_BYTES
  while (to - start >= HEAD_BYTES) {
    const { guid, bytes } = headAt(to)
    if (bytes < HEAD_BYTES || to - bytes < start)
      throw measureError('config.image-firmware', `firmware.table.${guid}`, `${bytes} bytes do not fit the table`)
    entries.set(guid, firmware.subarray(to - bytes, to - HEAD_BYTES))
    to -= bytes
  }
  return entries
}

/** The number in the first four bytes of an entry; null when there is no such entry. Throws `config.image-firmware`. */
export function numberIn(table: ReadonlyMap<string, Uint8Array>, guid: string): number | null {
  const entry = table.get(guid)
  if (entry === undefined) return null
  if (entry.length < 4) throw measureError('config.image-firmware', `firmware.table.${guid}`, 'it has no number')
  return viewOf(entry).getUint32(0, true)
}
