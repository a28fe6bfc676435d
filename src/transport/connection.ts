/**
 * A connection: frames and packets over any duplex stream, with timers, queries and back-pressure. The rules of packets
 * are in packets.ts, those of queries in queries.ts; here are the stream, the clock and the session.
 */
import type { Duplex } from 'node:stream'
import { type Clock, type CocoonError, type Log, type Timer, toCocoonError } from '../util/index.ts'
import { Batch } from './batch.ts'
import { transportError, WIRE_STATUS } from './errors.ts'
import { FrameDecoder, FrameEncoder } from './frames.ts'
import type { ConnectionLimits, ConnectionTimers } from './limits.ts'
import type { Side, TransportMetrics } from './metrics.ts'
import { createPacketWriter, type PacketWriter, type Phase, receivePacket } from './packets.ts'
import { InboundQueries, OutstandingQueries } from './queries.ts'
import type { Connection, ConnectionHandler, Peer, SignedClaims } from './types.ts'

export interface ConnectionOptions {
  readonly side: Side
  readonly peer: Peer
  readonly ownClaims?: SignedClaims | null
  readonly id: number
  readonly clock: Clock
  readonly log: Log
  readonly metrics: TransportMetrics
  readonly timers: ConnectionTimers
  readonly limits: ConnectionLimits
  /** For packet and query ids: unique, not secret. */
  readonly randomBytes: (count: number) => Uint8Array
}

/** What becomes of the greeting: exactly one of the two is called. */
export interface Greeting {
  /** `tcp.connect`/`tcp.connected` are exchanged; returns the session. */
  opened(connection: Connection): ConnectionHandler
  /** The stream ended or the peer broke the rules before that. */
  failed(why: CocoonError): void
}

/** Takes over an authenticated stream. `abandon` ends it as long as it has not opened. */
export function runConnection(
  stream: Duplex,
  options: ConnectionOptions,
  greeting: Greeting,
): { readonly abandon: (why: CocoonError) => void } {
  const connection = new FramedConnection(stream, options, greeting)
  return { abandon: (why) => connection.end(why, false) }
}

class FramedConnection implements Connection {
  readonly id: number
  readonly peer: Peer
  readonly ownClaims: SignedClaims | null
  readonly #stream: Duplex
  readonly #options: ConnectionOptions
  readonly #greeting: Greeting
  readonly #decoder: FrameDecoder
  readonly #write: PacketWriter
  readonly #outstanding: OutstandingQueries
  readonly #inbound: InboundQueries

  #phase: Phase
  #handler: ConnectionHandler | null = null
  /** Why it ended; null while it lives. */
  #ended: CocoonError | null = null

  /** Frames of this turn of the event loop: they leave together once every socket that had something to say was read. */
  readonly #batch = new Batch()
  #flushing = false
  /** Waits for the next flush. */
  #afterFlush: (() => void)[] = []
  #congested = false

  #lastInboundMs: number
  #lastPingMs: number
  /** A ping is out and nothing has come since. */
  #pinged = false
  #timer: Timer | null = null
  /** Stops waiting for the end of the verdict on the peer. */
  readonly #unwatch: (() => void) | undefined

