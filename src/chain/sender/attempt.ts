/** One signed message for a request, from the wallet as it was just read. */
import { type Address, Cell, loadMessageRelaxed } from '@ton/core'
import { CocoonError, equalBytes, formatTon, toHex } from '../../util/index.ts'
import type { CodeCell } from '../cell-hash.ts'
import type { StateInit } from '../contracts/deploy.ts'
import {
  externalMessage,
  initialWalletData,
  isBlocked,
  signWalletOrder,
  walletState,
  type WalletState,
} from '../contracts/node-wallet.ts'
import type { SigningKey } from '../ed25519.ts'
import type { AccountState } from '../reader.ts'
import { type SendAttempt, type SendRecord, transfersOf } from './journal.ts'

export interface WalletToSign {
  readonly address: Address
  readonly key: SigningKey
  readonly owner: Address
  readonly code: CodeCell
  readonly floorNano: bigint
  readonly reserveNano: bigint
  readonly validForS: number
}

/** Throws `chain.balance`, `chain.wallet`, `chain.code-unknown`. */
export function signAttempt(record: SendRecord, account: AccountState, wallet: WalletToSign): SendAttempt {
  const { address, key, owner } = wallet
  const state = loadWallet(account)
  let init: StateInit | undefined
  if (state === null) init = initialState(account, wallet)
  else if (!equalBytes(state.publicKey, key.publicKey) || !state.owner.equals(owner))
    throw unusable(address, 'the account holds another key or owner than this node')
  else if (isBlocked(state)) throw unusable(address, 'its owner has blocked the key')
  checkBalance(record, account, wallet)
  // By the chain's clock: ours may be wrong.
  const validUntilS = Math.floor(account.atMs / 1000) + wallet.validForS
  const { seqno, subwallet } = state ?? { seqno: 0, subwallet: 0 }
  const body = signWalletOrder({ subwallet, validUntilS, seqno, transfers: transfersOf(record) }, key)
  const boc = externalMessage(address, body, init).toBoc().toString('base64')
  return { seqno, validUntilS, bodyHash: toHex(body.hash()), boc }
}

/** Of the message that the wallet expects next. */
export const seqnoOf = (account: AccountState): number => loadWallet(account)?.seqno ?? 0

const loadWallet = (account: AccountState): WalletState | null =>
  account.status === 'active' && account.data !== null ? walletState.loadCell(account.data) : null

function initialState(account: AccountState, { address, key, owner, code }: WalletToSign): StateInit {
  if (account.status === 'frozen') throw unusable(address, 'the account is frozen: it owes rent')
  if (code.cell === undefined)
    throw new CocoonError('chain.code-unknown', {
      message: `the wallet ${address.toString()} is not deployed, and its code is known by its hash only`,
    })
  return { code: code.cell, data: initialWalletData({ owner, publicKey: key.publicKey }) }
}

function checkBalance(record: SendRecord, { balanceNano }: AccountState, wallet: WalletToSign): void {
  const needed = record.transfers.reduce((sum, { boc }) => sum + valueOf(boc), wallet.reserveNano)
  const least = needed > wallet.floorNano ? needed : wallet.floorNano
  if (balanceNano >= least) return
  const [name, missingNano] = [wallet.address.toString(), least - balanceNano]
  throw new CocoonError('chain.balance', {
    missingNano,
    message: `the wallet ${name} holds ${formatTon(balanceNano)} TON and needs ${formatTon(least)}: send it at least ${formatTon(missingNano)} TON`,
  })
}

const unusable = (address: Address, why: string): CocoonError =>
  new CocoonError('chain.wallet', { message: `the wallet ${address.toString()} cannot be used: ${why}` })

function valueOf(boc: string): bigint {
  const { info } = loadMessageRelaxed(Cell.fromBase64(boc).beginParse())
  return info.type === 'internal' ? info.value.coins : 0n
}
