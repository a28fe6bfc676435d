/** A wallet that a sender can pay from: what is special about one kind of wallet, and nothing about sending. */
import type { Address, Cell } from '@ton/core'
import { CocoonError, equalBytes, NANO_PER_TON } from '../../util/index.ts'
import type { CodeCell } from '../cell-hash.ts'
import type { StateInit } from '../contracts/deploy.ts'
import {
  initialWalletData,
  isBlocked,
  nodeWalletAddress,
  REFERENCE_WALLET_CODE,
  signWalletOrder,
  walletState,
  type WalletState,
  type WalletTransfer,
} from '../contracts/node-wallet.ts'
import type { SigningKey } from '../ed25519.ts'
import type { AccountState } from '../reader.ts'

export interface PayingWallet {
  readonly address: Address
  /** Nothing is sent below this. */
  readonly floorNano: bigint
  /** Of the message that the wallet expects next. */
  seqnoOf(account: AccountState): number
  /**
   * The body of an external message that is good until then, in the time of blocks, and the wallet's first state where it has
   * none yet. Throws `chain.wallet`, `chain.code-unknown`.
   */
  sign(account: AccountState, transfers: readonly WalletTransfer[], validUntilS: number): Promise<SignedBody>
}

export interface SignedBody {
  readonly seqno: number
  readonly body: Cell
  readonly init?: StateInit
}

export interface NodeWalletKeys {
  readonly key: SigningKey
  readonly owner: Address
  /** The wallet's code; the cell itself is needed only where the wallet is not deployed yet. */
  readonly code?: CodeCell
}

/** The wallet of public nodes refuses below 2 TON, ours below 0.05. */
const FLOOR_NANO = { reference: (21n * NANO_PER_TON) / 10n, own: NANO_PER_TON / 10n }

/** The wallet of a node: its key spends, its owner supervises. */
export function nodePayingWallet({ key, owner, code = REFERENCE_WALLET_CODE }: NodeWalletKeys): PayingWallet {
  const address = nodeWalletAddress({ owner, publicKey: key.publicKey }, code)
  const isReference = equalBytes(code.hash, REFERENCE_WALLET_CODE.hash)
  return {
    address,
    floorNano: FLOOR_NANO[isReference ? 'reference' : 'own'],
    seqnoOf: (account) => loadState(account)?.seqno ?? 0,
    sign(account, transfers, validUntilS) {
      const state = loadState(account)
      if (state !== null && (!equalBytes(state.publicKey, key.publicKey) || !state.owner.equals(owner)))
        throw unusableWallet(address, 'the account holds another key or owner than this node')
      if (state !== null && isBlocked(state)) throw unusableWallet(address, 'its owner has blocked the key')
      const init = state === null ? firstState(account, { address, key, owner, code }) : undefined
      const { seqno, subwallet } = state ?? { seqno: 0, subwallet: 0 }
      const body = signWalletOrder({ subwallet, validUntilS, seqno, transfers }, key)
      return Promise.resolve({ seqno, body, ...(init === undefined ? {} : { init }) })
    },
  }
}

const loadState = (account: AccountState): WalletState | null =>
  account.status === 'active' && account.data !== null ? walletState.loadCell(account.data) : null

function firstState(
  account: AccountState,
  { address, key, owner, code }: Required<NodeWalletKeys> & { readonly address: Address },
): StateInit {
  if (account.status === 'frozen') throw unusableWallet(address, 'the account is frozen: it owes rent')
  if (code.cell === undefined)
    throw new CocoonError('chain.code-unknown', {
      message: `the wallet ${address.toString()} is not deployed, and its code is known by its hash only`,
    })
  return { code: code.cell, data: initialWalletData({ owner, publicKey: key.publicKey }) }
}

export const unusableWallet = (address: Address, why: string): CocoonError =>
  new CocoonError('chain.wallet', { message: `the wallet ${address.toString()} cannot be used: ${why}` })
