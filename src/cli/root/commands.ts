/** `cocoon root …`: a network's root contract, made and changed. Without `--yes` every command only says what it would do. */
import {
  type Address,
  changeRoot,
  deployRoot,
  describeRootChange,
  type NewRoot,
  NETWORKS,
  type OrderResult,
  payFrom,
  planRoot,
  proxyText,
  readRoot,
  type RootChange,
  type RootState,
  rootStateInit,
  type RootWish,
} from '../../chain/index.ts'
import { CocoonError, formatTon, NANO_PER_TON, toHex } from '../../util/index.ts'
import {
  addressText,
  amountOf,
  link,
  type Money,
  orderDeps,
  requireWallet,
  resultsForJson,
  rootOf,
  show,
  withOwner,
} from '../money.ts'
import { rememberRoot } from '../network.ts'
import { delayOf, listEntryOf, proxyAddressOf, readWish, wholeNumber } from './wish.ts'

export interface RootFlags {
  readonly yes?: boolean
  readonly json?: boolean
}

export async function showRoot(money: Money): Promise<number> {
  const { address: root, state } = await rootOf(money)
  show(money, rootForJson(money, root, state), () => textOf(money, root, state))
  return 0
}

export interface DeployFlags extends RootFlags {
  readonly price: string
  readonly workerFee: string
  readonly proxyDelay: string
  readonly clientDelay: string
  readonly minProxyStake: string
  readonly minClientStake: string
  readonly uniqueId: string
}

const MAX_PRICE = 2n ** 53n
const MAX_U32 = 2n ** 32n - 1n

export async function deployOwnRoot(money: Money, flags: DeployFlags): Promise<number> {
  const { network, config } = money
  const { standardWalletAddress } = await import('../wallet/standard-wallet.ts')
  const wanted: NewRoot = {
    owner: standardWalletAddress(requireWallet(config).publicKey, network.isTest),
    isTest: network.isTest,
    uniqueId: Number(wholeNumber(flags.uniqueId, '--unique-id', MAX_U32)),
    terms: {
      pricePerToken: wholeNumber(flags.price, '--price', MAX_PRICE),
      workerFeePerToken: wholeNumber(flags.workerFee, '--worker-fee', MAX_PRICE),
      proxyDelayBeforeCloseS: delayOf(flags.proxyDelay, '--proxy-delay'),
      clientDelayBeforeCloseS: delayOf(flags.clientDelay, '--client-delay'),
      minProxyStakeNano: amountOf(flags.minProxyStake, '--min-proxy-stake'),
      minClientStakeNano: amountOf(flags.minClientStake, '--min-client-stake'),
    },
  }
  const { pricePerToken, workerFeePerToken } = wanted.terms
  if (pricePerToken === 0n || workerFeePerToken > pricePerToken)
    throw new CocoonError('config.value', {
      message: `--price must be above 0 and --worker-fee not above it: ${pricePerToken} and ${workerFeePerToken} would leave workers unpaid`,
    })
  const { address } = rootStateInit(wanted)
  const { status } = await money.access.getAccount(address, { signal: money.signal })
  const facts = {
    network: network.name,
    root: addressText(money, address),
    owner: addressText(money, wanted.owner),
    isDeployed: status === 'active',
    costNano: NANO_PER_TON / 2n,
    url: link(money, address),
  }
  if (flags.yes !== true) {
    show(money, { ...facts, dryRun: true }, () => [
      status === 'active'
        ? `the root contract is there already: ${facts.root}`
        : `would deploy a root contract at ${facts.root}, owned by ${facts.owner}, for ${formatTon(facts.costNano)} TON and fees`,
      ...DRY,
    ])
    return 0
  }
  // Its address is known before it is sent: whoever goes on after an interruption finds it.
  if (NETWORKS[network.name].root === null) rememberRoot(config.home, network.name, address)
  await withOwner(money, (sender) => deployRoot(orderDeps(money, payFrom(sender)), wanted))
  show(money, { ...facts, isDeployed: true }, () => [
    `root contract ${facts.root}`,
    facts.url,
    NETWORKS[network.name].root === null
      ? `Nodes and commands of ${config.home} use it from now on; elsewhere, with --root-contract-address.`
      : `It is used where --root-contract-address (rootContractAddress) says so.`,
  ])
  return 0
}

export const registerProxy = (money: Money, address: string, flags: RootFlags): Promise<number> => {
  const wanted = proxyAddressOf(address)
  return change(money, flags, (state) => ({ proxies: [...state.proxies.map(proxyText), wanted] }))
}

export const unregisterProxy = (money: Money, seqno: string, flags: RootFlags): Promise<number> => {
  const number = Number(wholeNumber(seqno, 'the number of the proxy', MAX_U32))
  return change(money, flags, (state) => {
    if (state.skippedProxies === 0 && !state.proxies.some((proxy) => proxy.seqno === number))
      throw new CocoonError('config.value', {
        message: `no proxy ${number} is registered; there are ${state.proxies.map((p) => p.seqno).join(', ') || 'none'}`,
      })
    return { unregister: [number] }
  })
}

const LISTS = { proxy: 'proxyHashes', worker: 'workerHashes', model: 'modelHashes' } as const

export const allow = (money: Money, kind: string, text: string, flags: RootFlags): Promise<number> => {
  const { list, hash } = listEntryOf(kind, text)
  return change(money, flags, (state) => ({ [LISTS[list]]: [...state[LISTS[list]], hash] }))
}

