/**
 * A node's order to a contract, given once for each state of that contract. As long as nothing has happened at the receiver, the
 * same order is the same request to the wallet, for a process that was started anew as well: whoever dies between sending and
 * seeing what came of it does not pay a second time.
 */
import { createHash } from 'node:crypto'
import { CocoonError } from '../../util/index.ts'
import type { WalletTransfer } from '../contracts/node-wallet.ts'
import type { AccountState } from '../reader.ts'
import type { SendOutcome } from '../sender/journal.ts'
import type { WalletSender } from '../sender/sender.ts'

export interface OnceOrder {
  /** What people read: `client-deploy`. */
  readonly name: string
  /** As it was just read; the order was decided on this state. */
  readonly receiver: Pick<AccountState, 'address' | 'lastLt' | 'atMs'>
  /** @param queryId the same one for the same order */
  transfer(queryId: bigint): WalletTransfer
}

/** From the wallet to its receiver an order takes some blocks. One that has had no effect by then is given again. */
export const EFFECT_MS = 120_000

/**
 * Resolves when the order has left the wallet, now or within the last `EFFECT_MS`. Throws `chain.refused` when it has not and
 * never will, and what `send` throws: then it can be given again. `signal` ends the waiting only.
 */
export async function sendOnce(
  wallet: Pick<WalletSender, 'send' | 'outcomeOf'>,
  { name, receiver, transfer }: OnceOrder,
  signal?: AbortSignal,
): Promise<Extract<SendOutcome, { readonly result: 'confirmed' }>> {
  const { address, lastLt, atMs } = receiver
  for (let attempt = 0; ; attempt++) {
    const seed = createHash('sha256').update(`${name} ${address.toRawString()} ${lastLt} ${attempt}`).digest()
    const one = transfer(seed.readBigUInt64BE(0))
    const id = `${name}-${createHash('sha256').update(seed).update(one.message.hash()).digest('hex').slice(0, 40)}`
    const earlier = wallet.outcomeOf(id)
    if (earlier?.result === 'confirmed' && atMs - earlier.atS * 1000 <= EFFECT_MS) return earlier
    // What has ended without an effect is over: the next attempt is a request of its own.
    if (earlier !== undefined && earlier !== null) continue
    const outcome = await wallet.send({ id, transfers: [one], ...(signal === undefined ? {} : { signal }) })
    if (outcome.result === 'confirmed') return outcome
    throw new CocoonError('chain.refused', {
      message: `${name}: the wallet’s message has ${outcome.result}; it is tried again`,
    })
  }
}
