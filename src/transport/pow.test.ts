import { createHash } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../util/index.ts'
import {
  decodePowChallenge,
  decodePowResponse,
  encodePowChallenge,
  encodePowResponse,
  powZeroBits,
  verifyPow,
} from './pow.ts'
import { searchNonces } from './pow-search.ts'
import { createPowSolver } from './pow-solver.ts'

// The worked example of the protocol: counting up from 0, the first nonce that fits.
const SALT = fromHex('000102030405060708090a0b0c0d0e0f')
const NONCE = 303607n

describe('messages', () => {
  test('the worked example encodes to its bytes and back', () => {
    const challenge = encodePowChallenge({ difficulty: 20, salt: SALT })
    expect(toHex(challenge)).toBe('91128e4114000000000102030405060708090a0b0c0d0e0f')
    expect(decodePowChallenge(challenge, 20)).toEqual({ difficulty: 20, salt: SALT })
    expect(toHex(encodePowResponse(NONCE))).toBe('19738201f7a1040000000000')
    expect(decodePowResponse(encodePowResponse(NONCE))).toBe(NONCE)
  })

  test('a wrong magic and a difficulty above the limit are refused', () => {
    const challenge = encodePowChallenge({ difficulty: 29, salt: SALT })
    expect(() => decodePowChallenge(challenge, 28)).toThrow(
      expect.objectContaining({ code: 'protocol.pow-difficulty' }),
    )
    challenge[0] = 0
    expect(() => decodePowChallenge(challenge, 28)).toThrow(expect.objectContaining({ code: 'protocol.pow-magic' }))
    expect(() => decodePowResponse(Buffer.alloc(12))).toThrow(expect.objectContaining({ code: 'protocol.pow-magic' }))
  })
})

describe('checking', () => {
  test('the worked example has 21 zero bits: it meets 21 and not 22', () => {
    expect(powZeroBits(SALT, NONCE)).toBe(21)
    verifyPow({ difficulty: 21, salt: SALT }, NONCE)
    expect(() => verifyPow({ difficulty: 22, salt: SALT }, NONCE)).toThrow(
      expect.objectContaining({ code: 'protocol.pow-invalid' }),
    )
  })

  test('a difficulty of 0 or less is met by any nonce', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 0 }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (difficulty, nonce) => verifyPow({ difficulty, salt: SALT }, nonce),
      ),
    )
  })

  test('the hand-written search agrees with node:crypto on every single nonce', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.nat(2 ** 31 - 1),
        fc.nat(2 ** 32 - 64),
        (salt, high, from) => {
          const found = searchNonces({ salt, high, from, count: 64, difficulty: 3 })
          const expected = Array.from({ length: 64 }, (_, i) => from + i).find((low) => {
            const tail = Buffer.alloc(8)
            tail.writeUInt32LE(low, 0)
            tail.writeUInt32LE(high, 4)
            return ((createHash('sha256').update(salt).update(tail).digest()[7] as number) & 0xe0) === 0
          })
          expect(found).toBe(expected ?? -1)
        },
      ),
    )
  })
})

describe('solving', () => {
  const solver = createPowSolver({ threads: 1 })
  afterAll(() => solver.close())

  test('one thread finds the first nonce of the worked example and leaves the event loop alone', async () => {
    await solver.solve({ difficulty: 1, salt: SALT })
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    expect(await solver.solve({ difficulty: 20, salt: SALT })).toBe(NONCE)
    delay.disable()
    // The median: a busy machine can hold up single turns, a solver on this thread would hold up all of them.
    expect(delay.percentile(50) / 1e6).toBeLessThan(20)
  })

  test('several threads share the work and any of their nonces fits', async () => {
    const pair = createPowSolver({ threads: 2 })
    const challenges = [1, 2, 3, 4].map((n) => ({ difficulty: 12, salt: new Uint8Array(16).fill(n) }))
    const nonces = await Promise.all(challenges.map((challenge) => pair.solve(challenge)))
    challenges.forEach((challenge, i) => verifyPow(challenge, nonces[i] as bigint))
    pair.close()
  })

  test('an abort ends the search, and the next challenge is solved by the same thread', async () => {
    const abort = new AbortController()
    const hopeless = solver.solve({ difficulty: 64, salt: SALT }, abort.signal)
    const after = solver.solve({ difficulty: 8, salt: SALT })
    abort.abort()
    await expect(hopeless).rejects.toMatchObject({ code: 'protocol.aborted' })
    verifyPow({ difficulty: 8, salt: SALT }, await after)
  })

  test('a closed solver rejects what it was solving', async () => {
    const short = createPowSolver({ threads: 1 })
    const hopeless = short.solve({ difficulty: 64, salt: SALT })
    short.close()
    await expect(hopeless).rejects.toMatchObject({ code: 'protocol.aborted' })
  })

  test('what no hash can meet is refused without searching', async () => {
    await expect(solver.solve({ difficulty: 65, salt: SALT })).rejects.toMatchObject({
      code: 'protocol.pow-difficulty',
    })
  })
})
