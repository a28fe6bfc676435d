import { expect, test } from 'vitest'
import { manualClock } from '../../util/index.ts'
import { createKeptCharges } from './kept-charges.ts'

const name = (byte: number): Uint8Array => new Uint8Array(16).fill(byte)
/** Two ids of one name are two attempts of one line. */
const id = (byte: number, more = 0): Uint8Array => Uint8Array.of(...name(byte), ...new Uint8Array(16).fill(more))

test('charges of one name add up, and run as long as one of them does', () => {
  const charges = createKeptCharges(manualClock())
  charges.begin('a', id(1, 1))
  charges.begin('a', id(1, 2))
  charges.end('a', id(1, 1), 5n)
  expect(charges.of('a', [name(1)])).toEqual([{ name: name(1), tokens: 5n, isRunning: true }])
  charges.end('a', id(1, 2), 0n)
  expect(charges.of('a', [name(1), name(2)])).toEqual([{ name: name(1), tokens: 5n, isRunning: false }])
})

test('nobody hears of the charges of another owner', () => {
  const charges = createKeptCharges(manualClock())
  charges.begin('a', id(1))
  charges.end('a', id(1), 5n)
  expect(charges.of('b', [name(1)])).toEqual([])
  charges.end('b', id(1), 7n)
  expect(charges.of('a', [name(1)])).toMatchObject([{ tokens: 5n }])
})

test('what is known reaches back to the start, or to where the oldest were forgotten', () => {
  const clock = manualClock()
  const charges = createKeptCharges(clock, 2)
  for (const byte of [1, 2]) {
    clock.advance(1_000)
    charges.begin('a', id(byte))
  }
  expect(charges.knownForMs).toBe(2_000)
  clock.advance(1_000)
  charges.begin('a', id(3))
  expect(charges.of('a', [name(1), name(2), name(3)]).map((one) => one.name)).toEqual([name(2), name(3)])
  // The one that is forgotten began two seconds ago.
  expect(charges.knownForMs).toBeLessThan(2_000)
  expect(charges.knownForMs).toBeGreaterThan(1_000)
})
