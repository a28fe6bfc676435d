/**
 * The wallet of an owner: the standard one, version 5 revision 1, so that its 24 words open it in any wallet program.
 *
 *   data: signature_allowed:bit seqno:u32 wallet_id:u32 public_key:256 extensions:dict
 */
import type { Cell, MessageRelaxed } from '@ton/core'
import { loadMessageRelaxed } from '@ton/core'
import { WalletContractV5R1 } from '@ton/ton/dist/wallets/v5r1/WalletContractV5R1.js'
import { type Address, type PayingWallet, type SigningKey, unusableWallet } from '../../chain/index.ts'
import { equalBytes, NANO_PER_TON } from '../../util/index.ts'

/** Part of the address, so that a message for one network is worth nothing on the other. */
const GLOBAL_ID = { real: -239, test: -3 } as const
/** Fees for one message with four transfers are well below. */
const FLOOR_NANO = NANO_PER_TON / 50n

const contractOf = (publicKey: Uint8Array, isTest: boolean): WalletContractV5R1 =>
  WalletContractV5R1.create({
    publicKey: Buffer.from(publicKey),
    walletId: {
      networkGlobalId: GLOBAL_ID[isTest ? 'test' : 'real'],
      context: { workchain: 0, walletVersion: 'v5r1', subwalletNumber: 0 },
    },
  })

export const standardWalletAddress = (publicKey: Uint8Array, isTest: boolean): Address =>
  contractOf(publicKey, isTest).address

export function standardWallet(key: SigningKey, isTest: boolean): PayingWallet {
  const contract = contractOf(key.publicKey, isTest)
  const { address, init } = contract
  return {
    address,
    floorNano: FLOOR_NANO,
    seqnoOf: ({ status, data }) => (status === 'active' && data !== null ? loadState(data).seqno : 0),
    async sign(account, transfers, validUntilS) {
      if (account.status === 'frozen') throw unusableWallet(address, 'the account is frozen: it owes rent')
      const state = account.status === 'active' && account.data !== null ? loadState(account.data) : null
      if (state !== null && !equalBytes(state.publicKey, key.publicKey))
        throw unusableWallet(address, 'the account holds another key')
      if (state !== null && !state.isSignatureAllowed)
        throw unusableWallet(address, 'signatures are switched off in it; an extension must switch them on again')
      const seqno = state?.seqno ?? 0
      const body: Cell = await contract.createRequest({
        seqno,
        timeout: validUntilS,
        authType: 'external',
        signer: (cell: Cell) => Promise.resolve(Buffer.from(key.sign(cell.hash()))),
        // Without "ignore errors" the wallet refuses the whole message before it pays for anything.
        actions: transfers.map(({ mode, message }) => ({
          type: 'sendMsg',
          mode: mode + 2,
          outMsg: loadMessageRelaxed(message.beginParse()) as MessageRelaxed,
        })),
      })
      return { seqno, body, ...(state === null ? { init } : {}) }
    },
  }
}

interface StandardState {
  readonly isSignatureAllowed: boolean
  readonly seqno: number
  readonly publicKey: Uint8Array
}

function loadState(data: Cell): StandardState {
  const from = data.beginParse()
  const isSignatureAllowed = from.loadBit()
  const seqno = from.loadUint(32)
  return { isSignatureAllowed, seqno, publicKey: new Uint8Array(from.skip(32).loadBuffer(32)) }
}
