/** The engine's HTTP through undici: for TLS, with everything that belongs to it. */
import { type Dispatcher, Pool } from 'undici'
import { engineError, toEngineError } from './errors.ts'
import {
  type AnswerHandler,
  type Exchange,
  type HttpClient,
  type HttpClientSettings,
  type HttpRequest,
  MAX_HEAD_BYTES,
} from './http-client.ts'

export function createUndiciClient(origin: URL, settings: HttpClientSettings): HttpClient {
  const pool = new Pool(origin.origin, { ...undiciSettings(settings), connections: settings.maxConnections })
  return {
    send: (request, handler) => startExchange(pool, request, handler),
    close: () => pool.destroy(engineError('engine.aborted')),
  }
}

export const undiciSettings = ({ connectTimeoutMs }: Pick<HttpClientSettings, 'connectTimeoutMs'>) => ({
  connectTimeout: connectTimeoutMs,
  // Time is the caller's: one clock for a whole call, which undici's two per-phase timers cannot express.
  headersTimeout: 0,
  bodyTimeout: 0,
  maxHeaderSize: MAX_HEAD_BYTES,
  pipelining: 1,
  allowH2: false,
})

function startExchange(pool: Pool, request: HttpRequest, handler: AnswerHandler): Exchange {
  let controller: Dispatcher.DispatchController | undefined
  let hasHead = false
  let attempts = 0
  let over = false
  let paused = false
  /** Chunks of this turn. The parser hears of a pause with its next chunk, which is kept here until `resume`. */
  let fresh: Buffer[] = []

  function flush(): void {
    if (over || fresh.length === 0) return
    const bytes = fresh.length === 1 ? (fresh[0] as Buffer) : Buffer.concat(fresh)
    fresh = []
    handler.body(bytes)
  }
  const endTurn = (): void => {
    if (!paused) flush()
  }

  const undiciHandler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started
      // Given up while it waited for a connection.
      if (over) started.abort(engineError('engine.aborted'))
    },
    onResponseStart(started, status) {
      if (status < 200 || over) return
      hasHead = true
      handler.head({ status, headers: pairsOf(started.rawHeaders) })
    },
    onResponseData(_, chunk) {
      if (!over && fresh.push(chunk) === 1) queueMicrotask(endTurn)
    },
    onResponseEnd() {
      flush()
      if (over) return
      over = true
      handler.end()
    },
    onResponseError(_, error) {
      if (over) return
      if (!hasHead && attempts === 1 && isStale(error)) return dispatch()
      over = true
      const why = toEngineError(error)
      // A refused dispatch reports before `send` has returned.
      if (controller === undefined) queueMicrotask(() => handler.fail(why))
      else handler.fail(why)
    },
  }

  function dispatch(): void {
    attempts++
    controller = undefined
    const { method, path, headers, body } = request
    pool.dispatch(
      {
        method: method as Dispatcher.HttpMethod,
        path,
        headers: [...headers],
        body: body.length === 0 ? null : body,
      },
      undiciHandler,
    )
  }

  dispatch()
  return {
    pause() {
      paused = true
      controller?.pause()
    },
    resume() {
      paused = false
      flush()
      // A sink that is full again has paused once more.
      if (!paused) controller?.resume()
    },
    abort() {
      over = true
      controller?.abort(engineError('engine.aborted'))
    },
  }
}

/** @param raw names and values by turns, as undici's parser leaves them */
function pairsOf(raw: unknown): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = []
  if (Array.isArray(raw)) for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([latin1(raw[i]), latin1(raw[i + 1])])
  return pairs
}

const latin1 = (bytes: unknown): string => (Buffer.isBuffer(bytes) ? bytes.toString('latin1') : String(bytes))

/**
 * Whether a kept-alive connection turned out closed before any byte of this answer came: engines close idle ones after a
 * few seconds, at times just as we use one. The request had not begun, so it may go out once more. A fresh connection
 * (no bytes read before) is not stale: what fails there failed because of the request.
 */
function isStale(error: Error): boolean {
  const socket = 'socket' in error ? (error.socket as { readonly bytesRead?: number } | null) : null
  return 'code' in error && error.code === 'UND_ERR_SOCKET' && (socket?.bytesRead ?? 0) > 0
}
