/** A short slice of the fuzzing of ports on every run. The long one is in ports.long.test.ts. */
import net from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attackDialer } from './dialers.ts'
import { askNormally, attackPort, footprint, PORTS, startTarget, type Target, untilQuiet } from './ports.ts'

const INPUTS = {
  'proxy for clients': 1000,
  'proxy for workers': 1000,
  'client http': 700,
  'proxy http': 300,
  'worker http': 300,
} as const
/** Code that gets compiled and caches that fill take some once, and this many inputs cannot take more. */
const WARM_UP = 100
const HEAP_GROWTH_MIB = 16
const SEED = 20261121

describe('hostile peers', () => {
  let target: Target
  beforeAll(async () => {
    target = await startTarget({ headersTimeoutMs: 500 })
    for (const name of PORTS) await attackPort(target, name, SEED - 1, WARM_UP)
    await askNormally(target)
  })
  afterAll(() => target[Symbol.asyncDispose]())

  test.each(PORTS)('%s: hostile input is refused and counted, and hurts nobody', async (name) => {
    const before = await footprint()
    const counted = target.refusals()
    const report = await attackPort(target, name, SEED, INPUTS[name])
    await untilQuiet(target)
    await askNormally(target)
    const after = await footprint()
    expect(target.faults).toEqual([])
    expect(report.inputs).toBeGreaterThanOrEqual(INPUTS[name])
    // Each has its counter, and so has what was ignored.
    expect(report.refused).toBeGreaterThan(report.connections / 2)
    expect(target.refusals() - counted).toBeGreaterThanOrEqual(report.refused)
    expect(after.heapMib - before.heapMib).toBeLessThan(HEAP_GROWTH_MIB)
    // Our own kept connections for asking normally come and go.
    expect(after.handles - before.handles).toBeLessThanOrEqual(4)
  })

  test.each(['client', 'worker'] as const)(
    'a %s behind a lying proxy ends every request, and the proxy keeps none',
    async (role) => {
      const report = await attackDialer(target, role, SEED, 60)
      await untilQuiet(target)
      await askNormally(target)
      expect(report.inputs).toBeGreaterThanOrEqual(60)
      expect(target.faults).toEqual([])
    },
  )

  test('connections that never finish their request are closed, and keep nobody from being served', async () => {
    const slow = Array.from({ length: 50 }, () => net.connect(target.port['client http'], '127.0.0.1'))
    const closed = slow.map((socket) => new Promise((resolve) => socket.on('error', () => {}).on('close', resolve)))
    for (const socket of slow) socket.resume().write('POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-a: ')
    await askNormally(target)
    await Promise.all(closed)
    expect(target.faults).toEqual([])
  })
})
