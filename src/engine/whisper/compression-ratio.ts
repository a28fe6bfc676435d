import { deflateRawSync } from 'node:zlib'

/** How much shorter a text becomes when what it repeats is said once; far above 2 where a model goes round in circles. 1 for none. */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text)
  return bytes.length === 0 ? 1 : bytes.length / deflateRawSync(bytes).length
}
