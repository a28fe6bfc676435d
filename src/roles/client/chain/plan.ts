/**
 * What a client does with its contract at a proxy now: one order at a time, the first rule that applies. Pure. Amounts are
 * nanoTON. Rules in words: docs/payments.md.
 */
import type { ContractState } from '../../../chain/index.ts'
import { equalBytes } from '../../../util/index.ts'

/** The client's contract, as last read. */
export interface AccountState {
  /** `absent`: nobody has deployed it. */
  readonly state: ContractState | 'absent'
  readonly balanceNano: bigint
  readonly stakeNano: bigint
  /** Charged, in total. */
  readonly charged: bigint
  /** Unix seconds. */
  readonly unlockTs: number
  readonly secretHash: Uint8Array
}

export interface AccountView {
  readonly account: AccountState
  /** Tokens: the proxy's word of what was used, and of what it has signed for. */
  readonly used: bigint
  readonly signed: bigint
  readonly pricePerToken: bigint
  /** Of a new contract. */
  readonly minStakeNano: bigint
  /** Null where the client has no secret: then none is set, and each connection registers on chain. */
  readonly secretHash: Uint8Array | null
  readonly topsUp: boolean
  /** The contract is to be closed: the network has moved on, or its owner wants to. */
  readonly isLeaving: boolean
  readonly nowS: number
}

export type Order =
  /** Puts the contract there with its first deposit, and the secret if there is one. */
  | { readonly do: 'deploy'; readonly amountNano: bigint }
  | { readonly do: 'top-up'; readonly amountNano: bigint }
  | { readonly do: 'set-secret' }
  /** Takes the proxy's signed word to the contract: frees what the stake limits. */
  | { readonly do: 'submit-charge' }
  | { readonly do: 'request-refund' }

export function plan(view: AccountView): Order | null {
  const { account, isLeaving } = view
  if (account.state === 'absent')
    return isLeaving || !view.topsUp ? null : { do: 'deploy', amountNano: deposit(view.minStakeNano, view) }
  if (account.state === 'closed') return null
  if (account.state === 'closing') return account.unlockTs < view.nowS ? { do: 'request-refund' } : null
  if (isLeaving) return { do: 'request-refund' }
  if (view.secretHash !== null && !equalBytes(view.secretHash, account.secretHash)) return { do: 'set-secret' }
  if (view.pricePerToken === 0n) return null
  // In money, since that is what runs out: what the balance is worth after everything used is paid.
  const unchargedNano = (view.used - account.charged) * view.pricePerToken
  if (view.topsUp && 2n * (account.balanceNano - unchargedNano) < account.stakeNano)
    return { do: 'top-up', amountNano: deposit(account.stakeNano, view) }
  if (2n * unchargedNano > account.stakeNano && view.signed > account.charged && account.balanceNano > 0n)
    return { do: 'submit-charge' }
  return null
}

/** A whole number of tokens, so that nothing is left that buys none. */
const deposit = (stakeNano: bigint, { pricePerToken }: AccountView): bigint =>
  pricePerToken === 0n ? stakeNano : stakeNano - (stakeNano % pricePerToken)
