/** Accepting connections: limits, proof of work, TLS, the peer's certificate, `tcp.connect`. */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import type tls from 'node:tls'
import {
  type Clock,
  type CocoonError,
  type Log,
  silentLog,
  systemClock,
  type Timer,
  toCocoonError,
} from '../util/index.ts'
import { runConnection } from './connection.ts'
import { connectionId } from './dial.ts'
import { transportError } from './errors.ts'
import {
  type ConnectionLimits,
  type ConnectionTimers,
  DEFAULT_LIMITS,
  DEFAULT_LISTEN_LIMITS,
  DEFAULT_TIMERS,
  type ListenLimits,
} from './limits.ts'
import { noTransportMetrics, type TransportMetrics } from './metrics.ts'
import {
  decodePowResponse,
  encodePowChallenge,
  POW_RESPONSE_BYTES,
  POW_SALT_BYTES,
  type PowChallenge,
  verifyPow,
} from './pow.ts'
import { readExactly } from './read-exactly.ts'
import { createTlsAcceptor, identifyPeer, remoteOf } from './tls.ts'
import type { Connection, ConnectionHandler, Peer, PeerVerifier, TlsIdentity } from './types.ts'

export interface ListenOptions {
  readonly host: string
  /** 0 takes a free one; `Listener.port` tells which. */
  readonly port: number
  readonly identity: TlsIdentity
  readonly verifier: PeerVerifier
  /** Called when a peer has greeted; what it throws closes that connection. */
  readonly onConnection: (connection: Connection) => ConnectionHandler
  readonly limits?: Partial<ListenLimits & ConnectionLimits>
  readonly timers?: Partial<ConnectionTimers>
  /** Select the ALPN protocol `cocoon-x1` when it is offered; on unless told otherwise. */
  readonly extended?: boolean
  readonly clock?: Clock
  readonly log?: Log
  readonly metrics?: TransportMetrics
  readonly randomBytes?: (count: number) => Uint8Array
}

export interface Listener {
  readonly port: number
  /** Those that are open. */
  readonly connections: ReadonlySet<Connection>
  /** Stops listening and closes every connection with `capacity.closing`. */
  close(): Promise<void>
}

/** A connection on its way: whoever ends it first, it leaves the table once. */
interface Pending {
  readonly remote: string
  /** The bare socket, later its TLS stream: the one that may be destroyed. */
  socket: net.Socket
  timer: Timer
  settled: boolean
  /** Fires when it leaves the table unopened. */
  readonly ended: AbortController
  refuse(why: CocoonError): void
  opened(): void
}

