/** Keeps one connection to one peer: dials, waits for its end, dials again with growing and scattered pauses. */
import { type Clock, type CocoonError, systemClock, type Timer, toCocoonError } from '../util/index.ts'
import { type DialOptions, dial } from './dial.ts'
import { transportError } from './errors.ts'
import type { Connection, ConnectionHandler } from './types.ts'

export interface Backoff {
  /** Pause before the second attempt; doubles with every failure. */
  readonly minMs: number
  readonly maxMs: number
  /** A connection that lived this long makes the next pause the shortest again. */
  readonly stableMs: number
}

/** Quick enough that a restart goes unnoticed, slow enough that a thousand clients do not drown what comes back. */
export const DEFAULT_BACKOFF: Backoff = { minMs: 200, maxMs: 10_000, stableMs: 10_000 }

export interface KeepConnectedOptions {
  readonly backoff?: Partial<Backoff>
  /** In [0, 1): scatters the pauses, so that clients that lost the same proxy do not come back at the same moment. */
  readonly random?: () => number
  /** Told about every attempt that failed and how long the pause is. */
  readonly onFailure?: (why: CocoonError, pauseMs: number) => void
  /** For tests; `dial` otherwise. */
  readonly dial?: typeof dial
}

export interface KeptConnection {
  /** The open connection, if there is one now. */
  readonly connection: Connection | null
  /** Ends the connection or the attempt, for good. */
  stop(why?: CocoonError): void
}

export function keepConnected(
  dialOptions: DialOptions,
  createHandler: (connection: Connection) => ConnectionHandler,
  options: KeepConnectedOptions = {},
): KeptConnection {
  const backoff = { ...DEFAULT_BACKOFF, ...options.backoff }
  const { random = Math.random, onFailure, dial: open = dial } = options
  const clock: Clock = dialOptions.clock ?? systemClock
  const stopping = new AbortController()
  const signal =
    dialOptions.signal === undefined ? stopping.signal : AbortSignal.any([stopping.signal, dialOptions.signal])
  let connection: Connection | null = null
  let failures = 0
  let pause: Timer | null = null

  const attempt = (): void => {
    pause = null
    open({ ...dialOptions, signal }, watched).catch((error: unknown) => retry(toCocoonError(error, 'protocol.lost')))
  }

  const watched = (opened: Connection): ConnectionHandler => {
    const handler = createHandler(opened)
    const sinceMs = clock.now()
    connection = opened
    return {
      message: (data) => handler.message(data),
      query: (data, reply) => handler.query(data, reply),
      drained: () => handler.drained?.(),
      closed(why) {
        connection = null
        if (clock.now() - sinceMs >= backoff.stableMs) failures = 0
        try {
          handler.closed(why)
        } finally {
          retry(why)
        }
      },
    }
  }

  const retry = (why: CocoonError): void => {
    if (signal.aborted || pause !== null || connection !== null) return
    const full = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(failures, 30))
    failures++
    const pauseMs = Math.round(full * (0.5 + 0.5 * random()))
    onFailure?.(why, pauseMs)
    pause = clock.after(pauseMs, attempt)
  }

  signal.addEventListener('abort', () => {
    pause?.cancel()
    pause = null
  })
  if (!signal.aborted) attempt()

  return {
    get connection() {
      return connection
    },
    stop(why = transportError('protocol.aborted')) {
      stopping.abort(why)
      connection?.close(why)
    },
  }
}
