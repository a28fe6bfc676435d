/** The wallet contract in tests: its data, its orders. */
import { type Address, beginCell, type Cell, internal as innerMessage, storeMessageRelaxed } from '@ton/core'
import { external } from '@ton/core'
import { Blockchain } from '@ton/sandbox'
import type { SigningKey } from '../../../src/chain/index.ts'
import { exitOf } from './exit-sites.ts'
import { head, OP, text } from './messages.ts'
import {
  codeOf,
  type Codes,
  deployment,
  type Deployment,
  messageTo,
  NOW,
  type Outcome,
  outcomeOf,
  STRANGER,
  TON,
  WALLET_KEY,
  WALLET_OWNER,
} from './world.ts'

export interface WalletData {
  readonly seqno: number
  readonly subwallet: number
  readonly status: number
}

export function walletData({ seqno, subwallet, status }: WalletData = { seqno: 0, subwallet: 0, status: 0 }): Cell {
  const data = beginCell().storeUint(seqno, 32).storeUint(subwallet, 32).storeBuffer(Buffer.from(WALLET_KEY.publicKey))
  return data.storeUint(status, 32).storeAddress(WALLET_OWNER).endCell()
}

export function loadWallet(cell: Cell): WalletData {
  const s = cell.beginParse()
  const [seqno, subwallet] = [s.loadUint(32), s.loadUint(32)]
  return { seqno, subwallet, status: s.skip(256).loadUint(32) }
}

export const transfer = (to: Address, value: bigint): Cell =>
  beginCell()
    .store(storeMessageRelaxed(innerMessage({ to, value, bounce: false })))
    .endCell()

export interface Order {
  readonly seqno: number
  readonly subwallet?: number
  readonly validUntil?: number
  readonly messages?: readonly (readonly [mode: number, message: Cell])[]
  readonly key?: SigningKey
}

export function orderBody({
  seqno,
  subwallet = 0,
  validUntil = NOW + 3600,
  messages = [],
  key = WALLET_KEY,
}: Order): Cell {
  const signed = beginCell().storeUint(subwallet, 32).storeUint(validUntil, 32).storeUint(seqno, 32)
  for (const [mode, message] of messages) signed.storeUint(mode, 8).storeRef(message)
  const signature = key.sign(signed.endCell().hash())
  return beginCell().storeBuffer(Buffer.from(signature)).storeBuilder(signed).endCell()
}

export interface WalletWorld {
  readonly chain: Blockchain
  readonly wallet: Deployment
  /** An external message; `null` when the wallet did not accept it, with the exit code in `refusal`. */
  external(body: Cell): Promise<{ readonly outcome: Outcome | null; readonly refusal: number | null }>
  internal(from: Address, value: bigint, body?: Cell): Promise<Outcome>
  state(): Promise<WalletData>
  balance(): Promise<bigint>
  data(): Promise<Cell>
}

export async function createWalletWorld(value = 10n * TON, codeFor: Codes = codeOf): Promise<WalletWorld> {
  const chain = await Blockchain.create()
  chain.now = NOW
  const wallet = deployment(codeFor('wallet'), walletData())
  await chain.sendMessage(messageTo(wallet.address, { from: WALLET_OWNER, value, init: wallet.init, bounce: false }))
  const data = async (): Promise<Cell> => {
    const { accountState } = await chain.getContract(wallet.address)
    if (accountState?.type !== 'active' || !accountState.state.data) throw new RangeError('the wallet is not active')
    return accountState.state.data
  }
  return {
    chain,
    wallet,
    data,
    external: async (body) => {
      try {
        return { outcome: outcomeOf(await chain.sendMessage(external({ to: wallet.address, body }))), refusal: null }
      } catch (error) {
        const { exitCode } = error as { readonly exitCode?: number }
        if (exitCode === undefined) throw error
        return { outcome: null, refusal: exitOf(exitCode) }
      }
    },
    internal: async (from, coins, body) =>
      outcomeOf(
        await chain.sendMessage(
          messageTo(wallet.address, { from, value: coins, ...(body === undefined ? {} : { body }) }),
        ),
      ),
    state: async () => loadWallet(await data()),
    balance: async () => (await chain.getContract(wallet.address)).balance,
  }
}

export const sendMessage = (mode: number, message: Cell): Cell =>
  head(0x9c69f376, 1n).storeUint(mode, 8).storeRef(message).endCell()

export async function gasRun(note: (name: string, outcome: Outcome) => void): Promise<void> {
  const w = await createWalletWorld()
  for (const [seqno, count] of [0, 1, 4].entries()) {
    const messages = Array.from({ length: count }, () => [0, transfer(STRANGER, TON / 10n)] as const)
    const { outcome } = await w.external(orderBody({ seqno, messages }))
    if (outcome !== null) note(`wallet order of ${count}`, outcome)
  }
  note('wallet excess', await w.internal(STRANGER, TON, head(OP.excesses, 1n).endCell()))
  note('wallet owner send', await w.internal(WALLET_OWNER, TON, sendMessage(1, transfer(STRANGER, 1n))))
  note('wallet block', await w.internal(WALLET_OWNER, TON, text('b')))
  note('wallet withdraw', await w.internal(WALLET_OWNER, TON, text('w')))
}
