/** Times and sizes of connections, with their defaults and the reasons for them. */
import { DEFAULT_POW_DIFFICULTY } from './pow.ts'
import { MAX_FRAME_PAYLOAD_BYTES } from './frames.ts'

/** All in milliseconds. */
export interface ConnectionTimers {
  /** Initiator: closes after this long without a complete inbound frame. */
  readonly initiatorIdleMs: number
  /** Acceptor: the same; longer, because the initiator is the one who pings. */
  readonly acceptorIdleMs: number
  /** Initiator: pings once after this long without an inbound frame. */
  readonly pingAfterSilenceMs: number
  /** Initiator: pings at least this often whatever arrives: a peer that only receives must not be taken for dead. */
  readonly pingEveryMs: number
  /** What is queued at `close` has this long to leave. */
  readonly closeFlushMs: number
}

/** The protocol's timers; 20 s between own pings is a third of what acceptors allow. */
export const DEFAULT_TIMERS: ConnectionTimers = {
  initiatorIdleMs: 20_000,
  acceptorIdleMs: 60_000,
  pingAfterSilenceMs: 10_000,
  pingEveryMs: 20_000,
  closeFlushMs: 2_000,
}

export interface ConnectionLimits {
  /** Our queries that wait for an answer. Roles have a handful; more is a leak. */
  readonly maxOutstandingQueries: number
  /** The peer's queries that we have not answered; above it they are refused with 651. */
  readonly maxInboundQueries: number
  /** Above this many queued bytes a connection is `congested`, until half of it is left. */
  readonly highWaterBytes: number
  /** Above this many queued bytes the connection is closed: the peer does not read. */
  readonly maxQueuedBytes: number
  /** Largest frame payload that is accepted. */
  readonly maxInboundBytes: number
}

export const DEFAULT_LIMITS: ConnectionLimits = {
  maxOutstandingQueries: 1024,
  maxInboundQueries: 1024,
  highWaterBytes: 1024 * 1024,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxInboundBytes: MAX_FRAME_PAYLOAD_BYTES,
}

export interface ListenLimits {
  /** Zero bits that an opener must find. */
  readonly powDifficulty: number
  /** A slow machine needs 5 s for difficulty 20; the wait costs one idle socket. */
  readonly powTimeoutMs: number
  /** From proof of work to `tcp.connect`: TLS and one frame. */
  readonly handshakeTimeoutMs: number
  /** Connections that are not open yet; they are what strangers can make for free. */
  readonly maxPending: number
  /** Open and pending connections together. */
  readonly maxConnections: number
  /** Open and pending connections from one address. */
  readonly maxPerAddress: number
}

export const DEFAULT_LISTEN_LIMITS: ListenLimits = {
  powDifficulty: DEFAULT_POW_DIFFICULTY,
  powTimeoutMs: 30_000,
  handshakeTimeoutMs: 15_000,
  maxPending: 1024,
  maxConnections: 16_384,
  // Many clients can share an address (a router, a data centre), so no limit unless the operator sets one.
  maxPerAddress: Number.POSITIVE_INFINITY,
}
