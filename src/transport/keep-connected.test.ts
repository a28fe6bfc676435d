import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { CocoonError, manualClock } from '../util/index.ts'
import type { DialOptions, dial } from './dial.ts'
import { keepConnected } from './keep-connected.ts'
import type { Connection, ConnectionHandler } from './types.ts'

const LOST = new CocoonError('protocol.lost')
const SESSION = (): ConnectionHandler => ({ message() {}, query() {}, closed() {} })

/** Dials that fail, or open, as told; time moves only by hand. */
function setup(outcomes: ('fail' | 'open')[]) {
  const clock = manualClock()
  const pauses: number[] = []
  let handler: ConnectionHandler | null = null
  let dials = 0
  const fake: typeof dial = async (_options, createHandler) => {
    dials++
    if (outcomes.shift() !== 'open') throw LOST
    const connection = {
      id: dials,
      open: true,
      close: (why: CocoonError) => handler?.closed(why),
    } as unknown as Connection
    handler = createHandler(connection)
    return connection
  }
  const kept = keepConnected({ clock } as unknown as DialOptions, SESSION, {
    dial: fake,
    random: () => 1 - Number.EPSILON,
    onFailure: (_why, pauseMs) => pauses.push(pauseMs),
  })
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await turn()
  }
  return { kept, pauses, pass, lose: () => handler?.closed(LOST), dials: () => dials }
}

test('pauses double from 0.2 s to 10 s', async () => {
  const { pauses, pass } = setup([])
  await turn()
  for (let i = 0; i < 8; i++) await pass(10_000)
  expect(pauses).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
})

test('a connection that stayed up makes the next pause the shortest, one that fell at once does not', async () => {
  const { kept, pauses, pass, lose } = setup(['fail', 'fail', 'open', 'open'])
  await turn()
  await pass(200)
  await pass(400)
  expect(kept.connection).not.toBeNull()
  lose()
  expect(kept.connection).toBeNull()
  await pass(800)
  await pass(10_000)
  lose()
  expect(pauses).toEqual([200, 400, 800, 200])
})

test('stop ends the pause and the connection for good', async () => {
  const waiting = setup([])
  await turn()
  waiting.kept.stop()
  await waiting.pass(60_000)
  expect(waiting.dials()).toBe(1)

  const open = setup(['open'])
  await turn()
  open.kept.stop()
  await open.pass(60_000)
  expect(open.dials()).toBe(1)
  expect(open.kept.connection).toBeNull()
})
