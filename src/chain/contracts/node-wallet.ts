/**
 * A node's wallet: a key in the node spends, an owner supervises. It pays for all of a node's orders, and owns a client's
 * contracts.
 *
 *   data:      seqno:u32 subwallet:u32 public_key:256 status:u32 owner:addr
 *   external:  signature:512 subwallet:u32 valid_until:u32 seqno:u32 { mode:u8 ^message } up to four times
 *
 * The signature covers the hash of everything behind it, as a cell.
 */
import {
  type Address,
  beginCell,
  type Cell,
  external,
  internal,
  type StateInit as CoreStateInit,
  storeMessage,
  storeMessageRelaxed,
} from '@ton/core'
import { CocoonError, fromHex } from '../../util/index.ts'
import { type CellDigest, digestOf } from '../cell-hash.ts'
import type { SigningKey } from '../ed25519.ts'
import { contractAddressOf } from './addresses.ts'
import type { StateInit } from './deploy.ts'
import { address, anyCell, bytes, layout, type LoadedOf, uint } from './layout.ts'
import { message, tagged } from './message.ts'

export const walletState = layout('node wallet', {
  seqno: uint(32),
  subwallet: uint(32),
  publicKey: bytes(32),
  /** Bit 0: the owner has blocked the key. */
  status: uint(32),
  owner: address,
})
export type WalletState = LoadedOf<typeof walletState>

/** The wallet of every public node: nodes know it by heart, so it is part of the protocol. */
export const REFERENCE_WALLET_CODE: CellDigest = {
  hash: fromHex('7a48f05ceef40f06cabbaa39c1c5a67b24e8bb59d8cf8a74e49988a5f44cf66a'),
  depth: 6,
}

export const MAX_WALLET_MESSAGES = 4
const BLOCKED = 1

export interface WalletParties {
  readonly owner: Address
  readonly publicKey: Uint8Array
}

export const isBlocked = (state: WalletState): boolean => (state.status & BLOCKED) !== 0

export const initialWalletData = ({ owner, publicKey }: WalletParties): Cell =>
  walletState.storeCell({ seqno: 0, subwallet: 0, publicKey, status: 0, owner })

/** @param code needed in full only for deploying */
export const nodeWalletAddress = (who: WalletParties, code: CellDigest = REFERENCE_WALLET_CODE): Address =>
  contractAddressOf(code, digestOf(initialWalletData(who)))

/** From the wallet's owner, in an internal message. */
export const walletMessages = {
  sendMessage: message('wallet send message', 0x9c69f376, { mode: uint(8), message: anyCell }),
  command: tagged('wallet command', 0, { command: uint(8) }),
} as const
/** `walletMessages.command`: sweep to the owner, block the key, unblock it. */
export const WALLET_COMMANDS = { withdraw: 0x77, block: 0x62, unblock: 0x75 } as const

/** One message out of the wallet. */
export interface WalletTransfer {
  /** 0: fees out of the value. 1: fees paid besides. Nothing else: other modes empty or delete accounts. */
  readonly mode: 0 | 1
  /** An internal message in full: `internalMessage`. */
  readonly message: Cell
}

export interface InternalMessage {
  readonly to: Address
  readonly valueNano: bigint
  readonly body: Cell
  /** Whether the receiver's failure sends the money back. */
  readonly bounce: boolean
  /** Deploys the receiver. */
  readonly init?: StateInit
}

export function internalMessage({ to, valueNano, body, bounce, init }: InternalMessage): Cell {
  const info = internal({ to, value: valueNano, bounce, body, ...(init === undefined ? {} : { init: { ...init } }) })
  return beginCell().store(storeMessageRelaxed(info)).endCell()
}

export interface WalletOrder {
  readonly subwallet: number
  /** Unix seconds, in the time of blocks. */
  readonly validUntilS: number
  readonly seqno: number
  /** One to four. */
  readonly transfers: readonly WalletTransfer[]
}

/** The body of an external message. */
export function signWalletOrder(order: WalletOrder, key: SigningKey): Cell {
  if (order.transfers.length > MAX_WALLET_MESSAGES)
    throw new CocoonError('bug.wallet-messages', { count: order.transfers.length })
  const unsigned = storeOrder(order)
  return beginCell()
    .storeBuffer(Buffer.from(key.sign(unsigned.hash())))
    .storeSlice(unsigned.beginParse())
    .endCell()
}

function storeOrder({ subwallet, validUntilS, seqno, transfers }: WalletOrder): Cell {
  const into = beginCell().storeUint(subwallet, 32).storeUint(validUntilS, 32).storeUint(seqno, 32)
  for (const { mode, message: transfer } of transfers) into.storeUint(mode, 8).storeRef(transfer)
  return into.endCell()
}

/** What an external body orders, and the hash that its signature must cover. Throws `chain.layout`. */
export function loadWalletOrder(
  body: Cell,
): WalletOrder & { readonly signature: Uint8Array; readonly hash: Uint8Array } {
  try {
    const from = body.beginParse()
    const signature = new Uint8Array(from.loadBuffer(64))
    const hash = new Uint8Array(from.asCell().hash())
    const head = { subwallet: from.loadUint(32), validUntilS: from.loadUint(32), seqno: from.loadUint(32) }
    const transfers: WalletTransfer[] = []
    while (from.remainingRefs > 0) transfers.push({ mode: from.loadUint(8) as 0 | 1, message: from.loadRef() })
    return { ...head, transfers, signature, hash }
  } catch (cause) {
    throw new CocoonError(
      'chain.layout',
      { what: 'wallet order', message: 'wallet order: a field is missing' },
      { cause },
    )
  }
}

/** The whole external message, as `sendBoc` takes it. */
export function externalMessage(to: Address, body: Cell, init?: StateInit): Cell {
  const coreInit: CoreStateInit | undefined = init === undefined ? undefined : { ...init }
  return beginCell()
    .store(storeMessage(external({ to, body, ...(coreInit === undefined ? {} : { init: coreInit }) })))
    .endCell()
}
