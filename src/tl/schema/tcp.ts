/** What a frame contains. Source: spec/tl-constructors.json, `tcp.*`. */
import { bytes, ctor, int, long, string, union, type ValueOf } from '../lang.ts'
import { MAX_ERROR_BYTES, MAX_PACKET_DATA_BYTES, MAX_QUERY_DATA_BYTES } from './limits.ts'

/** The dialling side's first frame, with an id of its choice. */
export const tcpConnect = ctor('tcp.connect', { id: long }, 'tcp.Packet')

/** The listening side's first frame, with the id of `tcp.connect`. */
export const tcpConnected = ctor('tcp.connected', { id: long }, 'tcp.Packet')

/** Asks for a `tcp.pong` with the same id. */
export const tcpPing = ctor('tcp.ping', { id: long }, 'tcp.Packet')
export const tcpPong = ctor('tcp.pong', { id: long }, 'tcp.Packet')

/** A one-way message: `data` is one boxed object. */
export const tcpPacket = ctor('tcp.packet', { data: bytes({ max: MAX_PACKET_DATA_BYTES }) }, 'tcp.Packet')

/** A question: exactly one answer or error with the same id follows. `data` is one boxed function. */
export const tcpQuery = ctor('tcp.query', { id: long, data: bytes({ max: MAX_QUERY_DATA_BYTES }) }, 'tcp.Packet')

/** The answer to the query of this id; `data` is one boxed object. */
export const tcpQueryAnswer = ctor(
  'tcp.queryAnswer',
  { id: long, data: bytes({ max: MAX_QUERY_DATA_BYTES }) },
  'tcp.Packet',
)

/** The refusal of the query of this id. */
export const tcpQueryError = ctor(
  'tcp.queryError',
  { id: long, code: int, message: string({ max: MAX_ERROR_BYTES }) },
  'tcp.Packet',
)

/** Everything that may be a frame's payload. */
export const tcpPackets = union('tcp.Packet', [
  tcpConnect,
  tcpConnected,
  tcpPing,
  tcpPong,
  tcpPacket,
  tcpQuery,
  tcpQueryAnswer,
  tcpQueryError,
])
export type TcpPacket = ValueOf<typeof tcpPackets>
