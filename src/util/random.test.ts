import { expect, test } from 'vitest'
import { pooledRandom, type Random, seededRandom } from './random.ts'

const counting = (): Random & { calls: number } => {
  const inner = seededRandom(1)
  const source = {
    calls: 0,
    fraction: () => inner.fraction(),
    bytes(length: number) {
      source.calls++
      return inner.bytes(length)
    },
  }
  return source
}

test('a pool asks its source once for a hundred ids and never gives the same bytes twice', () => {
  const source = counting()
  const random = pooledRandom(source)
  const ids = Array.from({ length: 100 }, () => random.bytes(32).join())
  expect(new Set(ids).size).toBe(100)
  expect(source.calls).toBe(1)
})

test('bytes of a pool are copies: writing into them changes nobody else’s', () => {
  const random = pooledRandom(seededRandom(2))
  const first = random.bytes(8)
  const second = random.bytes(8)
  const before = second.slice()
  new Uint8Array(first.buffer).fill(0xff)
  expect(second).toEqual(before)
})

test('a pool gives as many bytes as asked for, at any size', () => {
  const random = pooledRandom(counting())
  for (const length of [0, 1, 31, 1023, 1024, 1025, 5000, 3, 4095]) expect(random.bytes(length)).toHaveLength(length)
})
