/** What a refusal and a success look like, for the contract tests. */
import type { Address } from '@ton/core'
import { expect } from 'vitest'
import { arrivals, type Outcome, type Send, type World } from './world.ts'

/** The contract threw this code, stored nothing, and everything but the gas went back to the sender. */
export async function expectRefused(world: World, to: Address, message: Send, exit: number): Promise<void> {
  const before = await world.data(to)
  const held = await world.balance(to)
  const outcome = await world.send(to, message)
  expect(outcome.exit).toBe(exit)
  expect((await world.data(to)).equals(before)).toBe(true)
  expect(await world.balance(to)).toBe(held - storageFee(outcome))
  const [back, ...more] = arrivals(outcome)
  expect(more).toEqual([])
  expect(back?.bounced).toBe(true)
  expect(back?.to.equals(message.from)).toBe(true)
}

/** The action phase failed: nothing is stored, everything but fees went back to the sender. */
export async function expectUndone(world: World, to: Address, message: Send): Promise<Outcome> {
  const before = await world.data(to)
  const held = await world.balance(to)
  const outcome = await world.send(to, message)
  expect(outcome.exit).toBe(0)
  expect(outcome.action).not.toBe(0)
  expect((await world.data(to)).equals(before)).toBe(true)
  expect(await world.balance(to)).toBe(held - storageFee(outcome))
  expect(arrivals(outcome).map((a) => [a.bounced, a.to.equals(message.from)])).toEqual([[true, true]])
  return outcome
}

/** Both phases of the first contract passed. */
export async function expectDone(world: World, to: Address, message: Send): Promise<Outcome> {
  const outcome = await world.send(to, message)
  expect([outcome.exit, outcome.action]).toEqual([0, 0])
  return outcome
}

/** What the first contract paid for the time since its last transaction. */
export function storageFee(outcome: Outcome): bigint {
  const description = outcome.transactions[0]?.description
  return description?.type === 'generic' ? (description.storagePhase?.storageFeesCollected ?? 0n) : 0n
}
