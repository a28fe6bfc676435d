/** One signed message for a request, from the wallet as it was just read. */
import { Cell, loadMessageRelaxed } from '@ton/core'
import { CocoonError, formatTon, toHex } from '../../util/index.ts'
import { externalMessage } from '../contracts/node-wallet.ts'
import type { AccountState } from '../reader.ts'
import { type SendAttempt, type SendRecord, transfersOf } from './journal.ts'
import type { PayingWallet } from './paying-wallet.ts'

export interface SigningTerms {
  readonly floorNano: bigint
  readonly reserveNano: bigint
  readonly validForS: number
}

/** Throws `chain.balance`, `chain.wallet`, `chain.code-unknown`. */
export async function signAttempt(
  record: SendRecord,
  account: AccountState,
  wallet: PayingWallet,
  terms: SigningTerms,
): Promise<SendAttempt> {
  // By the chain's clock: ours may be wrong.
  const validUntilS = Math.floor(account.atMs / 1000) + terms.validForS
  const { seqno, body, init } = await wallet.sign(account, transfersOf(record), validUntilS)
  checkBalance(record, account, terms)
  const boc = externalMessage(wallet.address, body, init).toBoc().toString('base64')
  return { seqno, validUntilS, bodyHash: toHex(body.hash()), boc }
}

function checkBalance(record: SendRecord, { address, balanceNano }: AccountState, terms: SigningTerms): void {
  const needed = record.transfers.reduce((sum, { boc }) => sum + valueOf(boc), terms.reserveNano)
  const least = needed > terms.floorNano ? needed : terms.floorNano
  if (balanceNano >= least) return
  const [name, missingNano] = [address.toString(), least - balanceNano]
  throw new CocoonError('chain.balance', {
    missingNano,
    message: `the wallet ${name} holds ${formatTon(balanceNano)} TON and needs ${formatTon(least)}: send it at least ${formatTon(missingNano)} TON`,
  })
}

function valueOf(boc: string): bigint {
  const { info } = loadMessageRelaxed(Cell.fromBase64(boc).beginParse())
  return info.type === 'internal' ? info.value.coins : 0n
}
