/** Options of `createClient`: what an application may say, and what it becomes. */
import type { z } from 'zod'
import { clientApiOptions } from '../api/index.ts'
import { type BatchOptions, batchOptions } from '../batch/index.ts'
import {
  type Address,
  type ChainNetwork,
  chainNetwork,
  isNetworkName,
  loadNetworkFile,
  nodeWalletAddress,
  ownCode,
  parseAddress,
  parseNetworkFile,
  type Registry,
  type SigningKey,
  signingKeyFromSeed,
} from '../chain/index.ts'
import { type ClientOptions, clientOptions } from '../roles/client/index.ts'
import {
  type Clock,
  fromHex,
  type Log,
  type Metrics,
  noMetrics,
  type Random,
  reveal,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
} from '../util/index.ts'
import { badOption } from './errors.ts'

export interface CreateClientOptions {
  /**
   * The network: `mainnet`, `testnet` or `devnet`, which are on TON and need a `wallet`; or one without money: the path of its
   * file, which is then watched for new versions, or the content as an object. Where its evidence is real, proxies must prove
   * theirs; what that needs is fetched from the hardware's makers.
   */
  readonly network: string | Readonly<Record<string, unknown>>
  /**
   * In a network without money: the account that is counted for, in any form of a TON address. Default: one that all clients
   * without their own share.
   */
  readonly ownerAddress?: string
  /** Who pays, in a network on TON. */
  readonly wallet?: WalletOptions
  /** The network's root contract, where it is not known by the network's name: on testnet and devnet. */
  readonly rootContractAddress?: string
  /** toncenter endpoints, up to and with the version, instead of the network's public one. Two are compared with each other. */
  readonly endpoints?: readonly string[]
  /** Keys for endpoints, by host name. */
  readonly apiKeys?: Readonly<Record<string, string | Secret<string>>>
  /** What this client proves to proxies that it is the account's. Default: on TON one that is made and kept; none elsewhere. */
  readonly secret?: string | Secret<string>
  /** Files and batches, as the HTTP API has them. Default: none, and `fetch` refuses them. */
  readonly batches?: BatchesOptions
  /** Proxies to keep a connection to; requests are spread over them. Default 2. */
  readonly proxyConnections?: number
  /** Token limit of requests that give none. Default 1000. */
  readonly defaultMaxTokens?: number
  /** Highest price accepted by requests that give none, per mille of the network's price. Default 4000. */
  readonly defaultMaxCoefficient?: number
  /** Time limit of requests that give none. Default 120 000. */
  readonly defaultTimeoutMs?: number
  /** Requests in work at once; more are answered with 429. Default 1000. */
  readonly maxRunning?: number
  /** Largest request body. Default 8 MiB. */
  readonly maxBodyBytes?: number
  /** An answer that is not a stream is held back up to this, so that its price stands in the headers. Default 32 MiB. */
  readonly maxBufferedBytes?: number
  /** A stream of which more than this lies unread is cancelled. Default 16 MiB. */
  readonly maxUndeliveredBytes?: number
  /** How long a request waits while no proxy is connected, before it is answered with 503. Default 10 000. */
  readonly connectWaitMs?: number
  /** How long `close` lets running requests finish. Default 5 000. */
  readonly closeGraceMs?: number
  /** Default: silent. */
  readonly log?: Log
  readonly metrics?: Metrics
  readonly clock?: Clock
  /** Must be secure: keys come from it. */
  readonly random?: Random
}

/** A client's wallet on TON: the contract that `cocoon wallet fund client` fills, made of a key and an owner. */
export interface WalletOptions {
  /** What spends: 64 hex digits, as in `keys/client.key`. Keep no more on this wallet than you would lose with the key. */
  readonly key: string | Secret<string>
  /** Who may block the key and take the money out: an ordinary wallet that is kept elsewhere. */
  readonly ownerAddress: string
  /** A folder of this wallet alone: what was sent, the secret, contracts with money in them. One process at a time. */
  readonly statePath: string
  /** Whether deposits are made by themselves: the network's stake at each proxy, and again when half is used up. Default true. */
  readonly topUp?: boolean
}

/** The others: as `client.batch` of a node, with its defaults. */
export interface BatchesOptions extends Partial<BatchOptions> {
  /**
   * A folder of this client alone: files, batches and the answers of lines, in plain text, and what they cost. One process at a time;
   * the next one goes on with batches that this one leaves.
   */
  readonly statePath: string
}

export interface SdkBatchOptions {
  readonly statePath: string
  readonly batch: BatchOptions
}

export interface SdkOptions {
  readonly network:
    | { readonly kind: 'file'; readonly registry: Registry }
    | { readonly kind: 'chain'; readonly chain: ChainNetwork; readonly wallet: SdkWallet }
  /** On TON, the address of the wallet. */
  readonly owner: Address
  /** Null for the one that is kept with the wallet. */
  readonly secret: Secret<string> | null
  readonly node: ClientOptions
  readonly api: z.output<typeof apiPart>
  /** Null where nobody wants any. */
  readonly batches: SdkBatchOptions | null
  readonly connectWaitMs: number
  readonly closeGraceMs: number
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly random: Random
}

export interface SdkWallet {
  readonly key: SigningKey
  readonly owner: Address
  readonly statePath: string
}

const apiPart = clientApiOptions.pick({
  defaultMaxTokens: true,
  defaultMaxCoefficient: true,
  defaultTimeoutMs: true,
  maxRunning: true,
  maxBodyBytes: true,
  maxBufferedBytes: true,
  maxUndeliveredBytes: true,
})
const nodePart = clientOptions.pick({ proxyConnections: true })

