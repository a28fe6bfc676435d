/**
 * Which listed nodes a dialing node keeps connections to: as many as wanted, drawn at random from the list, and exchanged
 * for another when one has not been ready for too long. Knows addresses only; what "ready" means is the session's business.
 */
import { type Clock, CocoonError, type Log, type Random, type Timer, uniform } from '../util/index.ts'
import type { dial, DialOptions } from './dial.ts'
import { transportError } from './errors.ts'
import { keepConnected, type KeptConnection } from './keep-connected.ts'
import type { Connection, ConnectionHandler } from './types.ts'

export interface TargetAddress {
  readonly host: string
  readonly port: number
}

/** A session on one connection to a target. */
export interface Link {
  readonly handler: ConnectionHandler
  /** The application handshake is done. */
  readonly ready: boolean
  /**
   * Asked again and again once the connection is old: takes no new work where that can be helped, and says whether none is
   * running, so that the connection can be made anew.
   */
  retire(): boolean
}

/** One kept connection, or the attempts to get it. */
export interface Target<L extends Link> extends TargetAddress {
  /** The newest session; may be closed. */
  readonly link: L | null
  readonly ready: boolean
  /** Why the last attempt failed, until one succeeds. */
  readonly lastFailure: CocoonError | null
}

export interface TargetsOptions<L extends Link> {
  readonly dial: Omit<DialOptions, 'host' | 'port'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly wanted: number
  /** Nodes on the list now. */
  listed(): readonly TargetAddress[]
  open(connection: Connection): L
  /** For tests; `dial` otherwise. */
  readonly connect?: typeof dial
}

export interface Targets<L extends Link> {
  /** In order of creation. */
  all(): readonly Target<L>[]
  stop(why: CocoonError): void
}

/** A target that is not ready for this long is exchanged. */
const GIVE_UP_AFTER_MS = 300_000
/**
 * Certificates are an hour old at most when a connection is made, and end after 23: peers close what stands on one that has
 * ended. A connection is made anew in the hours before that, when nothing runs on it.
 */
const RENEW_AFTER_MS = { low: 18 * 3_600_000, high: 20 * 3_600_000 }
const TICK_MS = { low: 1_000, high: 2_000 }

interface Kept<L extends Link> {
  readonly target: Target<L>
  readonly connection: KeptConnection
  lastReadyMs: number
  /** When its connection is old; infinite without one. */
  oldFromMs: number
}

export function keepTargets<L extends Link>(options: TargetsOptions<L>): Targets<L> {
  const { clock, random, log } = options
  let kept: Kept<L>[] = []
  let timer: Timer | undefined
  const isKept = (a: TargetAddress): boolean => kept.some(({ target: t }) => t.host === a.host && t.port === a.port)

  function keep({ host, port }: TargetAddress): Kept<L> {
    let link: L | null = null
    let lastFailure: CocoonError | null = null
    const connection = keepConnected(
      { ...options.dial, host, port },
      (opened) => {
        link = options.open(opened)
        lastFailure = null
        one.oldFromMs = clock.now() + uniform(random, RENEW_AFTER_MS.low, RENEW_AFTER_MS.high)
        return link.handler
      },
      {
        ...(options.connect === undefined ? {} : { dial: options.connect }),
        random: () => random.fraction(),
        onFailure(why, pauseMs) {
          const isNews = lastFailure?.message !== why.message
          if (isNews)
            log.warn('no connection; trying again', {
              target: `${host}:${port}`,
              code: why.code,
              reason: why.message,
              pauseMs,
            })
          lastFailure = why
        },
      },
    )
    const target: Target<L> = {
      host,
      port,
      get link() {
        return link
      },
      get ready() {
        return link?.ready ?? false
      },
      get lastFailure() {
        return lastFailure
      },
    }
    const one: Kept<L> = { target, connection, lastReadyMs: clock.now(), oldFromMs: Number.POSITIVE_INFINITY }
    return one
  }

  function renewOld(): void {
    for (const { target, connection, oldFromMs } of kept)
      if (clock.now() >= oldFromMs && target.ready && target.link?.retire() === true)
        connection.connection?.close(transportError('capacity.renewing'))
  }

  function fill(): void {
    const now = clock.now()
    for (const k of kept) if (k.target.ready) k.lastReadyMs = now
    let free = options.listed().filter((a) => !isKept(a))
    const stale = free.length > 0 ? kept.find((k) => now - k.lastReadyMs > GIVE_UP_AFTER_MS) : undefined
    if (stale !== undefined) {
      stale.connection.stop(new CocoonError('capacity.closing', { message: 'the target was not ready for too long' }))
      kept = kept.filter((k) => k !== stale)
    }
    while (kept.length < options.wanted && free.length > 0) {
      kept.push(keep(free[Math.floor(random.fraction() * free.length)] as TargetAddress))
      free = free.filter((a) => !isKept(a))
    }
  }
  function tick(): void {
    fill()
    renewOld()
    timer = clock.after(uniform(random, TICK_MS.low, TICK_MS.high), tick)
  }
  tick()
  return {
    all: () => kept.map((k) => k.target),
    stop(why) {
      timer?.cancel()
      for (const { connection } of kept) connection.stop(why)
      kept = []
    },
  }
}