  constructor(stream: Duplex, options: ConnectionOptions, greeting: Greeting) {
    this.id = options.id
    this.peer = options.peer
    this.ownClaims = options.ownClaims ?? null
    this.#stream = stream
    this.#options = options
    this.#greeting = greeting
    this.#decoder = new FrameDecoder(options.limits.maxInboundBytes)
    this.#write = createPacketWriter(new FrameEncoder(this.#batch.room))
    this.#outstanding = new OutstandingQueries(options.clock, options.limits.maxOutstandingQueries)
    this.#inbound = new InboundQueries(options.limits.maxInboundQueries, {
      answer: (id, data) => this.#enqueue(this.#write.queryAnswer(id, data)),
      error: (id, code, message) => this.#refuse(id, code, message),
    })
    this.#lastInboundMs = this.#lastPingMs = options.clock.now()
    this.#phase = options.side === 'initiator' ? 'awaiting-connected' : 'awaiting-connect'

    stream.on('error', (error) => this.end(transportError('protocol.lost', {}, error), false))
    stream.on('end', () => this.end(transportError('protocol.lost'), true))
    stream.on('close', () => this.#closed())
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    if (options.side === 'initiator') this.#enqueue(this.#write.connect(this.#randomId()))
    this.#arm()
    this.#unwatch = options.peer.standing?.onLost((why) => this.end(why, true))
  }

  get open(): boolean {
    return this.#phase === 'connected' && this.#ended === null
  }

  get congested(): boolean {
    return this.#congested
  }

  send(message: Uint8Array): void {
    if (this.open) this.#enqueue(this.#write.packet(message))
  }

  afterSending(then: () => void): void {
    if (this.#flushing && this.#ended === null) this.#afterFlush.push(then)
    else then()
  }

  query(message: Uint8Array, { timeoutMs }: { readonly timeoutMs: number }): Promise<Uint8Array> {
    if (this.#ended !== null) return Promise.reject(this.#ended)
    const asked = this.#outstanding.ask(() => this.#randomId(), timeoutMs)
    if (asked.id !== null) {
      try {
        this.#enqueue(this.#write.query(asked.id, message))
      } catch (error) {
        this.#outstanding.refuse(asked.id, toCocoonError(error))
      }
    }
    return asked.answer
  }

  close(why: CocoonError): void {
    this.end(why, true)
  }

  /** Ends the connection once; `flush` lets what is queued leave first. The session hears of it after this call. */
  end(why: CocoonError, flush: boolean): void {
    if (this.#ended !== null) return
    const wasOpen = this.open
    this.#ended = why
    this.#unwatch?.()
    this.#timer?.cancel()
    this.#timer = null
    const { side, metrics, log, clock, timers } = this.#options
    log.debug('connection ended', {
      connection: this.id,
      remote: this.peer.remote,
      code: why.code,
      reason: why.message,
    })
    if (flush && !this.#stream.destroyed) {
      this.#flush()
      this.#stream.end()
      this.#timer = clock.after(timers.closeFlushMs, () => this.#stream.destroy())
    } else {
      this.#batch.clear()
      this.#stream.destroy()
    }
    if (wasOpen) metrics.closed(side, why.code)
    this.#outstanding.refuseAll(why)
    this.#inbound.forget()
    for (const then of this.#afterFlush.splice(0)) queueMicrotask(then)
    // Not at once: `close` is often called from within the session's own callbacks.
    const handler = this.#handler
    this.#handler = null
    if (handler !== null) queueMicrotask(() => handler.closed(why))
    else if (!wasOpen) queueMicrotask(() => this.#greeting.failed(why))
  }

  #closed(): void {
    this.end(transportError('protocol.lost'), false)
    this.#timer?.cancel()
    this.#timer = null
  }

  #receive(chunk: Buffer): void {
    if (this.#ended !== null) return
    let frames = 0
    try {
      this.#decoder.push(chunk, (payload) => {
        if (this.#ended !== null) return
        frames++
        this.#lastInboundMs = this.#options.clock.now()
        this.#pinged = false
        this.#handle(payload)
      })
    } catch (error) {
      // A broken rule of the wire, or whatever the session threw: both end the connection with that error.
      this.end(toCocoonError(error), true)
    }
    this.#options.metrics.received(frames, chunk.length)
  }

  #handle(payload: Buffer): void {
    const received = receivePacket(this.#phase, payload)
    switch (received.is) {
      case 'message':
        if (this.#handler?.message(received.data) === 'ignored') this.#options.metrics.ignored(this.#options.side)
        return
      case 'query': {
        const reply = this.#inbound.take(received.id)
        if (reply === 'too-many') return this.#refuse(received.id, WIRE_STATUS.notReady, 'too many unanswered queries')
        if (reply !== 'duplicate') this.#handler?.query(received.data, reply)
        return
      }
      case 'answer':
        // Copied, because the asker reads it after this call.
        return this.#outstanding.answer(received.id, () => Uint8Array.from(received.data))
      case 'refusal':
        return this.#outstanding.refuseByPeer(received.id, received.code, received.message)
      case 'ping':
        return this.#enqueue(this.#write.pong(received.id))
      case 'connect':
        this.#enqueue(this.#write.connected(received.id))
        return this.#opened()
      case 'connected':
        return this.#opened()
      case 'nothing':
        return
    }
  }

  #refuse(id: bigint, code: number, message: string): void {
    this.#options.metrics.queryRefused(this.#options.side, code)
    this.#enqueue(this.#write.queryError(id, code, message))
  }

  #opened(): void {
    this.#phase = 'connected'
    // From here on pings are due, earlier than what the timer sleeps for.
    this.#timer?.cancel()
    this.#arm()
    this.#options.metrics.opened(this.#options.side)
    let handler: ConnectionHandler
    try {
      handler = this.#greeting.opened(this)
    } catch (error) {
      const why = toCocoonError(error)
      this.end(why, true)
      queueMicrotask(() => this.#greeting.failed(why))
      return
    }
    // The session may have closed the connection already: then it hears of that, and of nothing else.
    if (this.#ended === null) this.#handler = handler
    else {
      const why: CocoonError = this.#ended
      queueMicrotask(() => handler.closed(why))
    }
  }

  /** @param _frame lies in the batch already */
  #enqueue(_frame: Buffer): void {
    if (this.#ended !== null) return this.#batch.clear()
    if (!this.#flushing) {
      this.#flushing = true
      setImmediate(this.#flush)
    }
    const queued = this.#queuedBytes()
    if (queued > this.#options.limits.highWaterBytes) this.#congested = true
    if (queued > this.#options.limits.maxQueuedBytes)
      this.end(transportError('protocol.slow-peer', { queuedBytes: queued }), false)
  }

  #queuedBytes(): number {
    return this.#batch.bytes + this.#stream.writableLength
  }

  readonly #flush = (): void => {
    this.#flushing = false
    const { frames, bytes } = this.#batch
    if (frames > 0) {
      this.#options.metrics.sent(frames, bytes)
      this.#stream.write(this.#batch.take(), this.#written)
    }
    if (this.#afterFlush.length > 0) for (const then of this.#afterFlush.splice(0)) then()
  }

  /** One chunk has left: perhaps the session may go on producing. */
  readonly #written = (): void => {
    if (!this.#congested || this.#queuedBytes() * 2 > this.#options.limits.highWaterBytes) return
    this.#congested = false
    if (this.#ended !== null) return
    try {
      this.#handler?.drained?.()
    } catch (error) {
      this.end(toCocoonError(error), true)
    }
  }

  /** One timer for all rules: it sleeps until the earliest could apply and looks again. */
  #arm(): void {
    const { clock } = this.#options
    this.#timer = clock.after(Math.max(1, this.#nextDueMs() - clock.now()), () => this.#onTimer())
  }

  #nextDueMs(): number {
    const { side, timers } = this.#options
    if (side === 'acceptor') return this.#lastInboundMs + timers.acceptorIdleMs
    const closeAt = this.#lastInboundMs + timers.initiatorIdleMs
    if (!this.open) return closeAt
    const silence = this.#pinged ? Number.POSITIVE_INFINITY : this.#lastInboundMs + timers.pingAfterSilenceMs
    return Math.min(closeAt, silence, this.#lastPingMs + timers.pingEveryMs)
  }

  #onTimer(): void {
    const { side, timers, clock } = this.#options
    const nowMs = clock.now()
    const silentMs = nowMs - this.#lastInboundMs
    const idleMs = side === 'initiator' ? timers.initiatorIdleMs : timers.acceptorIdleMs
    if (silentMs >= idleMs) return this.end(transportError('protocol.idle', { silentMs, allowedMs: idleMs }), false)
    if (nowMs >= this.#nextDueMs()) {
      this.#lastPingMs = nowMs
      this.#pinged = true
      this.#enqueue(this.#write.ping(this.#randomId()))
    }
    if (this.#ended === null) this.#arm()
  }

  #randomId(): bigint {
    return Buffer.from(this.#options.randomBytes(8)).readBigInt64LE(0)
  }
}
