/** What every command about money needs: the chain, whoever pays, progress for people, one JSON object for programs. */
import { Cell } from '@ton/core'
import {
  accountUrl,
  type Address,
  type ChainAccess,
  type ChainDeps,
  type ChainNetwork,
  formatAddress,
  openChainAccess,
  type OrderDeps,
  type OrderProgress,
  type OrderResult,
  parseAddress,
  type Payer,
  payFrom,
  payThroughWallet,
  readRoot,
  requireRoot,
  type RootState,
  transactionUrl,
  type WalletSender,
} from '../chain/index.ts'
import { CocoonError, type Log, noMetrics, parseTon, type Secret, systemClock, systemRandom } from '../util/index.ts'
import type { Loaded } from './config.ts'
import { loadNodeWallet, type NodeRole, type NodeWallet } from './keys.ts'
import { chooseChain } from './network.ts'
import { openNodeSender, openWalletSender } from './paying.ts'
import { askSecret, canAsk } from './prompt.ts'
import type { Config } from './schema.ts'
import { printable, type Terminal } from './terminal.ts'
import { findWallet, keyOf, openWords, type StoredWallet } from './wallet/wallet-file.ts'

export interface Money {
  readonly config: Config
  readonly network: ChainNetwork
  readonly access: ChainAccess
  readonly deps: ChainDeps
  /** Results. */
  readonly out: Terminal
  /** Progress, warnings, questions. */
  readonly err: Terminal
  readonly asJson: boolean
  readonly signal: AbortSignal
}

/** Throws `config.network` for a network without a chain. */
export function openMoney({ config }: Loaded, out: Terminal, err: Terminal, asJson: boolean): Money {
  const network = chooseChain(config)
  const stop = new AbortController()
  process.once('SIGINT', () => {
    const message = 'stopped; what was sent goes on, and the same command finds it again'
    stop.abort(new CocoonError('config.stopped', { message }))
  })
  const deps = { clock: systemClock, random: systemRandom, log: logOn(err), metrics: noMetrics }
  return { config, network, access: openChainAccess(network, deps), deps, out, err, asJson, signal: stop.signal }
}

/** People see what keeps a command waiting, and nothing else. */
function logOn(err: Terminal): Log {
  const tell = (message: string, fields?: Readonly<Record<string, unknown>>): void =>
    err.line(
      `${err.style('yellow', '!')} ${message}${fields?.['why'] === undefined ? '' : `: ${printable(String(fields['why']))}`}`,
    )
  const log: Log = { debug() {}, info() {}, warn: tell, error: tell, with: () => log }
  return log
}

/** Text for people, or one object for programs; nanoTON and other big numbers are strings in it. */
export function show(money: Money, value: object, text: () => readonly string[]): void {
  if (money.asJson) money.out.line(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v), 2))
  else for (const line of text()) money.out.line(line)
}

export const addressText = (money: Money, address: Address): string => formatAddress(address, money.network.isTest)

/** Throws `config.amount`. */
export function amountOf(text: string, what: string): bigint {
  const nano = parseTon(text)
  if (nano !== null && nano > 0n) return nano
  throw new CocoonError('config.amount', {
    message: `${what} must be an amount of TON above 0, like 1.5, not "${text}"`,
  })
}

/** Throws `chain.address`, and `config.address` for an address of the other kind of network. */
export function addressOf(money: Money, text: string, what: string): Address {
  const address = parseAddress(text, what)
  // The first byte of the friendly form has a bit for test networks: money sent across is lost.
  const isFriendly = !text.includes(':')
  const isTestOnly = isFriendly && (Buffer.from(text.slice(0, 4), 'base64url')[0] ?? 0) >= 0x80
  if (isTestOnly && !money.network.isTest)
    throw new CocoonError('config.address', {
      message: `${what} is an address for test networks, and this is ${money.network.name}: ask for the real one`,
    })
  return address
}

export const orderDeps = (money: Money, payer: Payer): OrderDeps => ({
  reader: money.access,
  payer,
  clock: money.deps.clock,
  random: money.deps.random,
  pollMs: money.network.pollMs,
  onProgress: (progress) => showProgress(money, progress),
  signal: money.signal,
})

function showProgress({ err, network }: Money, { label, stage, hash }: OrderProgress): void {
  if (stage === 'done')
    return err.line(`${err.style('green', '✓')} ${label}  ${err.style('dim', transactionUrl(network, hash ?? ''))}`)
  err.line(err.style('dim', stage === 'sending' ? `… ${label}: sending` : `… ${label}: sent, waiting for the contract`))
}

/** As JSON shows what was done. */
export const resultsForJson = (money: Money, results: readonly OrderResult[]): readonly object[] =>
  results.map(({ label, to, lt, hash, atS }) => ({
    order: label,
    contract: addressText(money, to),
    lt,
    transaction: hash,
    at: new Date(atS * 1000).toISOString(),
    url: transactionUrl(money.network, hash),
  }))

/** Asks where somebody can answer. Throws `config.passphrase` where nobody can. */
export function passphraseFor(config: Config, wallet: StoredWallet): Promise<Secret<string>> {
  if (config.wallet.passphrase !== undefined) return Promise.resolve(config.wallet.passphrase)
  if (canAsk()) return askSecret(`passphrase of ${wallet.path}: `)
  throw new CocoonError('config.passphrase', {
    message: `the wallet ${wallet.path} has a passphrase: run this in a terminal, or set COCOON_WALLET_PASSPHRASE`,
  })
}

/** Throws `config.wallet` where there is none. */
export function requireWallet({ home, wallet: { name } }: Config): StoredWallet {
  const wallet = findWallet(home, name)
  if (wallet !== null) return wallet
  throw new CocoonError('config.wallet', {
    message: `there is no wallet "${name}" in ${home}: make one with \`cocoon wallet create\`, or bring yours with \`cocoon wallet restore\``,
  })
}

