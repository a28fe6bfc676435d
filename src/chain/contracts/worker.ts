/**
 * The worker contract: how many tokens a proxy has paid a worker for.
 *
 *   owner:addr proxy:addr proxy_public_key:256 state:u2 tokens:u64 ^params
 */
import { address, anyCell, bytes, contractState, layout, type LoadedOf, uint64 } from './layout.ts'
import { message } from './message.ts'

export const workerState = layout('worker contract', {
  owner: address,
  proxy: address,
  proxyPublicKey: bytes(32),
  state: contractState,
  /** Paid, in total since deployment. */
  tokens: uint64,
  params: anyCell,
})
export type WorkerState = LoadedOf<typeof workerState>

/** Orders to a worker contract. Payouts are signed: signed-payment.ts. */
export const workerMessages = {
  /** Owner; makes the contract known to the proxy. */
  register: message('worker register', 0x26ed7f65, { excess: address }),
} as const
