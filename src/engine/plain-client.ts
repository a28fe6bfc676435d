/**
 * Our own HTTP/1.1 client for engines without TLS, the usual case: beside the worker, on loopback. One read of the socket
 * becomes one piece of body, however many chunks the engine cut it into, in memory that is used again. See
 * docs/decisions/0014-engine-http.md.
 */
import net from 'node:net'
import type { Clock, Timer } from '../util/index.ts'
import { engineError, toEngineError } from './errors.ts'
import type { AnswerHandler, Exchange, HttpClient, HttpClientSettings, HttpRequest } from './http-client.ts'
import { type ParsedHead, parseHead, type ResponseEvents, ResponseReader } from './response-reader.ts'

/** What one read takes at most; as much as Node allocates for each read by itself. */
const READ_BYTES = 64 * 1024
/** Engines close idle connections after 5 s (Node, uvicorn) or more. */
const MAX_IDLE_MS = 4_000
/** A head and body up to this leave in one copy; above, copying costs more than a second buffer. */
const MAX_COPIED_BODY_BYTES = 256 * 1024
const KEEP_ALIVE_PROBE_MS = 60_000

/** @param origin an `http:` url, of which host and port count */
export function createPlainClient(origin: URL, clock: Clock, settings: HttpClientSettings): HttpClient {
  const host = origin.hostname.replace(/^\[|\]$/g, '')
  const port = origin.port === '' ? 80 : Number(origin.port)
  const { maxConnections, connectTimeoutMs } = settings
  const parse = rememberLast(parseHead)
  const connections = new Set<Connection>()
  /** The last used is used next, so that the others grow old and close. */
  const idle: Connection[] = []
  const waiting = new Set<Sending>()
  let sweep: Timer | undefined
  let closed = false

  function dispatch(sending: Sending, mayReuse = true): void {
    const kept = mayReuse ? takeIdle() : undefined
    if (kept !== undefined) kept.run(sending)
    else if (connections.size < maxConnections) connect().run(sending)
    else waiting.add(sending)
  }

  function takeIdle(): Connection | undefined {
    for (let kept = idle.pop(); kept !== undefined; kept = idle.pop()) {
      if (clock.now() - kept.idleSinceMs < MAX_IDLE_MS) return kept
      kept.destroy()
    }
    return undefined
  }

  function connect(): Connection {
    const connection = new Connection(
      { host, port, clock, connectTimeoutMs, parse },
      {
        free(reusable) {
          if (!reusable || closed) return connection.destroy()
          const next = takeWaiting()
          if (next !== undefined) return connection.run(next)
          connection.idleSinceMs = clock.now()
          idle.push(connection)
          sweep ??= clock.after(MAX_IDLE_MS, closeOld)
        },
        stale: (sending) => dispatch(sending, false),
        gone() {
          connections.delete(connection)
          const at = idle.indexOf(connection)
          if (at >= 0) idle.splice(at, 1)
          const next = closed ? undefined : takeWaiting()
          if (next !== undefined) dispatch(next)
        },
      },
    )
    connections.add(connection)
    return connection
  }

  function takeWaiting(): Sending | undefined {
    for (const next of waiting) {
      waiting.delete(next)
      return next
    }
    return undefined
  }

  function closeOld(): void {
    sweep = undefined
    const nowMs = clock.now()
    while (idle[0] !== undefined && nowMs - idle[0].idleSinceMs >= MAX_IDLE_MS) idle[0].destroy()
    if (idle[0] !== undefined) sweep = clock.after(MAX_IDLE_MS - (nowMs - idle[0].idleSinceMs), closeOld)
  }

  return {
    send(request, handler) {
      let sending: Sending
      try {
        sending = new Sending(request, encodeRequestHead(request, origin.host), handler)
      } catch (error) {
        queueMicrotask(() => handler.fail(toEngineError(error)))
        return NOTHING_RUNS
      }
      if (closed) queueMicrotask(() => sending.fail(engineError('engine.aborted')))
      else dispatch(sending)
      return {
        pause: () => sending.connection?.pause(),
        resume: () => sending.connection?.resume(),
        abort() {
          sending.over = true
          waiting.delete(sending)
          sending.connection?.destroy()
        },
      }
    },
    async close() {
      closed = true
      sweep?.cancel()
      const why = engineError('engine.aborted')
      for (const connection of connections) connection.lose(why)
      for (const sending of waiting) sending.fail(why)
      waiting.clear()
    },
  }
}

const NOTHING_RUNS: Exchange = { pause() {}, resume() {}, abort() {} }

/** One request on its way, and whoever waits for its answer. */
class Sending implements ResponseEvents {
  readonly request: HttpRequest
  readonly encodedHead: string
  readonly #handler: AnswerHandler
  connection: Connection | undefined
  /** Went out again after a kept connection had turned out closed. */
  again = false
  /** The handler has heard the last, or wants to hear no more. */
  over = false

  constructor(request: HttpRequest, encodedHead: string, handler: AnswerHandler) {
    this.request = request
    this.encodedHead = encodedHead
    this.#handler = handler
  }

  head(head: ParsedHead): void {
    if (!this.over) this.#handler.head(head)
  }

