/** WAV files for tests: any encoding, whole or cut off on purpose. */

export interface WavParts {
  readonly rate: number
  readonly channels?: number
  /** 1: whole numbers, 3: floats. */
  readonly kind?: number
  readonly bits?: number
  readonly data: Uint8Array
  /** What the header says of the length of the data, where not the truth. */
  readonly declaredBytes?: number
  /** Stands in front of the data, as editors' notes do. */
  readonly extraChunk?: Uint8Array
}

export function writeWav({
  rate,
  channels = 1,
  kind = 1,
  bits = 16,
  data,
  declaredBytes,
  extraChunk,
}: WavParts): Buffer {
  const format = Buffer.alloc(16)
  format.writeUInt16LE(kind, 0)
  format.writeUInt16LE(channels, 2)
  format.writeUInt32LE(rate, 4)
  format.writeUInt32LE((rate * channels * bits) / 8, 8)
  format.writeUInt16LE((channels * bits) / 8, 12)
  format.writeUInt16LE(bits, 14)
  const chunks = [
    chunk('fmt ', format),
    ...(extraChunk === undefined ? [] : [chunk('LIST', extraChunk)]),
    chunk('data', data, declaredBytes),
  ]
  return chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...chunks]))
}

function chunk(name: string, body: Uint8Array, declaredBytes = body.length): Buffer {
  const head = Buffer.from(`${name}\0\0\0\0`)
  head.writeUInt32LE(declaredBytes, 4)
  return Buffer.concat([head, body, new Uint8Array(body.length % 2)])
}
