/**
 * Payment messages, thinned where the peer allows it: they carry totals, so of several the newest says it all, and hundreds
 * a second cost every node more than the requests' heads do. Source: spec/wire.md, "Our deviations".
 */
import type { Connection } from '../../transport/index.ts'
import type { Clock, Timer } from '../../util/index.ts'

/** Shorter than anybody looks at totals, longer than many requests take. */
export const NOTICE_EVERY_MS = 50

export interface Thinned<N> {
  /**
   * Sends at once when nothing was sent on this connection for `NOTICE_EVERY_MS`; else the newest when that time is over.
   * To a peer without `cocoon-x1` always at once.
   */
  tell(connection: Connection, notice: N): void
  /** Sends what waits. */
  flush(): void
}

/** @param send asked for at the time of sending, so that it reads the totals of then */
export function createThinned<N>(clock: Clock, send: (notice: N) => void): Thinned<N> {
  /** Connections on which something was sent a moment ago, with what waits since. */
  const recent = new Map<Connection, { newest: N | undefined; timer: Timer }>()

  function open(connection: Connection): void {
    const entry = { newest: undefined, timer: clock.after(NOTICE_EVERY_MS, () => close(connection)) }
    recent.set(connection, entry)
  }

  function close(connection: Connection): void {
    const newest = recent.get(connection)?.newest
    recent.delete(connection)
    if (newest === undefined || !connection.open) return
    open(connection)
    send(newest)
  }

  return {
    tell(connection, notice) {
      if (!connection.peer.extended) return send(notice)
      const entry = recent.get(connection)
      if (entry !== undefined) {
        entry.newest = notice
        return
      }
      open(connection)
      send(notice)
    },
    flush() {
      for (const [connection, { newest, timer }] of recent) {
        timer.cancel()
        recent.delete(connection)
        if (newest !== undefined && connection.open) send(newest)
      }
    },
  }
}