  body(bytes: Buffer): void {
    if (!this.over) this.#handler.body(bytes)
  }

  end(reusable: boolean): void {
    const { connection } = this
    this.connection = undefined
    // First, so that a request that the end leads to finds it free.
    connection?.answered(reusable)
    if (this.over) return
    this.over = true
    this.#handler.end()
  }

  fail(why: Error): void {
    this.connection = undefined
    if (this.over) return
    this.over = true
    this.#handler.fail(toEngineError(why))
  }
}

interface ConnectionSettings {
  readonly host: string
  readonly port: number
  readonly clock: Clock
  readonly connectTimeoutMs: number
  readonly parse: (text: string) => ParsedHead
}

interface ConnectionEvents {
  free(reusable: boolean): void
  /** A kept connection had ended before it was used again. */
  stale(sending: Sending): void
  gone(): void
}

/** One socket, with one request at a time. */
class Connection {
  idleSinceMs = 0
  readonly #socket: net.Socket
  readonly #events: ConnectionEvents
  readonly #reader: ResponseReader
  readonly #connectTimer: Timer
  #sending: Sending | undefined
  #answers = 0
  /** Whether anything of the present answer has come. */
  #begun = false
  #gone = false

  constructor(settings: ConnectionSettings, events: ConnectionEvents) {
    const { host, port, clock, connectTimeoutMs } = settings
    this.#events = events
    this.#reader = new ResponseReader(settings.parse)
    const socket = net.connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (size, bytes) => this.#receive(size, bytes as Buffer),
      },
    })
    this.#socket = socket
    this.#connectTimer = clock.after(connectTimeoutMs, () =>
      this.lose(engineError('engine.unreachable', { reason: 'no connection in time' })),
    )
    socket.once('connect', () => this.#connectTimer.cancel())
    socket.on('error', (error) => this.lose(error))
    socket.on('end', () => this.#ended())
    socket.on('close', () => this.#ended())
    // Without a reader of its own stream the end would not be told.
    socket.resume()
  }

  run(sending: Sending): void {
    this.#sending = sending
    this.#begun = false
    sending.connection = this
    this.#reader.begin(sending)
    this.#write(sending)
  }

  #write({ encodedHead, request: { body } }: Sending): void {
    if (body.length > MAX_COPIED_BODY_BYTES) {
      this.#socket.cork()
      this.#socket.write(encodedHead, 'latin1')
      this.#socket.write(body)
      this.#socket.uncork()
      return
    }
    const bytes = Buffer.allocUnsafe(encodedHead.length + body.length)
    bytes.write(encodedHead, 0, 'latin1')
    bytes.set(body, encodedHead.length)
    this.#socket.write(bytes)
  }

  #receive(size: number, buffer: Buffer): boolean {
    if (this.#gone) return false
    this.#begun = true
    try {
      this.#reader.push(size === buffer.length ? buffer : buffer.subarray(0, size))
    } catch (error) {
      this.lose(error as Error)
    }
    return true
  }

  /** Called by the request whose answer is complete. */
  answered(reusable: boolean): void {
    this.#sending = undefined
    this.#answers++
    // A reader that stopped must start again before the connection serves anybody else.
    this.resume()
    this.#events.free(reusable && this.#socket.writableLength === 0)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume()
  }

  #ended(): void {
    if (this.#gone) return
    try {
      this.#reader.close()
    } catch (error) {
      return this.lose(error as Error)
    }
    this.destroy()
  }

  lose(why: Error): void {
    if (this.#gone) return
    const sending = this.#sending
    const stale = this.#answers > 0 && !this.#begun && sending?.again === false && !sending.over
    this.#sending = undefined
    this.destroy()
    if (sending === undefined) return
    sending.connection = undefined
    if (!stale) return sending.fail(why)
    sending.again = true
    this.#events.stale(sending)
  }

  /** Whoever waits for an answer hears nothing more. */
  destroy(): void {
    if (this.#gone) return
    this.#gone = true
    this.#connectTimer.cancel()
    this.#reader.stop()
    this.#socket.destroy()
    this.#events.gone()
  }
}

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const PATH = /^\/[\x21-\x7e]*$/
const METHOD = /^(?:GET|POST)$/

/** Everything before the body. Throws `engine.bad-request`. */
function encodeRequestHead({ method, path, headers, body }: HttpRequest, host: string): string {
  if (!METHOD.test(method) || !PATH.test(path)) throw engineError('engine.bad-request')
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name, value] = [headers[i] as string, headers[i + 1] as string]
    if (!NAME.test(name) || !VALUE.test(value)) throw engineError('engine.bad-request', { header: i / 2 })
    text += `${name}: ${value}\r\n`
  }
  if (method === 'POST') text += `content-length: ${body.length}\r\n`
  return `${text}\r\n`
}

/** Heads repeat: an engine's differ only by their date, once a second. */
function rememberLast(parse: (text: string) => ParsedHead): (text: string) => ParsedHead {
  let last: string | undefined
  let parsed: ParsedHead | undefined
  return (text) => {
    if (text === last && parsed !== undefined) return parsed
    parsed = parse(text)
    last = text
    return parsed
  }
}
