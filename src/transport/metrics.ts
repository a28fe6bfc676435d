/** What the transport counts. Made once per process from the program's `Metrics` and passed to every dial and listener. */
import { type Labels, type Metrics, noMetrics } from '../util/index.ts'

export type Side = 'initiator' | 'acceptor'

export interface TransportMetrics {
  /** A connection passed `tcp.connect`/`tcp.connected`. */
  opened(side: Side): void
  /** A connection ended before that; `reason` is an error code. */
  refused(side: Side, reason: string): void
  /** An open connection ended; `reason` is an error code. */
  closed(side: Side, reason: string): void
  /** A peer's query was answered with an error; `code` is the wire's. */
  queryRefused(side: Side, code: number): void
  /** A peer's message meant nothing to the session. */
  ignored(side: Side): void
  received(frames: number, bytes: number): void
  sent(frames: number, bytes: number): void
}

const SIDE: Readonly<Record<Side, Labels>> = { initiator: { side: 'initiator' }, acceptor: { side: 'acceptor' } }
const IN: Labels = { direction: 'in' }
const OUT: Labels = { direction: 'out' }

export function createTransportMetrics(metrics: Metrics): TransportMetrics {
  const opened = metrics.counter('connections_opened_total', 'Connections that completed the handshake', ['side'])
  const refused = metrics.counter('connections_refused_total', 'Connections that ended before they were open', [
    'side',
    'reason',
  ])
  const closed = metrics.counter('connections_closed_total', 'Open connections that ended', ['side', 'reason'])
  const queries = metrics.counter('queries_refused_total', 'Queries answered with an error, by its code', [
    'side',
    'code',
  ])
  const ignored = metrics.counter('messages_ignored_total', 'Messages of an unknown kind or out of turn', ['side'])
  const frames = metrics.counter('frames_total', 'Frames on open connections', ['direction'])
  const bytes = metrics.counter('frame_bytes_total', 'Bytes of frames, headers included, before TLS', ['direction'])
  return {
    opened: (side) => opened.add(1, SIDE[side]),
    refused: (side, reason) => refused.add(1, { side, reason }),
    closed: (side, reason) => closed.add(1, { side, reason }),
    queryRefused: (side, code) => queries.add(1, { side, code: String(code) }),
    ignored: (side) => ignored.add(1, SIDE[side]),
    received(count, size) {
      if (count > 0) frames.add(count, IN)
      bytes.add(size, IN)
    },
    sent(count, size) {
      frames.add(count, OUT)
      bytes.add(size, OUT)
    },
  }
}

/** Counts nothing. */
export const noTransportMetrics: TransportMetrics = createTransportMetrics(noMetrics)
