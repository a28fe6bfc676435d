/** Opening a connection: TCP, proof of work, TLS, the peer's certificate, `tcp.connect`/`tcp.connected`. */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import type tls from 'node:tls'
import { type Clock, CocoonError, type Log, silentLog, systemClock, toCocoonError } from '../util/index.ts'
import { runConnection } from './connection.ts'
import { transportError } from './errors.ts'
import { type ConnectionLimits, type ConnectionTimers, DEFAULT_LIMITS, DEFAULT_TIMERS } from './limits.ts'
import { noTransportMetrics, type TransportMetrics } from './metrics.ts'
import { DEFAULT_MAX_POW_DIFFICULTY, decodePowChallenge, encodePowResponse, POW_CHALLENGE_BYTES } from './pow.ts'
import { createPowSolver, type PowSolver } from './pow-solver.ts'
import { readExactly } from './read-exactly.ts'
import { afterHandshakeCall, connectTls, identifyPeer, remoteOf } from './tls.ts'
import type { Connection, ConnectionHandler, Peer, PeerVerifier, SignedClaims, TlsIdentity } from './types.ts'

/** TCP, up to some seconds of proof of work on a slow machine, and TLS. A higher `maxPowDifficulty` needs more. */
export const DEFAULT_DIAL_TIMEOUT_MS = 60_000

export interface DialOptions {
  readonly host: string
  readonly port: number
  readonly identity: TlsIdentity
  readonly verifier: PeerVerifier
  /** Above it the challenge is refused. */
  readonly maxPowDifficulty?: number
  /** For everything until the connection is open. */
  readonly timeoutMs?: number
  /** Ends the attempt; an open connection is not touched by it. */
  readonly signal?: AbortSignal
  /** Offer the ALPN protocol `cocoon-x1`; on unless the peer must see what the reference sends. */
  readonly extended?: boolean
  /** Shared by everybody who dials; without one a solver is made for this attempt. */
  readonly solver?: PowSolver
  readonly clock?: Clock
  readonly log?: Log
  readonly metrics?: TransportMetrics
  readonly randomBytes?: (count: number) => Uint8Array
  readonly timers?: Partial<ConnectionTimers>
  readonly limits?: Partial<ConnectionLimits>
}

/**
 * Resolves when `tcp.connected` has come: only then is it known that the peer took our certificate. `createHandler` is
 * called before that, in the same turn, so the session misses no message. Rejects with `protocol.*` or `attestation.*`.
 */
export async function dial(
  options: DialOptions,
  createHandler: (connection: Connection) => ConnectionHandler,
): Promise<Connection> {
  const { clock = systemClock, metrics = noTransportMetrics, timeoutMs = DEFAULT_DIAL_TIMEOUT_MS, signal } = options
  const attempt = new AbortController()
  const onAbort = (): void => attempt.abort(abortReason(signal))
  const deadline = clock.after(timeoutMs, () =>
    attempt.abort(transportError('protocol.connect-timeout', { timeoutMs })),
  )
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  const solver = options.solver ?? createPowSolver()
  try {
    const stream = await secure(options, solver, attempt.signal)
    return await greet(stream, options, attempt.signal, createHandler)
  } catch (error) {
    const why = attempt.signal.aborted ? abortReason(attempt.signal) : toCocoonError(error, 'protocol.lost')
    metrics.refused('initiator', why.code)
    throw why
  } finally {
    deadline.cancel()
    signal?.removeEventListener('abort', onAbort)
    if (options.solver === undefined) solver.close()
  }
}

