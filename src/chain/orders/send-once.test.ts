import { expect, test } from 'vitest'
import { Address } from '../address.ts'
import { EMPTY_CELL, orderTransfer } from '../contracts/amounts.ts'
import { buildSaveState } from '../contracts/proxy.ts'
import type { SendOutcome } from '../sender/journal.ts'
import { EFFECT_MS, sendOnce } from './send-once.ts'

const to = new Address(0, Buffer.alloc(32, 5))
const order = (queryId: bigint) =>
  orderTransfer({ to, valueNano: 1n, body: buildSaveState(queryId, 1, new Uint8Array(32)) })
const receiver = (lastLt: bigint, atMs: number) => ({ address: to, lastLt, atMs })

/** A wallet with a journal: what was asked of it outlives whoever asked. */
function createWallet(ends: () => SendOutcome) {
  const outcomes = new Map<string, SendOutcome | null>()
  const sent: string[] = []
  return {
    sent,
    outcomes,
    outcomeOf: (id: string) => outcomes.get(id),
    send({ id }: { readonly id: string }) {
      sent.push(id)
      const outcome = ends()
      outcomes.set(id, outcome)
      return Promise.resolve(outcome)
    },
  }
}
const confirmedAt = (atS: number): SendOutcome => ({ result: 'confirmed', lt: 1n, hash: 'ab', atS, feeNano: 0n })

test('an order that was sent before a restart is not sent again while the contract has not changed', async () => {
  const wallet = createWallet(() => confirmedAt(1_000))
  const once = { name: 'deposit', receiver: receiver(7n, 1_000_000), transfer: order }
  await sendOnce(wallet, once)
  expect(await sendOnce(wallet, { ...once, receiver: receiver(7n, 1_060_000) })).toMatchObject({ hash: 'ab' })
  expect(wallet.sent).toHaveLength(1)
})

test('one that is still under way is waited for under its own id, not given anew', async () => {
  const wallet = createWallet(() => confirmedAt(1_000))
  const once = { name: 'deposit', receiver: receiver(7n, 1_000_000), transfer: order }
  await sendOnce(wallet, once)
  const [id] = wallet.sent as [string]
  wallet.outcomes.set(id, null)
  await sendOnce(wallet, once)
  expect(wallet.sent).toEqual([id, id])
})

test('after something has happened at the contract the same order is another one', async () => {
  const wallet = createWallet(() => confirmedAt(1_000))
  for (const lt of [7n, 8n, 8n])
    await sendOnce(wallet, { name: 'deposit', receiver: receiver(lt, 1_000_000), transfer: order })
  expect(new Set(wallet.sent).size).toBe(2)
})

test('one that has had no effect for long is given again, and one with a fixed body too', async () => {
  const wallet = createWallet(() => confirmedAt(1_000))
  const fixed = orderTransfer({ to, valueNano: 1n, body: EMPTY_CELL })
  for (const transfer of [order, () => fixed])
    for (const atMs of [1_000_000, 1_000_000 + EFFECT_MS, 1_000_001 + EFFECT_MS])
      await sendOnce(wallet, { name: 'deposit', receiver: receiver(7n, atMs), transfer })
  expect(wallet.sent).toHaveLength(4)
  expect(new Set(wallet.sent).size).toBe(4)
})

test.each([
  ['has expired', { result: 'expired', attempts: 3 }],
  ['the wallet could not send', { result: 'failed', phase: 'action', exitCode: 37, delivered: [false], feeNano: 1n }],
] as const)('an order that %s is refused, and the next time it is a request of its own', async (_, outcome) => {
  let ends: SendOutcome = outcome
  const wallet = createWallet(() => ends)
  const once = { name: 'deposit', receiver: receiver(7n, 1_000_000), transfer: order }
  await expect(sendOnce(wallet, once)).rejects.toMatchObject({ code: 'chain.refused' })
  ends = confirmedAt(1_000)
  await sendOnce(wallet, once)
  expect(new Set(wallet.sent).size).toBe(2)
})
