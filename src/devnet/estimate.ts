/** What an external message would cost its contract: the transaction is made, read and thrown away. */
import { type Address, beginCell, Cell, loadTransaction, storeMessage } from '@ton/core'
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

/** Throws `request.devnet-refused` when the contract does not accept the message. */
export async function estimateFees(
  vm: Vm,
  view: View,
  call: {
    readonly address: Address
    readonly body: Cell
    readonly code: Cell | null
    readonly data: Cell | null
    readonly ignoreSignatures: boolean
  },
): Promise<Fees> {
  const message = beginCell()
    .store(
      storeMessage({
        info: { type: 'external-in', dest: call.address, importFee: 0n },
        init: call.code === null && call.data === null ? null : { code: call.code, data: call.data },
        body: call.body,
      }),
    )
    .endCell()
  const outcome = await vm.run({
    account: view.accountBoc(call.address.toRawString()) ?? NO_ACCOUNT,
    message,
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