export const disallow = (money: Money, kind: string, text: string, flags: RootFlags): Promise<number> => {
  const { list, hash } = listEntryOf(kind, text)
  return change(money, flags, (state) => ({ [LISTS[list]]: [...state[LISTS[list]]].filter((h) => h !== hash) }))
}

export const changePrice = (money: Money, price: string, fee: string, flags: RootFlags): Promise<number> => {
  const terms = {
    pricePerToken: wholeNumber(price, 'the price', MAX_PRICE),
    workerFeePerToken: wholeNumber(fee, 'the worker fee', MAX_PRICE),
  }
  if (terms.pricePerToken === 0n || terms.workerFeePerToken > terms.pricePerToken)
    throw new CocoonError('config.value', { message: 'the price must be above 0, and the worker fee not above it' })
  return change(money, flags, () => ({ terms }))
}

export const diff = (money: Money, file: string, flags: RootFlags): Promise<number> => {
  const wish = readWish(file)
  return change(money, flags, () => wish)
}

async function change(money: Money, flags: RootFlags, wishFor: (state: RootState) => RootWish): Promise<number> {
  const { address: root, state } = await rootOf(money)
  const wish = wishFor(state)
  const changes = planRoot(state, wish)
  if (flags.yes !== true || changes.length === 0) {
    show(money, { ...head(money, root, state), dryRun: true, changes: changesForJson(changes) }, () => [
      ...(changes.length === 0
        ? ['nothing to change: it is so already']
        : changes.map((c) => `would ${describeRootChange(c)}`)),
      ...(changes.some(movesContracts) ? [MOVES] : []),
      ...(changes.length === 0 ? [] : DRY),
    ])
    return 0
  }
  const results = await withOwner(money, async (sender) => {
    const done = await changeRoot(orderDeps(money, payFrom(sender)), root, wish)
    return done.results satisfies readonly OrderResult[]
  })
  const after = await readRoot(money.access, root, money.signal)
  show(
    money,
    { ...head(money, root, after), changes: changesForJson(changes), done: resultsForJson(money, results) },
    () => [
      `version ${after.version} of the root contract ${addressText(money, root)}`,
      ...(changes.some(movesContracts) ? [MOVES] : []),
    ],
  )
  return 0
}

const DRY = ['Nothing was sent: this was a dry run. Add --yes to send.']
const MOVES =
  'Contract addresses follow from parameters and codes: proxies deploy new contracts and wind the old ones up, clients and workers move along.'

const movesContracts = ({ do: what }: RootChange): boolean =>
  what === 'change-price' || what === 'change-params' || what === 'upgrade-contracts'

const changesForJson = (changes: readonly RootChange[]): readonly object[] =>
  changes.map((c) => ({ do: c.do, what: describeRootChange(c) }))

const head = (money: Money, root: Address, state: RootState): object => ({
  network: money.network.name,
  root: addressText(money, root),
  version: state.version,
})

function rootForJson(money: Money, root: Address, state: RootState): object {
  const { params } = state
  const { codes, ...numbers } = params
  return {
    ...head(money, root, state),
    url: link(money, root),
    owner: addressText(money, state.owner),
    proxies: state.proxies.map((proxy) => ({ seqno: proxy.seqno, address: proxyText(proxy) })),
    skippedProxies: state.skippedProxies,
    lastProxySeqno: state.lastProxySeqno,
    proxyImages: [...state.proxyHashes],
    workerImages: [...state.workerHashes],
    models: [...state.modelHashes],
    params: numbers,
    codes: { proxy: toHex(codes.proxy.hash), worker: toHex(codes.worker.hash), client: toHex(codes.client.hash) },
  }
}

function textOf(money: Money, root: Address, state: RootState): readonly string[] {
  const { params: p } = state
  const line = (name: string, text: string): string => `  ${name.padEnd(16)}${text}`
  const list = (name: string, entries: readonly string[]): string[] =>
    entries.length === 0 ? [line(name, 'none')] : entries.map((entry, i) => line(i === 0 ? name : '', entry))
  return [
    `root contract ${addressText(money, root)} on ${money.network.name}, version ${state.version} (parameters ${p.paramsVersion}, layout ${p.structVersion})`,
    line('owner', addressText(money, state.owner)),
    line('price', `${p.pricePerToken} nanoTON a token, ${p.workerFeePerToken} of it for the worker`),
    line(
      'multipliers',
      `prompt ${p.multipliers.prompt / 10_000}, cached ${p.multipliers.cached / 10_000}, completion ${p.multipliers.completion / 10_000}, reasoning ${p.multipliers.reasoning / 10_000}`,
    ),
    line(
      'stakes',
      `proxy ${formatTon(p.minProxyStakeNano)} TON, client ${formatTon(p.minClientStakeNano)} TON at least`,
    ),
    line('closing', `proxy after ${p.proxyDelayBeforeCloseS} s, client after ${p.clientDelayBeforeCloseS} s`),
    ...list(
      'proxies',
      state.proxies.map((proxy) => `${proxy.seqno}  ${proxyText(proxy)}`),
    ),
    ...list('proxy images', [...state.proxyHashes]),
    ...list('worker images', [...state.workerHashes]),
    ...list('models', [...state.modelHashes]),
    line('look', link(money, root)),
  ]
}
