/** What an external message would cost its contract: the transaction is made, read and thrown away. */
import { type Address, beginCell, Cell, external, loadTransaction, storeMessage } from '@ton/core'
import { devnetError } from './errors.ts'
import type { View } from './view.ts'
import { NO_ACCOUNT, type Vm } from './vm.ts'

/** nanoTON each. */
export interface Fees {
  readonly inForward: bigint
  readonly storage: bigint
  readonly gas: bigint
  readonly forward: bigint
}

export interface ExternalCall {
  readonly address: Address
  readonly body: Cell
  readonly code: Cell | null
  readonly data: Cell | null
}

/** The message that carries a call from outside, with the contract's initial state when code or data are given. */
export function externalMessage({ address, body, code, data }: ExternalCall): Cell {
  const init = code === null && data === null ? null : { code, data }
  return beginCell()
    .store(storeMessage(external({ to: address, init, body })))
    .endCell()
}

/** Throws `request.devnet-refused` when the contract does not accept the message. */
export async function estimateFees(
  vm: Vm,
  view: View,
  call: ExternalCall & { readonly ignoreSignatures: boolean },
): Promise<Fees> {
  const outcome = await vm.run({
    account: view.accountBoc(call.address.toRawString()) ?? NO_ACCOUNT,
    message: externalMessage(call),
    now: view.now,
    lt: view.block.endLt + 1_000_000n,
    seed: Buffer.from(view.block.hash, 'hex'),
    ignoreSignatures: call.ignoreSignatures,
  })
  if (outcome.is === 'refused') throw devnetError('request.devnet-refused', { message: outcome.why })
  const { description: d, totalFees } = loadTransaction(Cell.fromBase64(outcome.transaction).beginParse())
  if (d.type !== 'generic') throw devnetError('request.devnet-refused')
  const storage = d.storagePhase?.storageFeesCollected ?? 0n
  const gas = d.computePhase.type === 'vm' ? d.computePhase.gasFees : 0n
  const action = d.actionPhase?.totalActionFees ?? 0n
  return {
    inForward: totalFees.coins - storage - gas - action,
    storage,
    gas,
    forward: d.actionPhase?.totalFwdFees ?? 0n,
  }
}
