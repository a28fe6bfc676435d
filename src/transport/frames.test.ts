import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FRAME_HEADER_BYTES, FrameDecoder, FrameEncoder, MAX_FRAME_PAYLOAD_BYTES, writeFrameHeader } from './frames.ts'

const payloads = fc.array(fc.uint8Array({ minLength: 4, maxLength: 300 }), { maxLength: 20 })

function decodeAll(chunks: Iterable<Buffer>, decoder = new FrameDecoder()): Buffer[] {
  const out: Buffer[] = []
  for (const chunk of chunks) decoder.push(chunk, (payload) => out.push(Buffer.from(payload)))
  return out
}

function header(length: number, seqno: number): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES)
  writeFrameHeader(bytes, 0, length, seqno)
  return bytes
}

describe('decoding', () => {
  test('gives back what was encoded, however the stream is cut', () => {
    fc.assert(
      fc.property(payloads, fc.infiniteStream(fc.integer({ min: 1, max: 700 })), (sent, sizes) => {
        const encoder = new FrameEncoder()
        const wire = Buffer.concat(sent.map((payload) => encoder.encode(payload)))
        const chunks: Buffer[] = []
        for (let at = 0; at < wire.length; ) {
          const size = sizes.next().value as number
          chunks.push(wire.subarray(at, at + size))
          at += size
        }
        expect(decodeAll(chunks)).toEqual(sent.map((payload) => Buffer.from(payload)))
      }),
    )
  })

  test('takes a stream byte by byte', () => {
    const encoder = new FrameEncoder()
    const sent = [Buffer.from('abcd'), Buffer.alloc(1000, 7), Buffer.from('the last')]
    const wire = Buffer.concat(sent.map((payload) => encoder.encode(payload)))
    expect(decodeAll(Array.from(wire, (byte) => Buffer.of(byte)))).toEqual(sent)
  })

  test('puts a frame of the largest size together from 1 kB chunks', () => {
    const payload = Buffer.alloc(MAX_FRAME_PAYLOAD_BYTES, 3)
    const wire = new FrameEncoder().encode(payload)
    const chunks: Buffer[] = []
    for (let at = 0; at < wire.length; at += 1000) chunks.push(wire.subarray(at, at + 1000))
    const [got] = decodeAll(chunks)
    expect(got?.equals(payload)).toBe(true)
  })

  test('hands a frame that is whole in its chunk out without a copy', () => {
    const wire = new FrameEncoder().encode(Buffer.from('same memory'))
    new FrameDecoder().push(wire, (payload) => {
      wire[FRAME_HEADER_BYTES] = 0x53
      expect(payload.toString()).toBe('Same memory')
    })
  })

  test.each([0, 3, MAX_FRAME_PAYLOAD_BYTES + 1, 0xffffffff])(
    'a length of %d is refused before the payload comes',
    (length) => {
      expect(() => decodeAll([header(length, 0)])).toThrow(expect.objectContaining({ code: 'protocol.frame-length' }))
    },
  )

  test('a limit below the protocol’s is kept', () => {
    expect(() => decodeAll([header(101, 0)], new FrameDecoder(100))).toThrow(
      expect.objectContaining({ code: 'protocol.frame-length' }),
    )
  })

  test.each([1, -1, 2])('a first frame with number %d is refused', (seqno) => {
    expect(() => decodeAll([header(4, seqno)])).toThrow(expect.objectContaining({ code: 'protocol.frame-seqno' }))
  })

  test('a number that comes twice is refused', () => {
    const frame = Buffer.concat([header(4, 0), Buffer.alloc(4)])
    expect(() => decodeAll([frame, frame])).toThrow(expect.objectContaining({ code: 'protocol.frame-seqno' }))
  })
})

describe('encoding', () => {
  test.each([0, 3, MAX_FRAME_PAYLOAD_BYTES + 1])(
    '%d bytes do not go into a frame, and no number is used up',
    (size) => {
      const encoder = new FrameEncoder()
      expect(() => encoder.allocate(size)).toThrow(expect.objectContaining({ code: 'request.message-too-large' }))
      expect(encoder.encode(Buffer.alloc(4)).readInt32LE(4)).toBe(0)
    },
  )
})
