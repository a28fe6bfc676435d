/**
 * The certificates that an SEV-SNP host hands its guest with a report: a table of entries (GUID, offset, length), then the
 * certificates. The host writes it, so nothing in it is trusted. Browser-safe. Source: the GHCB specification, "SNP Extended
 * Guest Request".
 */
import { equalBytes, fromHex, isZero } from '../../util/index.ts'

const ENTRY_BYTES = 24
/** GUIDs as they lie in memory. */
const VCEK = fromHex('8d75da6364e66445adc5f4b93be8accd')
const VLEK = fromHex('c24b07a85aa23e48aae639c045a0b8a1')
/** Tables have up to six. */
const MAX_ENTRIES = 32

/** DER of the VCEK, or else of the VLEK; null where the host gave neither, or something that is no table. */
export function chipCertificateIn(table: Uint8Array): Uint8Array | null {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
  let found: Uint8Array | null = null
  for (let i = 0; i < MAX_ENTRIES && (i + 1) * ENTRY_BYTES <= table.length; i++) {
    const at = i * ENTRY_BYTES
    const guid = table.subarray(at, at + 16)
    if (isZero(guid)) break
    const isVcek = equalBytes(guid, VCEK)
    if (!isVcek && !equalBytes(guid, VLEK)) continue
    const [offset, length] = [view.getUint32(at + 16, true), view.getUint32(at + 20, true)]
    if (length === 0 || offset + length > table.length) continue
    const der = table.slice(offset, offset + length)
    if (isVcek) return der
    found ??= der
  }
  return found
}