/** SHA-256 of `cocoon client without an account`: nobody has a key for it, and networks without money ask for none. */
const SHARED_ACCOUNT = '0:b2eda880615a1ccd93462c2ef639971f5f2da3c24d29be884180c16a7356832b'
const DEFAULT_CONNECT_WAIT_MS = 10_000
const DEFAULT_CLOSE_GRACE_MS = 5_000
/** What a timer can hold. */
const MAX_WAIT_MS = 2 ** 31 - 1

/** Throws `config.sdk-option`, `chain.network-file` for what is wrong inside the network file, and what `chainNetwork` throws. */
export function readOptions(options: CreateClientOptions): SdkOptions {
  const {
    network,
    ownerAddress,
    wallet,
    rootContractAddress,
    endpoints,
    apiKeys,
    secret,
    connectWaitMs = DEFAULT_CONNECT_WAIT_MS,
    closeGraceMs = DEFAULT_CLOSE_GRACE_MS,
    log = silentLog,
    metrics = noMetrics,
    clock = systemClock,
    random = systemRandom,
    batches,
    proxyConnections,
    ...rest
  } = options
  const api = check(apiPart, rest)
  const nodeOptions = check(nodePart, proxyConnections === undefined ? {} : { proxyConnections })
  for (const [name, value] of Object.entries({ connectWaitMs, closeGraceMs }))
    if (!(Number.isInteger(value) && value >= 0 && value <= MAX_WAIT_MS))
      throw badOption(name, 'must be a whole number of milliseconds')
  const given = secret === undefined || secret instanceof Secret ? (secret ?? null) : new Secret(secret)
  const common = {
    api,
    batches: batches === undefined ? null : readBatches(batches),
    connectWaitMs,
    closeGraceMs,
    log,
    metrics,
    clock,
    random,
  }
  if (typeof network === 'string' && isNetworkName(network)) {
    if (ownerAddress !== undefined)
      throw badOption('ownerAddress', 'is for networks without money: on TON the wallet is the owner')
    const chain = chainNetwork(network, { root: rootContractAddress, endpoints, apiKeys: secrets(apiKeys) })
    if (chain.root === null)
      throw badOption('rootContractAddress', `must be given: nobody has published a root contract for ${network}`)
    const { topUp = true, ...own } = readWallet(wallet, network)
    const code = ownCode('wallet')
    return {
      ...common,
      network: { kind: 'chain', chain, wallet: own },
      owner: nodeWalletAddress({ owner: own.owner, publicKey: own.key.publicKey }, code),
      secret: given === null || reveal(given) === '' ? null : given,
      node: clientOptions.parse({
        ...nodeOptions,
        isTestnet: chain.isTest,
        chain: { topUp, pollMs: chain.pollMs[1] },
      }),
    }
  }
  for (const [name, value] of Object.entries({ wallet, rootContractAddress, endpoints, apiKeys }))
    if (value !== undefined) throw badOption(name, "is for networks on TON: 'mainnet', 'testnet', 'devnet'")
  return {
    ...common,
    owner: parseAddress(ownerAddress ?? SHARED_ACCOUNT, "createClient: 'ownerAddress'"),
    secret: given ?? new Secret(''),
    node: clientOptions.parse(nodeOptions),
    // Last: it starts a timer.
    network: { kind: 'file', registry: registryOf(network, clock, log) },
  }
}

const secrets = (keys: CreateClientOptions['apiKeys'] = {}): Readonly<Record<string, Secret<string>>> =>
  Object.fromEntries(Object.entries(keys).map(([host, key]) => [host, key instanceof Secret ? key : new Secret(key)]))

function readWallet(wallet: WalletOptions | undefined, network: string): SdkWallet & { readonly topUp?: boolean } {
  if (wallet === undefined) throw badOption('wallet', `must be given: ${network} is on TON, and somebody must pay`)
  const { key, ownerAddress, statePath, topUp } = wallet
  const hex = key instanceof Secret ? reveal(key) : key
  if (typeof hex !== 'string' || !/^[0-9a-f]{64}$/i.test(hex.trim()))
    throw badOption('wallet.key', 'must be 64 hex digits, as in keys/client.key')
  if (typeof statePath !== 'string' || statePath === '')
    throw badOption('wallet.statePath', 'must be a folder of this wallet alone')
  return {
    key: signingKeyFromSeed(fromHex(hex.trim())),
    owner: parseAddress(ownerAddress, "createClient: 'wallet.ownerAddress'"),
    statePath,
    ...(topUp === undefined ? {} : { topUp }),
  }
}

function readBatches({ statePath, ...rest }: BatchesOptions): SdkBatchOptions {
  if (typeof statePath !== 'string' || statePath === '')
    throw badOption('batches.statePath', 'must be a folder of this client alone')
  return { statePath, batch: check(batchOptions, rest, 'batches.') }
}

function registryOf(network: CreateClientOptions['network'] | undefined, clock: Clock, log: Log): Registry {
  if (typeof network === 'string' && network !== '') return loadNetworkFile(network, { clock, log })
  if (typeof network !== 'object' || network === null)
    throw badOption(
      'network',
      "must be the path of a network file, its content as an object, or 'mainnet', 'testnet', 'devnet'",
    )
  const config = parseNetworkFile(JSON.stringify(network), "createClient: 'network'")
  return { current: () => config, subscribe: () => () => undefined, close() {} }
}

function check<T extends z.ZodType>(schema: T, value: object, of = ''): z.output<T> {
  const checked = schema.safeParse(value)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  if (issue?.code === 'unrecognized_keys') throw badOption(`${of}${issue.keys[0] as string}`, 'is not an option')
  throw badOption(`${of}${issue?.path.join('.') ?? ''}`, issue?.message ?? 'is wrong')
}
