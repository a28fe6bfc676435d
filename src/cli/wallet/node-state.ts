/** A node's wallet as the chain has it. */
import { type AccountState, isBlocked, walletState } from '../../chain/index.ts'

export interface NodeWalletState {
  readonly seqno: number
  readonly isBlocked: boolean
}

/** Null where it is not deployed. Throws `chain.layout` for an account that is no such wallet. */
export function nodeWalletState({ status, data }: AccountState): NodeWalletState | null {
  if (status !== 'active' || data === null) return null
  const state = walletState.loadCell(data)
  return { seqno: state.seqno, isBlocked: isBlocked(state) }
}
