/** The long run: 100,000 hostile inputs for every port. COCOON_FUZZ_SEED repeats one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attackDialer } from './dialers.ts'
import { askNormally, attackPort, footprint, PORTS, startTarget, type Target, untilQuiet } from './ports.ts'

const INPUTS = 100_000
const DIALER_INPUTS = 2_000
const WARM_UP = 2_000
/** A leak of 300 bytes an input would be found. */
const HEAP_GROWTH_MIB = 30
const seed = Number(process.env.COCOON_FUZZ_SEED ?? Date.now() % 0x7fffffff)

describe(`hostile peers, seed ${seed}`, () => {
  let target: Target
  beforeAll(async () => {
    target = await startTarget()
    await askNormally(target)
  })
  afterAll(() => target[Symbol.asyncDispose]())

  test.each(PORTS)('%s: 100,000 hostile inputs are refused and leave nothing behind', async (name) => {
    await attackPort(target, name, seed - 1, WARM_UP)
    await untilQuiet(target)
    const before = await footprint()
    const counted = target.refusals()
    const report = await attackPort(target, name, seed, INPUTS)
    await untilQuiet(target)
    await askNormally(target)
    const after = await footprint()
    expect(target.faults).toEqual([])
    expect(report.refused).toBeGreaterThan(report.connections / 2)
    expect(target.refusals() - counted).toBeGreaterThanOrEqual(report.refused)
    expect(after.heapMib - before.heapMib).toBeLessThan(HEAP_GROWTH_MIB)
    expect(after.handles - before.handles).toBeLessThanOrEqual(4)
  })

  test.each(['client', 'worker'] as const)('a %s behind a lying proxy ends every request', async (role) => {
    await attackDialer(target, role, seed, DIALER_INPUTS)
    await untilQuiet(target)
    await askNormally(target)
    expect(target.faults).toEqual([])
  })
})
