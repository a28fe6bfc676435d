/** `cocoon account show|top-up|stake|withdraw|close`: a client's money with a proxy. */
import { type Address, carryOut, type Order, type OrderDeps, type OrderResult, pause } from '../../chain/index.ts'
import { CocoonError, formatTon, toCocoonError } from '../../util/index.ts'
import { adminClient } from '../gateway/admin-client.ts'
import {
  addressOf,
  addressText,
  amountOf,
  asAnybody,
  asNodeWallet,
  link,
  type Money,
  nodeWalletOf,
  paysFrom,
  resultsForJson,
  show,
} from '../money.ts'
import { accountsOfNode } from '../node-accounts.ts'
import { isPast, timeText, untilUnlocked } from '../unlocking.ts'
import { closeOrder, open, stakeOrder, topUpOrder, withdrawOrder } from './orders.ts'
import { type ClientAccount, readClientAccount, readProxy } from './read.ts'

export interface AccountFlags {
  readonly proxy?: string
  readonly from?: string
  readonly wait?: boolean
  /** What `--without-proxy` is; true unless it was given. */
  readonly withProxy?: boolean
  readonly json?: boolean
}

export async function showAccounts(money: Money, flags: AccountFlags): Promise<number> {
  const { address: owner } = await nodeWalletOf(money, 'client')
  const accounts = await Promise.all((await proxiesOf(money, flags)).map((proxy) => readAccount(money, proxy, owner)))
  show(
    money,
    {
      network: money.network.name,
      wallet: addressText(money, owner),
      accounts: accounts.map((a) => forJson(money, a)),
    },
    () => accounts.flatMap((account) => textOf(money, account)),
  )
  return 0
}

export const topUp = (money: Money, amount: string, flags: AccountFlags): Promise<number> => {
  const amountNano = amountOf(amount, 'the amount')
  return act(money, flags, (account, excess) => topUpOrder(account, amountNano, excess), asAnybody)
}

export const raiseStake = (money: Money, amount: string, flags: AccountFlags): Promise<number> => {
  const stakeNano = amountOf(amount, 'the stake')
  return act(money, flags, (account, excess) => stakeOrder(account, stakeNano, excess))
}

export const withdraw = (money: Money, flags: AccountFlags): Promise<number> => act(money, flags, withdrawOrder)

/**
 * At once with a refund that the proxy signs, where the client runs and is connected to it. Else in two steps with the network's
 * delay between them; with `--wait` both. The proxy, or the running client, may end it earlier.
 */
export async function closeAccount(money: Money, flags: AccountFlags): Promise<number> {
  const { address: owner } = await nodeWalletOf(money, 'client')
  const proxy = await oneProxy(money, flags)
  const read = (): Promise<ClientAccount> => readAccount(money, proxy, owner)
  const results: OrderResult[] = []
  let account = await read()
  if (open(account).state === 'normal' && flags.withProxy !== false) {
    await askForRefund(money, proxy, read)
    account = await read()
  }
  if (account.state?.state === 'normal') {
    results.push(...(await give(money, flags, account, closeOrder)))
    account = await read()
  }
  if (account.state?.state === 'closing' && flags.wait === true)
    account = await untilUnlocked(money, { contract: account, unlockTs: account.state.unlockTs }, read, isClosing)
  if (account.state?.state === 'closing' && (await isPast(money, account.state.unlockTs))) {
    results.push(...(await giveUnlessClosed(money, flags, account, read)))
    account = await read()
  }
  show(money, { ...forJson(money, account), done: resultsForJson(money, results) }, () => [
    ...textOf(money, account),
    account.state?.state === 'closing'
      ? `The same command ends it after ${timeText(account.state.unlockTs)}; the proxy may end it earlier.`
      : 'The money is in the client’s wallet: `cocoon wallet sweep client` brings it to its owner.',
  ])
  return 0
}

/** Longer than a proxy waits for a checkpoint before it signs. */
const REFUND_TIMEOUT_MS = 330_000
/** From the client's wallet to the contract. */
const REFUND_ARRIVAL_MS = 180_000

/** Has the running client ask the proxy, and waits until the contract is closed; returns without, where nobody can be asked. */
async function askForRefund(money: Money, proxy: Address, read: () => Promise<ClientAccount>): Promise<void> {
  const known = await accountsOfNode(money.config, 'client')
  if (!known.some((one) => addressOf(money, one.proxyContract, 'proxyContract').equals(proxy))) return
  const note = (text: string): void => money.err.line(money.err.style('dim', `… ${text}`))
  note('asking the proxy for a signed refund: it comes when all that was used is settled')
  try {
    const body = { proxy_contract: proxy.toRawString() }
    await adminClient(money.config).ask('POST', '/admin/accounts/close', body, REFUND_TIMEOUT_MS)
  } catch (error) {
    const why = toCocoonError(error)
    if (why.code === 'capacity.no-proxy') return note(`${why.message}; closing without it`)
    throw new CocoonError(why.code, {
      ...why.info,
      message: `${why.message}; to close without the proxy: --without-proxy`,
    })
  }
  const deadlineMs = money.deps.clock.now() + REFUND_ARRIVAL_MS
  while ((await read()).state?.state !== 'closed' && money.deps.clock.now() < deadlineMs)
    await pause(money.deps.clock, money.network.pollMs[1], money.signal)
}

