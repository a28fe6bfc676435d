/**
 * The client contract: what one client has with one proxy.
 *
 *   state:u2 balance:coins stake:coins tokens_used:u64 unlock_ts:u32 secret_hash:256
 *   ^( owner:addr proxy:addr proxy_public_key:256 ) ^params
 *
 * `balance` lies on the proxy contract; the client contract's own TON pays for gas. `stake` is a threshold, no deposit.
 */
import { address, anyCell, bytes, coins, contractState, layout, type LoadedOf, refTo, uint, uint64 } from './layout.ts'
import { message } from './message.ts'

/** Who a client or worker contract belongs to. */
export const parties = layout('parties', { owner: address, proxy: address, proxyPublicKey: bytes(32) })

export const clientState = layout('client contract', {
  state: contractState,
  /** nanoTON that may still be charged. */
  balance: coins,
  /** nanoTON that cannot be withdrawn while the contract is open. */
  stake: coins,
  /** In total since deployment. */
  tokensUsed: uint64,
  /** Unix seconds; 0 unless closing. */
  unlockTs: uint(32),
  /** SHA-256 of the client's secret; zero when there is none. */
  secretHash: bytes(32),
  parties: refTo(parties),
  params: anyCell,
})
export type ClientState = LoadedOf<typeof clientState>

/** Orders to a client contract; `excess` gets what is not used. Signed ones: signed-payment.ts. */
export const clientMessages = {
  /** Anyone. Comes with `amount` and the usual fee. */
  topUp: message('client top up', 0xf172e6c2, { amount: coins, excess: address }),
  /** Owner. */
  topUpWithSecret: message('client top up with secret', 0x8473b408, {
    amount: coins,
    secretHash: bytes(32),
    excess: address,
  }),
  /** Owner: answers a proxy's challenge on chain ("long authorization"). */
  register: message('client register', 0xc45f9f3b, { nonce: uint64, excess: address }),
  /** Owner. */
  changeSecret: message('client change secret', 0xa9357034, { secretHash: bytes(32), excess: address }),
  /** Owner; only up. */
  increaseStake: message('client increase stake', 0x6a1f6a60, { newStake: coins, excess: address }),
  /** Owner: takes out what is above the stake. */
  withdraw: message('client withdraw', 0xda068e78, { excess: address }),
  /** Owner: begins to close, and after the delay ends it. */
  requestRefund: message('client request refund', 0xfafa6cc1, { excess: address }),
} as const
