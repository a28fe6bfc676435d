/**
 * The bytes of a PE image that firmware hashes before it starts one: everything but the checksum and the place and content of
 * signatures. Browser-safe. Source: spec/measurement.md, "Kernel".
 */
import { concatBytes } from '../../util/index.ts'
import { measureError } from './errors.ts'
import { viewOf } from './little-endian.ts'

const PE32_PLUS = 0x20b
/** Index of the directory that names the signatures. */
const SECURITY = 4
const DIRECTORY_BYTES = 8
const SECTION_BYTES = 40
/** Images have a handful; the specification's limit is 96. */
const MAX_SECTIONS = 96

/** Throws `config.image-kernel`. */
export function authenticodeBytes(image: Uint8Array): Uint8Array {
  const refuse = (field: string, why: string): Error => measureError('config.image-kernel', `kernel.${field}`, why)
  const view = viewOf(image)
  if (image.length < 0x40 || view.getUint16(0, true) !== 0x5a4d)
    throw refuse('pe', 'it is no PE image: build the kernel with CONFIG_EFI_STUB')
  const pe = view.getUint32(0x3c, true)
  const optional = pe + 24
  if (optional + 112 > image.length || view.getUint32(pe, true) !== 0x4550) throw refuse('pe', 'it has no PE header')
  const count = view.getUint16(pe + 6, true)
  if (count > MAX_SECTIONS) throw refuse('pe.sections', `${count} are too many`)
  const directories = optional + (view.getUint16(optional, true) === PE32_PLUS ? 112 : 96)
  const tableAt = optional + view.getUint16(pe + 20, true)
  const headerBytes = view.getUint32(optional + 60, true)
  if (tableAt + count * SECTION_BYTES > image.length || headerBytes > image.length || headerBytes < directories)
    throw refuse('pe.headers', 'they do not fit the file')
  const hasSecurity = view.getUint32(directories - 4, true) > SECURITY
  const securityAt = directories + SECURITY * DIRECTORY_BYTES
  const signatureBytes = hasSecurity ? view.getUint32(securityAt + 4, true) : 0

  const checksumAt = optional + 64
  const parts = [image.subarray(0, checksumAt)]
  if (hasSecurity)
    parts.push(image.subarray(checksumAt + 4, securityAt), image.subarray(securityAt + DIRECTORY_BYTES, headerBytes))
  else parts.push(image.subarray(checksumAt + 4, headerBytes))
  let hashed = headerBytes
  const sections = Array.from({ length: count }, (_, i) => ({
    at: view.getUint32(tableAt + i * SECTION_BYTES + 20, true),
    bytes: view.getUint32(tableAt + i * SECTION_BYTES + 16, true),
  }))
  for (const [i, { at, bytes }] of sections.toSorted((a, b) => a.at - b.at).entries()) {
    if (at + bytes > image.length) throw refuse(`pe.sections[${i}]`, 'it ends behind the file')
    parts.push(image.subarray(at, at + bytes))
    hashed += bytes
  }
  if (image.length < hashed + signatureBytes) throw refuse('pe.signatures', 'they end behind the file')
  parts.push(image.subarray(hashed, image.length - signatureBytes))
  return concatBytes(...parts)
}