/** Somebody else may be faster at the very end: what they did is what was wanted. */
async function giveUnlessClosed(
  money: Money,
  flags: AccountFlags,
  account: ClientAccount,
  read: () => Promise<ClientAccount>,
): Promise<readonly OrderResult[]> {
  try {
    return await give(money, flags, account, closeOrder)
  } catch (error) {
    if (toCocoonError(error).code === 'chain.order-failed' && (await read()).state?.state === 'closed') return []
    throw error
  }
}

/** One order to one account, and how the account stands afterwards. */
async function act(
  money: Money,
  flags: AccountFlags,
  orderFor: (account: ClientAccount, excess: Address) => Order,
  pay: typeof asNodeWallet = asNodeWallet,
): Promise<number> {
  const { address: owner } = await nodeWalletOf(money, 'client')
  const proxy = await oneProxy(money, flags)
  const results = await give(money, flags, await readAccount(money, proxy, owner), orderFor, pay)
  const account = await readAccount(money, proxy, owner)
  show(money, { ...forJson(money, account), done: resultsForJson(money, results) }, () => textOf(money, account))
  return 0
}

function give(
  money: Money,
  flags: AccountFlags,
  account: ClientAccount,
  orderFor: (account: ClientAccount, excess: Address) => Order,
  pay: typeof asNodeWallet = asNodeWallet,
): Promise<readonly OrderResult[]> {
  // Judged before a wallet is opened: nobody types a passphrase for an order that cannot be.
  orderFor(account, account.address)
  return pay(money, 'client', paysFrom(flags.from), (deps: OrderDeps) =>
    carryOut(deps, [orderFor(account, deps.payer.excess)]),
  )
}

const readAccount = async (money: Money, proxy: Address, owner: Address): Promise<ClientAccount> =>
  readClientAccount(money, await readProxy(money, proxy), owner)

/** Throws `config.proxy` when it is not clear which one. */
async function oneProxy(money: Money, flags: AccountFlags): Promise<Address> {
  const [one, ...more] = await proxiesOf(money, flags)
  if (one !== undefined && more.length === 0) return one
  throw new CocoonError('config.proxy', {
    message: `there are accounts with ${more.length + 1} proxies: say which with --proxy, \`cocoon account show\` lists them`,
  })
}

/** The one that is given, or those that the running client talks to. */
async function proxiesOf(money: Money, { proxy }: AccountFlags): Promise<readonly Address[]> {
  if (proxy !== undefined) return [addressOf(money, proxy, '--proxy')]
  const known = await accountsOfNode(money.config, 'client')
  const addresses = known.map((one) => addressOf(money, one.proxyContract, 'proxyContract'))
  if (addresses.length > 0) return addresses
  throw new CocoonError('config.proxy', {
    message: 'no client runs here that knows a proxy: start it, or give the proxy’s contract with --proxy',
  })
}

const isClosing = ({ state }: ClientAccount): boolean => state?.state === 'closing'

function forJson(money: Money, { proxy, address, state, heldNano }: ClientAccount): object {
  return {
    proxyContract: addressText(money, proxy.address),
    isCurrent: proxy.isCurrent,
    proxyState: proxy.state.state,
    contract: addressText(money, address),
    url: link(money, address),
    state: state?.state ?? 'not opened',
    balanceNano: state?.balance ?? 0n,
    stakeNano: state?.stake ?? proxy.params.minClientStakeNano,
    tokensUsed: state?.tokensUsed ?? 0n,
    heldNano,
    unlockAt: state === null || state.unlockTs === 0 ? null : timeText(state.unlockTs),
    pricePerTokenNano: proxy.params.pricePerToken,
  }
}

function textOf(money: Money, account: ClientAccount): readonly string[] {
  const { proxy, address, state } = account
  const line = (name: string, text: string): string => `  ${name.padEnd(10)}${text}`
  const head = `account ${addressText(money, address)} with proxy ${addressText(money, proxy.address)}`
  if (state === null) return [head, line('state', 'not opened: the first top-up opens it')]
  const closing = state.unlockTs === 0 ? '' : `, ends after ${timeText(state.unlockTs)}`
  return [
    head,
    line(
      'state',
      `${state.state}${closing}${proxy.isCurrent ? '' : ' (of former parameters: move to the new contract)'}`,
    ),
    line(
      'balance',
      `${formatTon(state.balance)} TON, enough for ${tokensFor(state.balance, proxy.params.pricePerToken)} tokens`,
    ),
    ...(state.state === 'closed'
      ? []
      : [line('stake', `${formatTon(state.stake)} TON of it stay until the account is closed`)]),
    line('used', `${state.tokensUsed} tokens charged, ${formatTon(state.tokensUsed * proxy.params.pricePerToken)} TON`),
    line('look', link(money, address)),
  ]
}

const tokensFor = (nano: bigint, price: bigint): string => (price === 0n ? 'any number of' : String(nano / price))
