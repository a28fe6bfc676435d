/** Numbers as firmware and boot loaders store them. Browser-safe. */

export const u16 = (value: number): Uint8Array => littleEndian(value, 2)
export const u32 = (value: number): Uint8Array => littleEndian(value, 4)
/** Up to 2^53: guest addresses and sizes are far below. */
export const u64 = (value: number): Uint8Array => littleEndian(value, 8)

function littleEndian(value: number, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes)
  let rest = value
  for (let i = 0; i < bytes; i++) {
    out[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return out
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Two bytes a character, no terminator: texts in UEFI. */
export function utf16(text: string): Uint8Array {
  const out = new Uint8Array(2 * text.length)
  const view = viewOf(out)
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), true)
  return out
}