/** Rejects with the system's error when the port cannot be had. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const clock = options.clock ?? systemClock
  const log = options.log ?? silentLog
  const metrics = options.metrics ?? noTransportMetrics
  const random = options.randomBytes ?? randomBytes
  const limits = { ...DEFAULT_LISTEN_LIMITS, ...DEFAULT_LIMITS, ...options.limits }
  const timers = { ...DEFAULT_TIMERS, ...options.timers }
  const connections = new Set<Connection>()
  /** By `address:port`, which is how the TLS server's sockets are found again. */
  const pending = new Map<string, Pending>()
  const countByAddress = new Map<string, number>()
  let sockets = 0

  const acceptor = createTlsAcceptor(options.identity, options.extended ?? true, {
    secured(stream) {
      const entry = pending.get(remoteOf(stream))
      if (entry === undefined || stream.destroyed) stream.destroy()
      else judge(stream, entry)
    },
    failed(error, remote) {
      pending.get(remote)?.refuse(transportError('protocol.tls', { reason: error.message }, error))
    },
  })

  const server = net.createServer({ noDelay: true }, (socket) => {
    const remote = remoteOf(socket)
    const address = socket.remoteAddress ?? 'unknown'
    const fromAddress = countByAddress.get(address) ?? 0
    const limit = reachedLimit(fromAddress)
    if (limit !== null) {
      metrics.refused('acceptor', limit)
      log.warn('connection refused: too many', { remote, limit })
      socket.destroy()
      return
    }
    sockets++
    countByAddress.set(address, fromAddress + 1)
    const entry = enter(socket, remote)
    socket.once('close', () => {
      sockets--
      const left = (countByAddress.get(address) ?? 1) - 1
      if (left === 0) countByAddress.delete(address)
      else countByAddress.set(address, left)
      entry.refuse(transportError('protocol.lost'))
    })
    demandWork(entry).then(
      () => {
        entry.timer.cancel()
        if (entry.settled) return
        entry.timer = handshakeTimer(entry)
        acceptor.accept(socket)
      },
      (error: unknown) => entry.refuse(toCocoonError(error, 'protocol.lost')),
    )
  })

  function reachedLimit(fromAddress: number): string | null {
    if (pending.size >= limits.maxPending) return 'capacity.pending'
    if (sockets >= limits.maxConnections) return 'capacity.connections'
    if (fromAddress >= limits.maxPerAddress) return 'capacity.address'
    return null
  }

  function handshakeTimer(entry: Pending): Timer {
    const { handshakeTimeoutMs } = limits
    return clock.after(handshakeTimeoutMs, () =>
      entry.refuse(transportError('protocol.handshake-timeout', { timeoutMs: handshakeTimeoutMs })),
    )
  }

  function enter(socket: net.Socket, remote: string): Pending {
    const leave = (): boolean => {
      if (entry.settled) return false
      entry.settled = true
      entry.timer.cancel()
      pending.delete(remote)
      return true
    }
    const entry: Pending = {
      remote,
      socket,
      settled: false,
      ended: new AbortController(),
      timer: clock.after(limits.powTimeoutMs, () =>
        entry.refuse(transportError('protocol.handshake-timeout', { timeoutMs: limits.powTimeoutMs })),
      ),
      refuse(why) {
        if (!leave()) return
        entry.ended.abort(why)
        metrics.refused('acceptor', why.code)
        log.info('connection refused', { remote, code: why.code, reason: why.message })
        // In a turn of its own, as this may run from within OpenSSL's handshake call; see afterHandshakeCall.
        setImmediate(() => entry.socket.destroy())
      },
      opened: () => void leave(),
    }
    // Errors of the bare socket are told by the step that waits on it; this one keeps them from being unhandled.
    socket.on('error', () => {})
    pending.set(remote, entry)
    return entry
  }

  async function demandWork({ socket }: Pending): Promise<void> {
    const challenge: PowChallenge = { difficulty: limits.powDifficulty, salt: random(POW_SALT_BYTES) }
    socket.write(encodePowChallenge(challenge))
    verifyPow(challenge, decodePowResponse(await readExactly(socket, POW_RESPONSE_BYTES)))
  }

  function judge(stream: tls.TLSSocket, entry: Pending): void {
    entry.socket = stream
    const { remote, ended } = entry
    try {
      const peer = identifyPeer(stream, options.verifier, 'client', clock.now(), { remote, signal: ended.signal })
      if (!(peer instanceof Promise)) return greet(stream, entry, peer)
      peer.then(
        (known) => greet(stream, entry, known),
        (error: unknown) => entry.refuse(toCocoonError(error)),
      )
    } catch (error) {
      entry.refuse(toCocoonError(error))
    }
  }

  function greet(stream: tls.TLSSocket, entry: Pending, peer: Peer): void {
    // The time for the handshake may have run out, or the peer have gone, while it was judged.
    if (entry.settled || stream.destroyed) return
    try {
      let opened: Connection | null = null
      runConnection(
        stream,
        { side: 'acceptor', peer, id: connectionId(random), clock, log, metrics, timers, limits, randomBytes: random },
        {
          opened(connection) {
            entry.opened()
            opened = connection
            connections.add(connection)
            return options.onConnection(connection)
          },
          // When `onConnection` threw, the connection has left the table of those on their way already.
          failed: (why) => entry.refuse(why),
        },
      )
      stream.once('close', () => {
        if (opened !== null) connections.delete(opened)
      })
    } catch (error) {
      entry.refuse(toCocoonError(error))
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', reject)
      server.on('error', (error) => log.error('listener failed', { reason: error.message }))
      resolve()
    })
  })

  return {
    port: (server.address() as net.AddressInfo).port,
    connections,
    async close() {
      const why = transportError('capacity.closing')
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const entry of pending.values()) entry.refuse(why)
      for (const connection of connections) connection.close(why)
      await closed
    },
  }
}
