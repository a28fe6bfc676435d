/** What the ledger of a test network has charged, looked at from both sides. */
import { expect } from 'vitest'
import type { TestNetwork } from './network.ts'
import { until } from './network.ts'

/** Adjusted tokens, which must be the same for the clients that pay and the workers that earn. */
export function charged({ ledger }: Pick<TestNetwork, 'ledger'>): bigint {
  const sum = (accounts: readonly { readonly totals: { readonly max: bigint } }[]): bigint =>
    accounts.reduce((total, account) => total + account.totals.max, 0n)
  const paid = sum(ledger.clients())
  expect(sum(ledger.workers()), 'workers earn what clients pay').toBe(paid)
  return paid
}

/** Waits until nothing runs anywhere; then nothing may be held either. */
export async function settled(network: TestNetwork): Promise<void> {
  await until(
    () =>
      network.proxy.status().requests.running === 0 &&
      network.client.status().requests.running === 0 &&
      network.workers.every((worker) => worker.status().requests.running === 0),
    'nothing runs',
  )
  for (const account of network.ledger.clients()) expect(account).toMatchObject({ reserved: 0n, running: 0 })
}

/** Adjusted tokens that `act` was charged. */
export async function chargeOf(network: TestNetwork, act: () => Promise<unknown>): Promise<bigint> {
  const before = charged(network)
  await act()
  await settled(network)
  return charged(network) - before
}
