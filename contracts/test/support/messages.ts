/** Bodies as nodes send them, and what contracts store, for the contract tests. Source: spec/contracts.md. */
import { type Address, beginCell, type Builder, type Cell } from '@ton/core'
import type { SigningKey } from '../../../src/chain/index.ts'

export const OP = {
  doNotProcess: 0x9a1247c0,
  excesses: 0x2565934c,
  payout: 0xc59a7cd3,
  clientRequest: 0x65448ff4,
  clientToppedUp: 0x5cfc6b87,
  clientRegistered: 0xa35cb580,
  clientRefundGranted: 0xc68ebc7b,
  clientRefundForced: 0xf4c354c9,
  workerRequest: 0x4d725d2c,
  workerPayout: 0x08e7d036,
  topUp: 0xf172e6c2,
  topUpWithSecret: 0x8473b408,
  registerClient: 0xc45f9f3b,
  changeSecret: 0xa9357034,
  increaseClientStake: 0x6a1f6a60,
  withdraw: 0xda068e78,
  requestRefund: 0xfafa6cc1,
  charge: 0xbb63ff93,
  grantRefund: 0xefd711e1,
  workerPayoutSigned: 0xa040ad28,
  workerLastPayoutSigned: 0xf5f26a36,
  registerWorker: 0x26ed7f65,
  requestPayout: 0x7610e6eb,
  increaseProxyStake: 0x9713f187,
  ownerClose: 0xb51d5a01,
  closeSigned: 0x636a4391,
  closeCompleteSigned: 0xe511abc7,
} as const

export const head = (op: number, queryId: bigint): Builder => beginCell().storeUint(op, 32).storeUint(queryId, 64)

/** What an order may return to: an address, or bits that are none. */
export type Excess = Address | 'none'

export const storeExcess = (into: Builder, excess: Excess): Builder =>
  excess === 'none' ? into.storeUint(0, 2) : into.storeAddress(excess)

export const topUp = (queryId: bigint, amount: bigint, excess: Excess): Cell =>
  storeExcess(head(OP.topUp, queryId).storeCoins(amount), excess).endCell()

export const topUpWithSecret = (queryId: bigint, amount: bigint, hash: bigint, excess: Excess): Cell =>
  storeExcess(head(OP.topUpWithSecret, queryId).storeCoins(amount).storeUint(hash, 256), excess).endCell()

export const registerClient = (queryId: bigint, nonce: bigint, excess: Excess): Cell =>
  storeExcess(head(OP.registerClient, queryId).storeUint(nonce, 64), excess).endCell()

export const changeSecret = (queryId: bigint, hash: bigint, excess: Excess): Cell =>
  storeExcess(head(OP.changeSecret, queryId).storeUint(hash, 256), excess).endCell()

export const increaseClientStake = (queryId: bigint, stake: bigint, excess: Excess): Cell =>
  storeExcess(head(OP.increaseClientStake, queryId).storeCoins(stake), excess).endCell()

export const increaseProxyStake = (queryId: bigint, amount: bigint, excess: Excess): Cell =>
  storeExcess(head(OP.increaseProxyStake, queryId).storeCoins(amount), excess).endCell()

/** Orders that say nothing but where the excess goes. */
export const plain = (op: number, queryId: bigint, excess: Excess): Cell =>
  storeExcess(head(op, queryId), excess).endCell()

export const text = (letter: string): Cell => beginCell().storeUint(0, 32).storeUint(letter.charCodeAt(0), 8).endCell()

export const totalPayload = (op: number, queryId: bigint, tokens: bigint, contract: Address): Cell =>
  head(op, queryId).storeUint(tokens, 64).storeAddress(contract).endCell()

export const orderPayload = (op: number, queryId: bigint, contract: Address): Cell =>
  head(op, queryId).storeAddress(contract).endCell()

export function envelope(op: number, queryId: bigint, excess: Excess, signature: Uint8Array, payload: Cell): Cell {
  return storeExcess(head(op, queryId), excess).storeBuffer(Buffer.from(signature)).storeRef(payload).endCell()
}

/** An envelope as the holder of `key` makes it. */
export const signed = (op: number, queryId: bigint, excess: Excess, payload: Cell, key: SigningKey): Cell =>
  envelope(op, queryId, excess, key.sign(payload.hash()), payload)

export interface ClientData {
  readonly state: number
  readonly balance: bigint
  readonly stake: bigint
  readonly tokensUsed: bigint
  readonly unlockTs: number
  readonly secretHash: bigint
}

export function loadClient(cell: Cell): ClientData {
  const s = cell.beginParse()
  return {
    state: s.loadUint(2),
    balance: s.loadCoins(),
    stake: s.loadCoins(),
    tokensUsed: s.loadUintBig(64),
    unlockTs: s.loadUint(32),
    secretHash: s.loadUintBig(256),
  }
}

export interface ProxyData {
  readonly state: number
  readonly balance: bigint
  readonly stake: bigint
  readonly unlockTs: number
}

export function loadProxy(cell: Cell): ProxyData {
  const s = cell.beginParse()
  s.skip(267 + 256 + 267)
  return { state: s.loadUint(2), balance: s.loadCoins(), stake: s.loadCoins(), unlockTs: s.loadUint(32) }
}

export interface WorkerData {
  readonly state: number
  readonly tokens: bigint
}

export function loadWorker(cell: Cell): WorkerData {
  const s = cell.beginParse()
  s.skip(267 + 267 + 256)
  return { state: s.loadUint(2), tokens: s.loadUintBig(64) }
}
