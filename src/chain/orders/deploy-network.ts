/**
 * A network of one's own: the root contract with our codes, what it lists, and the contracts and wallets of its nodes. Every
 * function looks first and does only what is missing, so that it can be called again after anything.
 */
import { type Address, Cell } from '@ton/core'
import { CocoonError, NANO_PER_TON } from '../../util/index.ts'
import { digestOf } from '../cell-hash.ts'
import { contractAddressOf } from '../contracts/addresses.ts'
import type { StateInit } from '../contracts/deploy.ts'
import { ownCode, ownCodes } from '../contracts/own-code.ts'
import { codeOf, type ContractCodes, type Multipliers, type RootParams } from '../contracts/params.ts'
import type { AccountState, ChainReader } from '../reader.ts'
import { parseRootState, type RootState, storeRootState } from '../root/state.ts'
import { carryOut, type OrderDeps, type OrderResult } from './carry-out.ts'
import type { Order } from './payer.ts'
import {
  describeRootChange,
  planRoot,
  type RootChange,
  rootChangeBody,
  type RootTerms,
  type RootWish,
} from './root-plan.ts'

export interface NewRoot {
  /** Who may change it: the wallet that pays for the changes. */
  readonly owner: Address
  readonly isTest: boolean
  /** Any number; two networks with the same everything else differ by it. */
  readonly uniqueId: number
  readonly terms: RootTerms
  readonly multipliers?: Multipliers
  /** Ours, unless said otherwise. */
  readonly codes?: ContractCodes
}

/** What the public network charges for the classes of tokens, per ten-thousand. */
const USUAL_MULTIPLIERS: Multipliers = { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 }
/** Rent for a decade; nothing but rent is ever taken from it. */
const ROOT_DEPLOY_NANO = NANO_PER_TON / 2n
/** What an order to the root brings along. It comes back, less the fee. */
const ROOT_ORDER_NANO = NANO_PER_TON / 10n

/** Where the root will be, and what is sent to deploy it. It lists nothing yet: that follows in orders. */
export function rootStateInit(root: NewRoot): { readonly address: Address; readonly init: StateInit } {
  const codes = root.codes ?? ownCodes()
  const params: Omit<RootParams, 'codes'> = {
    structVersion: 4,
    paramsVersion: 1,
    uniqueId: root.uniqueId,
    isTest: root.isTest,
    multipliers: root.multipliers ?? USUAL_MULTIPLIERS,
    ...root.terms,
  }
  const init = {
    code: ownCode('root').cell,
    data: storeRootState({
      owner: root.owner,
      version: 1,
      proxyHashes: [],
      proxies: [],
      lastProxySeqno: 0,
      workerHashes: [],
      modelHashes: [],
      params: {
        ...params,
        codes: {
          proxy: codeOf(codes.proxy, 'proxy'),
          worker: codeOf(codes.worker, 'worker'),
          client: codeOf(codes.client, 'client'),
        },
      },
    }),
  }
  return { address: contractAddressOf(digestOf(init.code), digestOf(init.data)), init }
}

/** Throws `chain.no-root`, and what `parseRootState` throws. */
export async function readRoot(reader: ChainReader, root: Address, signal?: AbortSignal): Promise<RootState> {
  const { status, data } = await reader.getAccount(root, { confirmed: true, ...(signal && { signal }) })
  if (status === 'active' && data !== null) return parseRootState(data)
  throw new CocoonError('chain.no-root', {
    message: `there is no root contract at ${root.toString()}: is it the address of this network?`,
  })
}

/** Deploys it unless it is there. What it says then may differ from `root`: `changeRoot` brings that about. */
export async function deployRoot(deps: OrderDeps, root: NewRoot): Promise<Address> {
  const { address, init } = rootStateInit(root)
  await deployMissing(deps, [{ label: 'deploy root', address, init, valueNano: ROOT_DEPLOY_NANO }])
  return address
}

/** What `changeRoot` would do. Throws `chain.no-root`, and what `parseRootState` throws. */
export const planRootChanges = async (deps: OrderDeps, root: Address, wish: RootWish): Promise<readonly RootChange[]> =>
  planRoot(await readRoot(deps.reader, root, deps.signal), wish)

/** Brings the root to what is wished, from wherever it is. The payer must be its owner. */
export async function changeRoot(
  deps: OrderDeps,
  root: Address,
  wish: RootWish,
): Promise<{ readonly changes: readonly RootChange[]; readonly results: readonly OrderResult[] }> {
  const state = await readRoot(deps.reader, root, deps.signal)
  const changes = planRoot(state, wish)
  if (changes.length > 0 && !state.owner.equals(deps.payer.address))
    throw new CocoonError('chain.not-owner', {
      message: `the root contract ${root.toString()} obeys ${state.owner.toString()} only, and this wallet is ${deps.payer.address.toString()}`,
    })
  return { changes, results: await carryOut(deps, rootOrders(root, state.version, changes)) }
}

/** The number of a query is the version that it makes: it tells orders of one content apart. */
const rootOrders = (root: Address, version: number, changes: readonly RootChange[]): readonly Order[] =>
  changes.map((change, i) => ({
    label: describeRootChange(change),
    to: root,
    valueNano: ROOT_ORDER_NANO,
    body: rootChangeBody(change, BigInt(version + 1 + i)),
  }))

/** A contract that must be there. */
export interface WantedContract {
  readonly label: string
  readonly address: Address
  readonly init: StateInit
  /** Comes with the deployment and stays there for rent, as far as the contract does not send it back. */
  readonly valueNano: bigint
}

/** Deploys those that are not there. */
export async function deployMissing(
  deps: OrderDeps,
  wanted: readonly WantedContract[],
): Promise<readonly OrderResult[]> {
  const accounts = await readAll(deps, wanted)
  const missing = wanted.filter((_, i) => accounts[i]?.status !== 'active')
  // An account that rent has frozen does not come back with its first state.
  const frozen = wanted.find((_, i) => accounts[i]?.status === 'frozen')
  if (frozen !== undefined)
    throw new CocoonError('chain.frozen', {
      message: `${frozen.label}: ${frozen.address.toString()} owes rent and is frozen; it must be unfrozen with its last state`,
    })
  const order = ({ label, address, init, valueNano }: WantedContract): Order => ({
    label,
    to: address,
    valueNano,
    body: Cell.EMPTY,
    init,
    bounce: false,
  })
  return carryOut(deps, missing.map(order))
}

/** An account that must hold some money. */
export interface WantedFunds {
  readonly label: string
  readonly address: Address
  /** Below this it is filled up. */
  readonly atLeastNano: bigint
  readonly upToNano: bigint
}

/** Fills up those that hold too little. */
export async function fundMissing(deps: OrderDeps, wanted: readonly WantedFunds[]): Promise<readonly OrderResult[]> {
  const accounts = await readAll(deps, wanted)
  const orders = wanted.flatMap(({ label, address, atLeastNano, upToNano }, i): Order[] => {
    const balanceNano = accounts[i]?.balanceNano ?? 0n
    if (balanceNano >= atLeastNano) return []
    return [{ label, to: address, valueNano: upToNano - balanceNano, body: Cell.EMPTY, bounce: false }]
  })
  return carryOut(deps, orders)
}

const readAll = (
  { reader, signal }: OrderDeps,
  wanted: readonly { readonly address: Address }[],
): Promise<readonly AccountState[]> =>
  Promise.all(wanted.map(({ address }) => reader.getAccount(address, signal === undefined ? {} : { signal })))
