/**
 * Connections between nodes: `dial` and `listen` do TCP, proof of work and TLS and hand out a `Connection` that carries
 * messages and queries. Whom to trust is the `PeerVerifier`'s word, what we show of ourselves the `TlsIdentity`'s; both
 * come from `tee` and neither is known here. Source: spec/transport.md.
 */
export { createAsker } from './asker.ts'
export { DEFAULT_DIAL_TIMEOUT_MS, type DialOptions, dial } from './dial.ts'
export {
  refusedByPeer,
  TRANSPORT_ERRORS,
  type TransportErrorCode,
  transportError,
  WIRE_STATUS,
  type WireError,
  wireError,
} from './errors.ts'
export { FrameDecoder, FrameEncoder, MAX_FRAME_PAYLOAD_BYTES } from './frames.ts'
export {
  type Backoff,
  DEFAULT_BACKOFF,
  type KeepConnectedOptions,
  type KeptConnection,
  keepConnected,
} from './keep-connected.ts'
export {
  type ConnectionLimits,
  type ConnectionTimers,
  DEFAULT_LIMITS,
  DEFAULT_LISTEN_LIMITS,
  DEFAULT_TIMERS,
  type ListenLimits,
} from './limits.ts'
export { type Listener, type ListenOptions, listen } from './listen.ts'
export { createTransportMetrics, noTransportMetrics, type TransportMetrics } from './metrics.ts'
export { DEFAULT_MAX_POW_DIFFICULTY, DEFAULT_POW_DIFFICULTY, MAX_POW_DIFFICULTY } from './pow.ts'
export { createPowSolver, type PowSolver } from './pow-solver.ts'
export { proofId } from './proof-id.ts'
export { type TargetStatus, targetStatus } from './target-status.ts'
export { keepTargets, type Link, type Target, type TargetAddress, type Targets } from './targets.ts'
export { EXTENDED_ALPN } from './tls.ts'
export type {
  ClaimsJudge,
  ClaimsVerdict,
  Connection,
  ConnectionHandler,
  EvidenceLabel,
  Peer,
  PeerVerdict,
  PeerVerifier,
  ProvenGpu,
  Reply,
  SignedClaims,
  Standing,
  TlsIdentity,
  VerdictRequest,
} from './types.ts'