/** Runs `use` with the owner's wallet open, and closes it. */
export async function withOwner<T>(money: Money, use: (sender: WalletSender) => Promise<T>): Promise<T> {
  const { config, network } = money
  const stored = requireWallet(config)
  const key = await keyOf(await openWords(stored, () => passphraseFor(config, stored)))
  // Loaded here, so that no other command pays for it.
  const { standardWallet } = await import('./wallet/standard-wallet.ts')
  const wallet = standardWallet(key, network.isTest)
  return closing(await openWalletSender(config.home, network, wallet, { ...money.deps, access: money.access }), use)
}

/** Runs `use` with a node's wallet open, and closes it. */
export async function withNodeWallet<T>(
  money: Money,
  role: NodeRole,
  use: (sender: WalletSender) => Promise<T>,
): Promise<T> {
  const { config, network } = money
  const wallet = await nodeWalletOf(money, role)
  return closing(await openNodeSender(config.home, network, wallet, { ...money.deps, access: money.access }), use)
}

async function closing<T>(sender: WalletSender, use: (sender: WalletSender) => Promise<T>): Promise<T> {
  try {
    return await use(sender)
  } finally {
    await sender.close()
  }
}

/** The owner that is configured, or else the owner's wallet of this folder; null where there is neither. */
export async function ownerAddressOf(config: Config, role: NodeRole, isTest: boolean): Promise<Address | null> {
  const configured = config[role].ownerAddress
  if (configured !== undefined) return parseAddress(configured, `${role}.ownerAddress`)
  const stored = findWallet(config.home, config.wallet.name)
  if (stored === null) return null
  const { standardWalletAddress } = await import('./wallet/standard-wallet.ts')
  return standardWalletAddress(stored.publicKey, isTest)
}

/** Throws `config.owner` where no owner is known: another owner is another wallet. */
export async function nodeWalletOf({ config, network }: Money, role: NodeRole): Promise<NodeWallet> {
  const owner = await ownerAddressOf(config, role, network.isTest)
  if (owner !== null) return loadNodeWallet(config.home, role, owner, systemRandom)
  throw new CocoonError('config.owner', {
    message: `no owner of the ${role} is known: set ${role}.ownerAddress to a wallet of yours, or make one with \`cocoon wallet create\``,
  })
}

/** Who pays for what a node's wallet is to do. */
export type PaysFrom = 'owner' | 'node'

/** As `--from` says it. Throws `config.value`. */
export function paysFrom(text: string | undefined): PaysFrom | undefined {
  if (text === undefined || text === 'owner' || text === 'node') return text
  throw new CocoonError('config.value', { message: `--from is owner or node, not "${text}"` })
}

/** For what anybody may pay: the owner's wallet where it is here, or the node's own. */
export function asAnybody<T>(
  money: Money,
  role: NodeRole,
  from: PaysFrom | undefined,
  use: (deps: OrderDeps) => Promise<T>,
): Promise<T> {
  const isHere = findWallet(money.config.home, money.config.wallet.name) !== null
  const pay = (sender: WalletSender): Promise<T> => use(orderDeps(money, payFrom(sender)))
  return from === 'owner' || (from === undefined && isHere) ? withOwner(money, pay) : withNodeWallet(money, role, pay)
}

/**
 * For what only the node's wallet may do: the owner's wallet orders it to, or its own key does. Without a choice: the owner's
 * wallet where it is here and is the owner. Throws `config.wallet`, `chain.wallet`.
 */
export async function asNodeWallet<T>(
  money: Money,
  role: NodeRole,
  from: PaysFrom | undefined,
  use: (deps: OrderDeps) => Promise<T>,
): Promise<T> {
  const wallet = await nodeWalletOf(money, role)
  const stored = findWallet(money.config.home, money.config.wallet.name)
  const { standardWalletAddress } = await import('./wallet/standard-wallet.ts')
  const isOwner = stored !== null && standardWalletAddress(stored.publicKey, money.network.isTest).equals(wallet.owner)
  if (from === 'node' || (from === undefined && !isOwner))
    return withNodeWallet(money, role, (sender) => use(orderDeps(money, payFrom(sender))))
  if (!isOwner)
    throw new CocoonError('config.wallet', {
      message: `the wallet "${money.config.wallet.name}" is not the owner of the ${role}'s wallet, which is ${addressText(money, wallet.owner)}: name that one with --wallet-name, or use --from node`,
    })
  const { status } = await money.access.getAccount(wallet.address, { signal: money.signal })
  if (status !== 'active')
    throw new CocoonError('chain.wallet', {
      message: `the ${role}'s wallet ${addressText(money, wallet.address)} is not deployed yet: deploy it with \`cocoon wallet fund ${role} 2\``,
    })
  return withOwner(money, (sender) => use(orderDeps(money, payThroughWallet(sender, wallet.address))))
}

/** The network's root contract. Throws `config.root-contract`, `chain.no-root`, and `chain.test-flag` for one of the other kind. */
export async function rootOf({
  network,
  access,
  signal,
}: Money): Promise<{ readonly address: Address; readonly state: RootState }> {
  const address = requireRoot(network)
  const state = await readRoot(access, address, signal)
  const { isTest } = state.params
  if (isTest === network.isTest) return { address, state }
  const kind = isTest ? 'test networks' : 'a real network'
  throw new CocoonError('chain.test-flag', {
    message: `the root contract ${formatAddress(address, network.isTest)} is for ${kind}, and this is ${network.name}: correct --network or --root-contract-address`,
  })
}

export const NOTHING = Cell.EMPTY

export const link = (money: Money, address: Address): string => accountUrl(money.network, address)
