import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decode, encode, tcpConnect, tcpConnected, tcpPacket, tcpPing, tcpQuery, tcpQueryAnswer } from '../tl/index.ts'
import { FRAME_HEADER_BYTES, FrameEncoder } from './frames.ts'
import { createPacketWriter, messageData, receivePacket } from './packets.ts'

const data = fc.uint8Array({ maxLength: 600 })
const ids = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const payloadOf = (frame: Buffer): Buffer => frame.subarray(FRAME_HEADER_BYTES)
const payload = (bytes: Uint8Array): Buffer => Buffer.from(bytes)

describe('writing', () => {
  test('the hot path writes the bytes of the TL definitions', () => {
    fc.assert(
      fc.property(data, ids, (bytes, id) => {
        const write = createPacketWriter(new FrameEncoder())
        expect(payloadOf(write.packet(bytes))).toEqual(Buffer.from(encode(tcpPacket, { data: bytes })))
        expect(payloadOf(write.query(id, bytes))).toEqual(Buffer.from(encode(tcpQuery, { id, data: bytes })))
        expect(payloadOf(write.queryAnswer(id, bytes))).toEqual(
          Buffer.from(encode(tcpQueryAnswer, { id, data: bytes })),
        )
      }),
    )
  })

  test('frames are numbered in the order of the calls', () => {
    const write = createPacketWriter(new FrameEncoder())
    expect([write.connect(1n), write.packet(new Uint8Array(3)), write.ping(2n)].map((f) => f.readInt32LE(4))).toEqual([
      0, 1, 2,
    ])
  })
})

describe('reading', () => {
  test('the hot path accepts exactly what the TL definition accepts', () => {
    const damaged = fc
      .tuple(data, fc.nat(), fc.nat(255), fc.integer({ min: -4, max: 4 }))
      .map(([bytes, at, byte, cut]) => {
        const wire = Buffer.concat([encode(tcpPacket, { data: bytes }), Buffer.alloc(Math.max(0, cut))])
        // Anything but the constructor id may be damaged: it says which path is taken.
        if (wire.length > 4) wire[4 + (at % (wire.length - 4))] = byte
        return cut < 0 ? wire.subarray(0, Math.max(4, wire.length + cut)) : wire
      })
    const attempt = (read: () => Uint8Array): string => {
      try {
        return Buffer.from(read()).toString('hex')
      } catch {
        return 'refused'
      }
    }
    fc.assert(
      fc.property(damaged, (wire) => {
        expect(attempt(() => messageData(wire))).toBe(attempt(() => decode(tcpPacket, wire).data))
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['padding that is not zero', [1, 7, 0, 1]],
    ['a short length in the long form', [254, 1, 0, 0, 7, 0, 0, 0]],
    ['a word behind the end', [1, 7, 0, 0, 0, 0, 0, 0]],
    ['a missing byte', [4, 7, 7, 7]],
    ['no length at all', []],
    ['the eight-byte form', [255, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0]],
  ])('a message with %s is refused', (_, rest) => {
    const wire = Buffer.from([0xf8, 0xba, 0x17, 0x9c, ...rest])
    expect(() => receivePacket('connected', wire)).toThrow(expect.objectContaining({ code: 'protocol.packet' }))
  })

  test('an acceptor takes tcp.connect first and an initiator tcp.connected; nothing else', () => {
    const connect = payload(encode(tcpConnect, { id: 5n }))
    const connected = payload(encode(tcpConnected, { id: 5n }))
    const early = payload(encode(tcpPacket, { data: new Uint8Array(4) }))
    expect(receivePacket('awaiting-connect', connect)).toEqual({ is: 'connect', id: 5n })
    expect(receivePacket('awaiting-connected', connected)).toEqual({ is: 'connected' })
    const outOfTurn = expect.objectContaining({ code: 'protocol.out-of-turn' })
    expect(() => receivePacket('awaiting-connect', connected)).toThrow(outOfTurn)
    expect(() => receivePacket('awaiting-connect', early)).toThrow(outOfTurn)
    expect(() => receivePacket('awaiting-connected', connect)).toThrow(outOfTurn)
    expect(() => receivePacket('awaiting-connected', early)).toThrow(outOfTurn)
  })

  test('greetings that come again are nothing, a ping asks for its pong', () => {
    expect(receivePacket('connected', payload(encode(tcpConnect, { id: 5n })))).toEqual({ is: 'nothing' })
    expect(receivePacket('connected', payload(encode(tcpConnected, { id: 5n })))).toEqual({ is: 'nothing' })
    expect(receivePacket('connected', payload(encode(tcpPing, { id: 9n })))).toEqual({ is: 'ping', id: 9n })
  })
})