/** The TLS stream of a peer whose certificate has been judged; destroys the socket when anything fails. */
async function secure(options: DialOptions, solver: PowSolver, signal: AbortSignal): Promise<Secured> {
  signal.throwIfAborted()
  const { host, port, maxPowDifficulty = DEFAULT_MAX_POW_DIFFICULTY, clock = systemClock } = options
  const raw = net.connect({ host, port, noDelay: true })
  /** The bare socket, later its TLS stream: the one that may be destroyed. */
  let socket: net.Socket = raw
  const onAbort = (): void => void socket.destroy(abortReason(signal))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await connected(raw, host, port)
    const challenge = decodePowChallenge(await readExactly(raw, POW_CHALLENGE_BYTES), maxPowDifficulty)
    // The peer may give up while we compute: then nobody needs the nonce.
    const nonce = await unlessClosed(raw, (closed) => solver.solve(challenge, AbortSignal.any([signal, closed])))
    raw.write(encodePowResponse(nonce))
    const remote = remoteOf(raw)
    // Taken once: what is claimed later must be of the key that this handshake shows.
    const own = options.identity.current()
    const stream = connectTls(raw, { current: () => own }, options.extended ?? true)
    socket = stream
    await secured(stream)
    const peer = await unlessClosed(stream, async (closed) =>
      identifyPeer(stream, options.verifier, 'server', clock.now(), {
        remote,
        signal: AbortSignal.any([signal, closed]),
      }),
    )
    return { stream, peer, ownClaims: own.claims ?? null }
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

interface Secured {
  readonly stream: tls.TLSSocket
  readonly peer: Peer
  readonly ownClaims: SignedClaims | null
}

function connected(raw: net.Socket, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    raw.once('connect', () => {
      raw.off('error', onError)
      // Later steps report errors themselves; between two of them one must not be unhandled.
      raw.on('error', () => {})
      resolve()
    })
    const onError = (error: Error): void =>
      reject(
        error instanceof CocoonError
          ? error
          : transportError('protocol.unreachable', { host, port, reason: error.message }, error),
      )
    raw.once('error', onError)
  })
}

/** Runs `work` with a signal that fires when the socket ends, and ends with it. */
async function unlessClosed<T>(raw: net.Socket, work: (closed: AbortSignal) => Promise<T>): Promise<T> {
  const closed = new AbortController()
  const gone = new Promise<never>((_, reject) => {
    closed.signal.addEventListener('abort', () => reject(transportError('protocol.lost')), { once: true })
  })
  const onClose = (): void => closed.abort(transportError('protocol.lost'))
  raw.once('close', onClose).once('end', onClose)
  try {
    if (raw.destroyed) onClose()
    return await Promise.race([gone, work(closed.signal)])
  } finally {
    raw.off('close', onClose).off('end', onClose)
  }
}

function secured(stream: tls.TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('secureConnect', () =>
      afterHandshakeCall(stream, () => {
        stream.off('error', onError).off('close', onClose)
        if (stream.destroyed) onClose()
        else resolve()
      }),
    )
    const onError = (error: Error): void => {
      afterHandshakeCall(stream, () => reject(transportError('protocol.tls', { reason: error.message }, error)))
    }
    const onClose = (): void => reject(transportError('protocol.tls', { reason: 'closed by the peer' }))
    stream.on('error', onError).on('close', onClose)
  })
}

function greet(
  { stream, peer, ownClaims }: Secured,
  options: DialOptions,
  signal: AbortSignal,
  createHandler: (connection: Connection) => ConnectionHandler,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const random = options.randomBytes ?? randomBytes
    const onAbort = (): void => running.abandon(abortReason(signal))
    const running = runConnection(
      stream,
      {
        side: 'initiator',
        peer,
        ownClaims,
        id: connectionId(random),
        clock: options.clock ?? systemClock,
        log: options.log ?? silentLog,
        metrics: options.metrics ?? noTransportMetrics,
        timers: { ...DEFAULT_TIMERS, ...options.timers },
        limits: { ...DEFAULT_LIMITS, ...options.limits },
        randomBytes: random,
      },
      {
        opened(connection) {
          signal.removeEventListener('abort', onAbort)
          const handler = createHandler(connection)
          resolve(connection)
          return handler
        },
        failed(why) {
          signal.removeEventListener('abort', onAbort)
          reject(
            why.code === 'protocol.lost' ? transportError('protocol.closed-early', { remote: peer.remote }, why) : why,
          )
        },
      },
    )
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

/** Random, so that no counter has to be shared; 48 bits stay exact in a number. */
export const connectionId = (random: (count: number) => Uint8Array): number => Buffer.from(random(6)).readUIntBE(0, 6)

function abortReason(signal: AbortSignal | undefined): CocoonError {
  const reason: unknown = signal?.reason
  return reason instanceof CocoonError ? reason : transportError('protocol.aborted', {}, reason)
}
