import { describe, expect, test } from 'vitest'
import { CocoonError, manualClock, seededRandom, silentLog } from '../util/index.ts'
import type { dial } from './dial.ts'
import { keepTargets, type Link } from './targets.ts'
import type { Connection, ConnectionHandler } from './types.ts'

const HOUR_MS = 3_600_000
/** Connecting and closing take turns of the loop, never real time. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** One target whose connections are made at once, and what became of them. */
function createWorld() {
  const clock = manualClock()
  const closed: string[] = []
  const links: { isIdle: boolean; retired: number; isReady: boolean }[] = []
  const connect = (async (_options: unknown, createHandler: (connection: Connection) => ConnectionHandler) => {
    await Promise.resolve()
    let handler: ConnectionHandler | null = null
    const connection = {
      close(why: CocoonError) {
        closed.push(why.code)
        handler?.closed(why)
      },
    } as Connection
    handler = createHandler(connection)
    return connection
  }) as typeof dial
  const targets = keepTargets<Link>({
    clock,
    random: seededRandom(3),
    log: silentLog,
    wanted: 1,
    dial: { clock } as never,
    listed: () => [{ host: 'a', port: 1 }],
    connect,
    open() {
      const link = { isIdle: false, retired: 0, isReady: true }
      links.push(link)
      return {
        handler: { message() {}, query() {}, closed() {} },
        get ready() {
          return link.isReady
        },
        retire() {
          link.retired++
          return link.isIdle
        },
      }
    },
  })
  return { clock, closed, links, targets }
}

describe('a connection', () => {
  test('is made anew between 18 and 20 hours, as soon as nothing runs on it', async () => {
    const { clock, closed, links, targets } = createWorld()
    await settle()
    clock.advance(18 * HOUR_MS)
    expect(links.map((link) => link.retired)).toEqual([0])
    clock.advance(2 * HOUR_MS)
    // Asked, but something runs.
    expect(links[0]?.retired).toBeGreaterThan(0)
    expect(closed).toEqual([])
    Object.assign(links[0] as object, { isIdle: true })
    clock.advance(2_000)
    await settle()
    clock.advance(1_000)
    await settle()
    expect(closed).toEqual(['capacity.renewing'])
    expect(links.length).toBe(2)
    expect(targets.all()[0]?.ready).toBe(true)
    // The new one has its own time.
    clock.advance(17 * HOUR_MS)
    expect(links[1]?.retired).toBe(0)
    targets.stop(new CocoonError('capacity.closing'))
  })

  test('that is not ready is left alone, however old', async () => {
    const { clock, links, closed, targets } = createWorld()
    await settle()
    Object.assign(links[0] as object, { isReady: false, isIdle: true })
    clock.advance(23 * HOUR_MS)
    expect([links[0]?.retired, closed]).toEqual([0, []])
    targets.stop(new CocoonError('capacity.closing'))
  })
})
