/**
 * The proxy contract: the money of its clients and the operator's earnings.
 *
 *   owner:addr proxy_public_key:256 root:addr state:u2 balance:coins stake:coins unlock_ts:u32 ^params
 */
import type { Cell } from '@ton/core'
import {
  address,
  anyCell,
  bytes,
  coins,
  contractState,
  int32,
  layout,
  type LoadedOf,
  maybeCell,
  refTo,
  uint,
  uint64,
} from './layout.ts'
import { message, tagged } from './message.ts'

export const proxyState = layout('proxy contract', {
  owner: address,
  publicKey: bytes(32),
  root: address,
  state: contractState,
  /** nanoTON the operator has earned and not taken; not what lies on the account. */
  balance: coins,
  stake: coins,
  /** Unix seconds. */
  unlockTs: uint(32),
  params: anyCell,
})
export type ProxyState = LoadedOf<typeof proxyState>

/** What a client contract tells of itself, just stored. */
export const notifiedClientState = layout('client state', {
  state: contractState,
  balance: coins,
  stake: coins,
  tokensUsed: uint64,
  secretHash: bytes(32),
})
export type NotifiedClientState = LoadedOf<typeof notifiedClientState>

/** What arrives at a proxy contract. Closing orders of the proxy itself are signed: signed-payment.ts. */
export const proxyMessages = {
  clientRequest: message('client notification', 0x65448ff4, {
    owner: address,
    client: refTo(notifiedClientState),
    payload: maybeCell,
  }),
  workerRequest: message('worker notification', 0x4d725d2c, {
    owner: address,
    state: contractState,
    tokens: uint64,
    payload: maybeCell,
  }),
  /** Anyone: the operator's earnings go to the owner. */
  requestPayout: message('proxy request payout', 0x7610e6eb, { excess: address }),
  /** Anyone. */
  increaseStake: message('proxy increase stake', 0x9713f187, { amount: coins, excess: address }),
  /** Owner. */
  ownerClose: message('proxy owner close', 0xb51d5a01, { excess: address }),
  /** A number of the proxy's database, in the history of its contract where nobody can take it back. */
  saveState: message('save state', 0x9a1247c0, { inner: uint(32), seqno: int32, sessionHash: bytes(32) }),
} as const

/** Second opcode of `saveState`: others use the same outer one for anything that needs no answer. */
export const SAVE_STATE_INNER = 0x53109c0f

/** @param sessionHash 32 random bytes of this run of the proxy */
export const buildSaveState = (queryId: bigint, seqno: number, sessionHash: Uint8Array): Cell =>
  proxyMessages.saveState.build({ queryId, inner: SAVE_STATE_INNER, seqno, sessionHash })

/** What a notification brings along. */
export const payloads = {
  topUp: tagged('top-up payload', 0x5cfc6b87, { amount: coins, excess: address }),
  register: tagged('register payload', 0xa35cb580, { nonce: uint64 }),
  refundGranted: tagged('granted refund payload', 0xc68ebc7b, { amount: coins, excess: address }),
  refundForced: tagged('forced refund payload', 0xf4c354c9, { amount: coins, excess: address }),
  workerPayout: tagged('payout payload', 0x08e7d036, { workerPart: coins, proxyPart: coins, excess: address }),
} as const
