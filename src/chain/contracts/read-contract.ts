/** A contract of a client, worker or proxy as the chain tells it now: there, not there, or in a state that nobody may act on. */
import type { Address, Cell } from '@ton/core'
import { CocoonError, equalBytes } from '../../util/index.ts'
import { formatAddress } from '../address.ts'
import type { AccountState, ChainReader, ReadOptions } from '../reader.ts'
import { clientState } from './client.ts'
import type { RootParams } from './params.ts'
import { proxyState } from './proxy.ts'
import { workerState } from './worker.ts'

const LAYOUTS = { client: clientState, worker: workerState, proxy: proxyState } as const
type Role = keyof typeof LAYOUTS

export interface ContractOnChain<R extends Role> {
  readonly account: AccountState
  /** Null where nobody has deployed it. */
  readonly stored: ReturnType<(typeof LAYOUTS)[R]['loadPrefix']> | null
}

/**
 * Throws what `getAccount` throws; `chain.frozen` for an account that rent has frozen, and `chain.contract-code` for one that runs
 * another code than the parameters name: an address follows from its code, so somebody is not telling the truth. Both mean that
 * no order may go there: what is sent along might not come back.
 */
export async function readContract<R extends Role>(
  reader: Pick<ChainReader, 'getAccount'>,
  role: R,
  address: Address,
  { codes, isTest }: Pick<RootParams, 'codes' | 'isTest'>,
  options: ReadOptions = {},
): Promise<ContractOnChain<R>> {
  const account = await reader.getAccount(address, { ...options, confirmed: true })
  const name = `the ${role} contract ${formatAddress(address, isTest)}`
  if (account.status === 'frozen')
    throw new CocoonError('chain.frozen', {
      message: `${name} owes rent and is frozen: it keeps what it holds, and nothing is sent there until it was unfrozen with its last state; it is looked at again`,
    })
  if (account.status !== 'active' || account.data === null) return { account, stored: null }
  if (account.code === null || !equalBytes(account.code.hash(), codes[role].hash))
    throw new CocoonError('chain.contract-code', {
      message: `${name} is told to run another code than the network’s parameters name: nothing is sent there; ask another endpoint (ton.endpoints), or two that must agree`,
    })
  return { account, stored: load(role, account.data) }
}

const load = <R extends Role>(role: R, data: Cell): NonNullable<ContractOnChain<R>['stored']> =>
  LAYOUTS[role].loadPrefix(data) as NonNullable<ContractOnChain<R>['stored']>
