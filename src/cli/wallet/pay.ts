/** `cocoon wallet send`, `fund` and `faucet`, and what an owner can do with a node's wallet: `sweep`, `block`, `unblock`. */
import {
  carryOut,
  initialWalletData,
  type Order,
  type OrderResult,
  payFrom,
  textComment,
  WALLET_COMMANDS,
  walletMessages,
  type WalletSender,
} from '../../chain/index.ts'
import { CocoonError, formatTon, NANO_PER_TON } from '../../util/index.ts'
import { askFaucet } from '../faucet.ts'
import type { NodeRole } from '../keys.ts'
import {
  addressOf,
  addressText,
  amountOf,
  link,
  type Money,
  nodeWalletOf,
  NOTHING,
  orderDeps,
  requireWallet,
  resultsForJson,
  show,
  withNodeWallet,
  withOwner,
} from '../money.ts'
import { askYesNo, canAsk } from '../prompt.ts'
import { standardWalletAddress } from './standard-wallet.ts'

export interface SendFlags {
  readonly comment?: string
  readonly from: string
  readonly yes?: boolean
}

/** Longer ones are cut by wallet programs. */
const MAX_COMMENT_BYTES = 120

export async function sendMoney(money: Money, to: string, amount: string, flags: SendFlags): Promise<number> {
  const valueNano = amountOf(amount, 'the amount')
  const receiver = addressOf(money, to, 'the receiver')
  const from = payerName(flags.from)
  const { comment } = flags
  if (comment !== undefined && Buffer.byteLength(comment) > MAX_COMMENT_BYTES)
    throw new CocoonError('config.value', { message: `--comment has more than ${MAX_COMMENT_BYTES} bytes` })
  const account = await money.access.getAccount(receiver, { signal: money.signal })
  const order: Order = {
    label: `send ${formatTon(valueNano)} TON`,
    to: receiver,
    valueNano,
    body: comment === undefined ? NOTHING : textComment(comment),
    // Money for an account that does not exist yet would come back otherwise.
    bounce: account.status === 'active',
  }
  await confirm(
    money,
    flags,
    `send ${formatTon(valueNano)} TON on ${money.network.name} to ${addressText(money, receiver)}?`,
  )
  const send = (sender: WalletSender): Promise<readonly OrderResult[]> =>
    carryOut(orderDeps(money, payFrom(sender)), [order])
  const results = from === 'owner' ? await withOwner(money, send) : await withNodeWallet(money, from, send)
  return report(money, results, `sent ${formatTon(valueNano)} TON to ${addressText(money, receiver)}`)
}

/** From the owner's wallet to a node's, which is deployed with it where it is not yet. */
export async function fundNode(money: Money, role: NodeRole, amount: string): Promise<number> {
  const valueNano = amountOf(amount, 'the amount')
  const { address, key, owner, code } = await nodeWalletOf(money, role)
  const { status } = await money.access.getAccount(address, { signal: money.signal })
  const init = { code: code.cell ?? NOTHING, data: initialWalletData({ owner, publicKey: key.publicKey }) }
  const order: Order = {
    label: `fund the ${role}'s wallet`,
    to: address,
    valueNano,
    body: NOTHING,
    bounce: false,
    ...(status === 'active' ? {} : { init }),
  }
  const results = await withOwner(money, (sender) => carryOut(orderDeps(money, payFrom(sender)), [order]))
  return report(
    money,
    results,
    `the ${role}'s wallet ${addressText(money, address)} has ${formatTon(valueNano)} TON more`,
  )
}

const DEFAULT_FAUCET_NANO = 100n * NANO_PER_TON

/** Money of the local chain for the owner's wallet, or a node's. */
export async function takeFromFaucet(money: Money, amount: string | undefined, from: string): Promise<number> {
  const valueNano = amount === undefined ? DEFAULT_FAUCET_NANO : amountOf(amount, 'the amount')
  const who = payerName(from)
  const address =
    who === 'owner'
      ? standardWalletAddress(requireWallet(money.config).publicKey, money.network.isTest)
      : (await nodeWalletOf(money, who)).address
  await askFaucet(
    money.network,
    money.access,
    address,
    valueNano,
    AbortSignal.any([money.signal, AbortSignal.timeout(60_000)]),
  )
  const { balanceNano } = await money.access.getAccount(address, { signal: money.signal })
  show(money, { address: addressText(money, address), balanceNano, url: link(money, address) }, () => [
    `${addressText(money, address)} holds ${formatTon(balanceNano)} TON of the devnet's play money`,
  ])
  return 0
}

export type OwnerCommand = 'sweep' | 'block' | 'unblock'
const COMMANDS = {
  sweep: WALLET_COMMANDS.withdraw,
  block: WALLET_COMMANDS.block,
  unblock: WALLET_COMMANDS.unblock,
} as const
const DONE = {
  sweep: 'everything but its rent has gone to its owner',
  block: 'its key can spend nothing until it is unblocked',
  unblock: 'its key can spend again',
} as const
/** Comes back with a sweep, and stays in the node's wallet otherwise. */
const COMMAND_NANO = NANO_PER_TON / 20n

/** What the owner may do without the node's key: also when that key is in wrong hands. */
export async function commandNodeWallet(money: Money, role: NodeRole, command: OwnerCommand): Promise<number> {
  const { address } = await nodeWalletOf(money, role)
  const order: Order = {
    label: `${command} the ${role}'s wallet`,
    to: address,
    valueNano: COMMAND_NANO,
    body: walletMessages.command.build({ command: COMMANDS[command] }),
  }
  const results = await withOwner(money, (sender) => carryOut(orderDeps(money, payFrom(sender)), [order]))
  return report(money, results, `the ${role}'s wallet ${addressText(money, address)}: ${DONE[command]}`)
}

/** Throws `config.value`. */
export function roleOf(text: string): NodeRole {
  if (text === 'client' || text === 'proxy' || text === 'worker') return text
  throw new CocoonError('config.value', { message: `a node is client, proxy or worker, not "${text}"` })
}

function payerName(text: string): NodeRole | 'owner' {
  if (text === 'owner') return text
  if (text === 'client' || text === 'proxy' || text === 'worker') return text
  throw new CocoonError('config.value', { message: `--from is owner, client, proxy or worker, not "${text}"` })
}

async function confirm({ err }: Money, { yes = false }: SendFlags, question: string): Promise<void> {
  if (yes) return
  if (!canAsk())
    throw new CocoonError('config.confirm', { message: `${question} Nobody can be asked here: add --yes to send` })
  if (!(await askYesNo(`${err.style('bold', '?')} ${question}`)))
    throw new CocoonError('config.stopped', { message: 'nothing was sent' })
}

function report(money: Money, results: readonly OrderResult[], sentence: string): number {
  show(money, { network: money.network.name, done: resultsForJson(money, results) }, () => [sentence])
  return 0
}
