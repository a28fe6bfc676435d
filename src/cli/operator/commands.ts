/** `cocoon operator show|stake|withdraw|close`: the money of a proxy contract, for whoever owns it. */
import {
  type Address,
  carryOut,
  type Order,
  type OrderDeps,
  type OrderResult,
  payFrom,
  proxyContractAddress,
  RENT_FLOOR_NANO,
} from '../../chain/index.ts'
import { CocoonError, formatTon, toCocoonError } from '../../util/index.ts'
import { type ProxyOnChain, readProxy } from '../account/read.ts'
import { findKey } from '../keys.ts'
import {
  addressOf,
  addressText,
  amountOf,
  asAnybody,
  link,
  type Money,
  orderDeps,
  ownerAddressOf,
  paysFrom,
  resultsForJson,
  rootOf,
  show,
  withOwner,
} from '../money.ts'
import { isPast, timeText, untilUnlocked } from '../unlocking.ts'
import { closeOrder, completeOrder, stakeOrder, withdrawOrder } from './orders.ts'

export interface OperatorFlags {
  readonly proxy?: string
  readonly from?: string
  readonly wait?: boolean
  readonly json?: boolean
}

export async function showOperator(money: Money, flags: OperatorFlags): Promise<number> {
  return report(money, await contractOf(money, flags), [])
}

export const stake = (money: Money, amount: string, flags: OperatorFlags): Promise<number> => {
  const amountNano = amountOf(amount, 'the stake')
  return act(money, flags, (contract, excess) => stakeOrder(contract, amountNano, excess))
}

export const withdraw = (money: Money, flags: OperatorFlags): Promise<number> => act(money, flags, withdrawOrder)

/** Begins; with `--wait` also ends it. The running proxy ends it by itself once everybody has what is theirs. */
export async function close(money: Money, flags: OperatorFlags): Promise<number> {
  let contract = await contractOf(money, flags)
  const read = (): Promise<ProxyOnChain> => readProxy(money, contract.address)
  const results: OrderResult[] = []
  if (contract.state.state !== 'closing') {
    results.push(...(await asOwner(money, contract, (excess) => closeOrder(contract, excess))))
    contract = await read()
    money.err.line('! keep the proxy running: it signs what clients get back and pays what workers are owed')
  }
  const { unlockTs } = contract.state
  if (contract.state.state === 'closing' && flags.wait === true)
    contract = await untilUnlocked(money, { contract, unlockTs }, read, (now) => now.state.state === 'closing')
  if (contract.state.state === 'closing' && (await isPast(money, unlockTs))) {
    results.push(...(await endUnlessEnded(money, contract, read)))
    contract = await read()
  }
  return report(money, contract, results)
}

/** The running proxy may be faster at the very end: what it did is what was wanted. */
async function endUnlessEnded(
  money: Money,
  contract: ProxyOnChain,
  read: () => Promise<ProxyOnChain>,
): Promise<readonly OrderResult[]> {
  try {
    return await asOwner(money, contract, () => completeOrder(contract))
  } catch (error) {
    if (toCocoonError(error).code === 'chain.order-failed' && (await read()).state.state === 'closed') return []
    throw error
  }
}

async function act(
  money: Money,
  flags: OperatorFlags,
  orderFor: (contract: ProxyOnChain, excess: Address) => Order,
): Promise<number> {
  const contract = await contractOf(money, flags)
  // Judged before a wallet is opened: nobody types a passphrase for an order that cannot be.
  orderFor(contract, contract.address)
  const results = await asAnybody(money, 'proxy', paysFrom(flags.from), (deps: OrderDeps) =>
    carryOut(deps, [orderFor(contract, deps.payer.excess)]),
  )
  return report(money, await readProxy(money, contract.address), results)
}

/** For what the contract lets nobody else do. Throws `chain.not-owner`. */
async function asOwner(
  money: Money,
  { state: { owner } }: ProxyOnChain,
  orderFor: (excess: Address) => Order,
): Promise<readonly OrderResult[]> {
  orderFor(owner)
  return withOwner(money, async (sender) => {
    if (!sender.address.equals(owner))
      throw new CocoonError('chain.not-owner', {
        message: `the proxy contract obeys ${addressText(money, owner)} only, and this wallet is ${addressText(money, sender.address)}: name the owner’s with --wallet-name`,
      })
    return carryOut(orderDeps(money, payFrom(sender)), [orderFor(sender.address)])
  })
}

/** The one that is given, or that of the proxy of this folder. Throws `config.proxy`, `chain.no-proxy`. */
async function contractOf(money: Money, { proxy }: OperatorFlags): Promise<ProxyOnChain> {
  if (proxy !== undefined) return readProxy(money, addressOf(money, proxy, '--proxy'))
  const { config, network } = money
  const [key, owner] = [findKey(config.home, 'proxy'), await ownerAddressOf(config, 'proxy', network.isTest)]
  if (key === null || owner === null)
    throw new CocoonError('config.proxy', {
      message: `no proxy has run with ${config.home}: give its home (--home), or its contract with --proxy`,
    })
  const { address: root, state } = await rootOf(money)
  return readProxy(money, proxyContractAddress(state.params, { owner, publicKey: key.publicKey, root }))
}

function report(money: Money, contract: ProxyOnChain, results: readonly OrderResult[]): number {
  const { address, state, isCurrent, heldNano } = contract
  const free = heldNano - state.balance - state.stake - RENT_FLOOR_NANO
  const potNano = free > 0n ? free : 0n
  const unlockAt = state.unlockTs === 0 ? null : timeText(state.unlockTs)
  const facts = {
    network: money.network.name,
    contract: addressText(money, address),
    owner: addressText(money, state.owner),
    url: link(money, address),
    state: state.state,
    isCurrent,
    earnedNano: state.balance,
    stakeNano: state.stake,
    potNano,
    unlockAt,
    done: resultsForJson(money, results),
  }
  const line = (name: string, text: string): string => `  ${name.padEnd(10)}${text}`
  show(money, facts, () => [
    `proxy contract ${facts.contract} of ${facts.owner}`,
    line(
      'state',
      `${state.state}${unlockAt === null ? '' : `, until ${unlockAt}`}${isCurrent ? '' : ' (of former parameters)'}`,
    ),
    line('earned', `${formatTon(state.balance)} TON, go to the owner with \`cocoon operator withdraw\``),
    line('stake', `${formatTon(state.stake)} TON stay until the contract is closed`),
    line('pot', `${formatTon(potNano)} TON were charged to clients and are not paid to workers yet`),
    line('look', facts.url),
  ])
  return 0
}
