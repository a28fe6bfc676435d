/**
 * Packets inside frames: which may come when, and how messages get in and out without extra copies. No socket, no time.
 * `tcp.packet` is the hot path and has its own code here, with the rules of the TL reader; the rest goes through `tl`.
 * Source: spec/transport.md, "Packets".
 */
import {
  decodeOneOf,
  encode,
  tcpConnect,
  tcpConnected,
  tcpPackets,
  tcpPing,
  tcpPong,
  tcpQueryError,
} from '../tl/index.ts'
import { transportError } from './errors.ts'
import { FRAME_HEADER_BYTES, type FrameEncoder } from './frames.ts'

/** Constructor ids as they are read from the wire, little-endian. Source: spec/tl-constructors.json. */
const PACKET_ID = 0x9c17baf8
const QUERY_ID = 0x3af51908
const QUERY_ANSWER_ID = 0xc048c311

/** Before `connected` exactly one packet is allowed: `tcp.connect` at an acceptor, `tcp.connected` at an initiator. */
export type Phase = 'awaiting-connect' | 'awaiting-connected' | 'connected'

export type Received =
  | { readonly is: 'connect'; readonly id: bigint }
  | { readonly is: 'connected' }
  | { readonly is: 'message'; readonly data: Uint8Array }
  | { readonly is: 'query'; readonly id: bigint; readonly data: Uint8Array }
  | { readonly is: 'answer'; readonly id: bigint; readonly data: Uint8Array }
  | { readonly is: 'refusal'; readonly id: bigint; readonly code: number; readonly message: string }
  | { readonly is: 'ping'; readonly id: bigint }
  /** A pong, or a greeting that came again: nothing to do. */
  | { readonly is: 'nothing' }

const NOTHING: Received = { is: 'nothing' }

/** What a payload means in this phase. Throws `protocol.packet`, `protocol.out-of-turn` and `tl.*`. */
export function receivePacket(phase: Phase, payload: Buffer): Received {
  if (phase === 'connected' && isMessage(payload)) return { is: 'message', data: messageData(payload) }
  const packet = decodeOneOf(tcpPackets, payload)
  if (phase === 'awaiting-connect') {
    if (packet._ === 'tcp.connect') return { is: 'connect', id: packet.id }
    throw transportError('protocol.out-of-turn', { got: packet._, expected: 'tcp.connect' })
  }
  if (phase === 'awaiting-connected') {
    if (packet._ === 'tcp.connected') return { is: 'connected' }
    throw transportError('protocol.out-of-turn', { got: packet._, expected: 'tcp.connected' })
  }
  switch (packet._) {
    case 'tcp.connect':
    case 'tcp.connected':
    case 'tcp.pong':
      return NOTHING
    case 'tcp.ping':
      return { is: 'ping', id: packet.id }
    case 'tcp.packet':
      return { is: 'message', data: packet.data }
    case 'tcp.query':
      return { is: 'query', id: packet.id, data: packet.data }
    case 'tcp.queryAnswer':
      return { is: 'answer', id: packet.id, data: packet.data }
    case 'tcp.queryError':
      return { is: 'refusal', id: packet.id, code: packet.code, message: packet.message }
  }
}

/** True for a `tcp.packet`; `payload` holds at least the four bytes that every frame has. */
export const isMessage = (payload: Buffer): boolean => payload.readUInt32LE(0) === PACKET_ID

/** The data of a `tcp.packet`, as a view. As strict as the TL reader: shortest length form, zero padding, no rest. */
export function messageData(payload: Buffer): Uint8Array {
  const first = payload[4]
  let start = 5
  let length = first ?? 255
  if (first === 254 && payload.length >= 8) {
    length = payload.readUIntLE(5, 3)
    start = 8
    if (length < 254) throw transportError('protocol.packet', { reason: 'length not in its shortest form' })
  } else if (length >= 254) throw transportError('protocol.packet', { reason: 'length' })
  const end = start + length
  // The payload starts on a multiple of four, so its length says where padding must end.
  if (payload.length !== ((end + 3) & ~3)) throw transportError('protocol.packet', { reason: 'length' })
  for (let at = end; at < payload.length; at++)
    if (payload[at] !== 0) throw transportError('protocol.packet', { reason: 'padding' })
  return payload.subarray(start, end)
}

/** Frames of one direction, ready to be written. Each call takes the next frame number. */
export function createPacketWriter(frames: FrameEncoder) {
  return {
    connect: (id: bigint): Buffer => frames.encode(encode(tcpConnect, { id })),
    connected: (id: bigint): Buffer => frames.encode(encode(tcpConnected, { id })),
    ping: (id: bigint): Buffer => frames.encode(encode(tcpPing, { id })),
    pong: (id: bigint): Buffer => frames.encode(encode(tcpPong, { id })),
    queryError: (id: bigint, code: number, message: string): Buffer =>
      frames.encode(encode(tcpQueryError, { id, code, message })),
    packet: (data: Uint8Array): Buffer => dataFrame(frames, PACKET_ID, null, data),
    query: (id: bigint, data: Uint8Array): Buffer => dataFrame(frames, QUERY_ID, id, data),
    queryAnswer: (id: bigint, data: Uint8Array): Buffer => dataFrame(frames, QUERY_ANSWER_ID, id, data),
  }
}

export type PacketWriter = ReturnType<typeof createPacketWriter>

/** Header, constructor id, perhaps a query id, and TL bytes, written once into one buffer. */
function dataFrame(frames: FrameEncoder, constructorId: number, queryId: bigint | null, data: Uint8Array): Buffer {
  const long = data.length >= 254
  const fixed = 4 + (queryId === null ? 0 : 8)
  const unpadded = fixed + (long ? 4 : 1) + data.length
  const frame = frames.allocate((unpadded + 3) & ~3)
  let at = frame.writeUInt32LE(constructorId, FRAME_HEADER_BYTES)
  if (queryId !== null) at = frame.writeBigUInt64LE(BigInt.asUintN(64, queryId), at)
  if (long) {
    frame[at] = 254
    at = frame.writeUIntLE(data.length, at + 1, 3)
  } else frame[at++] = data.length
  frame.set(data, at)
  frame.fill(0, at + data.length)
  return frame
}
