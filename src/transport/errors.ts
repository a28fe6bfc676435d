/** What the transport can fail with, and how an error of ours is told to a peer (status codes of the wire). */
import { CocoonError, type ErrorCode } from '../util/index.ts'

/** Every code of this folder with the sentence that people read. */
export const TRANSPORT_ERRORS = {
  'attestation.certificate-missing': 'The peer sent no usable certificate; it must send one with an Ed25519 key.',
  'attestation.certificate-chain': 'The peer sent a chain; it must send exactly one self-signed certificate.',
  'capacity.closing': 'This node is shutting down.',
  'capacity.connections': 'This node has as many connections as it allows.',
  'capacity.renewing': 'The connection is made anew before the certificates of its ends expire.',
  'capacity.queries': 'Too many queries of this connection are unanswered; wait for an answer first.',
  'protocol.aborted': 'The connection attempt was called off.',
  'protocol.closed-early': 'The peer closed before it accepted the connection; it may not accept our certificate.',
  'protocol.connect-timeout': 'The connection was not established in time.',
  'protocol.frame-length': 'A frame must carry 4 to 16777216 bytes.',
  'protocol.frame-seqno': 'Frames must be numbered 0, 1, 2, … in each direction.',
  'protocol.handler': 'The session on this connection failed.',
  'protocol.handshake-timeout': 'The peer did not finish the handshake in time.',
  'protocol.idle': 'The peer sent no complete frame for too long.',
  'protocol.lost': 'The connection was lost.',
  'protocol.out-of-turn': 'The peer sent a packet that may not come now.',
  'protocol.packet': 'The peer sent a packet that does not decode.',
  'protocol.pow-difficulty': 'The peer asks for more proof of work than this node does; see maxPowDifficulty.',
  'protocol.pow-invalid': 'The proof of work does not have the demanded number of zero bits.',
  'protocol.pow-magic': 'What was received is not a proof-of-work message: the other end is no Cocoon node.',
  'protocol.query-timeout': 'The peer did not answer a query in time.',
  'protocol.refused': 'The peer answered a query with an error.',
  'protocol.resumed': 'The TLS session was resumed, which proves no possession of the key.',
  'protocol.slow-peer': 'The peer reads too slowly; what waits for it is above the limit.',
  'protocol.tls': 'The TLS handshake failed.',
  'protocol.unreachable': 'No TCP connection could be made; check the address and that the node runs.',
  'request.message-too-large': 'A message does not fit into one frame.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type TransportErrorCode = keyof typeof TRANSPORT_ERRORS

/** An error of this folder: its sentence, then the facts. */
export function transportError(
  code: TransportErrorCode,
  facts: Readonly<Record<string, string | number | bigint | boolean>> = {},
  cause?: unknown,
): CocoonError {
  const shown = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
  const message = shown.length === 0 ? TRANSPORT_ERRORS[code] : `${TRANSPORT_ERRORS[code]} (${shown.join(', ')})`
  return new CocoonError(code, { ...facts, message }, cause === undefined ? undefined : { cause })
}

/** Status codes of the wire. Source: the protocol's table of application errors. */
export const WIRE_STATUS = {
  none: 0,
  failure: 601,
  error: 602,
  protocolViolation: 621,
  notReady: 651,
  timeout: 652,
  cancelled: 653,
} as const

export interface WireError {
  readonly code: number
  readonly message: string
}

/** Longer sentences are cut: an error message must never fill a frame. In UTF-16 units. */
const MAX_WIRE_MESSAGE = 1024

/** What a peer is told about an error of ours. Bugs and foreign errors show nothing of their inside. */
export function wireError(error: unknown): WireError {
  if (!(error instanceof CocoonError) || error.family === 'bug')
    return { code: WIRE_STATUS.none, message: 'internal error' }
  return { code: statusOf(error), message: error.message.slice(0, MAX_WIRE_MESSAGE) }
}

function statusOf(error: CocoonError): number {
  switch (error.family) {
    case 'protocol':
    case 'tl':
    case 'request':
      return WIRE_STATUS.protocolViolation
    case 'capacity':
      return error.code === 'capacity.timeout' || error.code === 'capacity.deadline'
        ? WIRE_STATUS.timeout
        : WIRE_STATUS.notReady
    case 'payment':
      return WIRE_STATUS.error
    default:
      return WIRE_STATUS.failure
  }
}

/** A peer's `tcp.queryError` as an error of ours; `info.remoteCode` is its status code. */
export function refusedByPeer(remoteCode: number, message: string): CocoonError {
  return new CocoonError('protocol.refused', { remoteCode, message })
}
