/** A network with a chain, from its name and what an operator adds: where its root is, whom to ask, what to believe. */
import type { Address } from '@ton/core'
import { type Clock, CocoonError, type Log, type Metrics, type Random, type Secret } from '../util/index.ts'
import { parseAddress } from './address.ts'
import { type NamedNetwork, type NetworkName, NETWORKS } from './networks.ts'
import type { ChainAccess } from './reader.ts'
import type { NetworkEvidence } from './registry.ts'
import { type ChainRegistry, createChainRegistry } from './root/chain-registry.ts'
import type { EndpointOptions } from './toncenter/endpoint.ts'
import { createChainIdentity } from './toncenter/identity.ts'
import { createToncenter } from './toncenter/toncenter.ts'

export interface ChainNetwork extends Omit<NamedNetwork, 'root' | 'endpoints'> {
  readonly name: NetworkName
  /** Null where nobody has said it: such a network can be deployed to, but no node can take part in it. */
  readonly root: Address | null
  readonly endpoints: readonly EndpointOptions[]
  readonly crossCheck?: boolean
  /** How often a sender looks for what it has sent: a chain on this machine has a block a second, and no rate limit. */
  readonly pollMs: readonly [low: number, high: number]
}

export interface ChainNetworkSettings {
  /** Any form of address; instead of the network's own. */
  readonly root?: string | undefined
  /** Instead of the network's own. */
  readonly endpoints?: readonly string[] | undefined
  /** By host name, with the port where the URL has one: a key goes nowhere else. */
  readonly apiKeys?: Readonly<Record<string, Secret<string>>> | undefined
  /** To one endpoint. Without: 1, with a key 10, on this machine as fast as it goes. */
  readonly requestsPerSecond?: number | undefined
  /** Whether readings on which something irreversible hangs take two endpoints; without: where there are two. */
  readonly crossCheck?: boolean | undefined
}

const WITHOUT_KEY = 1
const WITH_KEY = 10
const ON_THIS_MACHINE = 1_000
const POLL_MS = [4_000, 8_000] as const
const LOCAL_POLL_MS = [250, 500] as const
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Throws `config.ton-endpoints` and `config.ton-api-keys` naming what is wrong, `chain.address` for the root. */
export function chainNetwork(name: NetworkName, settings: ChainNetworkSettings = {}): ChainNetwork {
  const facts: NamedNetwork = NETWORKS[name]
  const { apiKeys = {}, crossCheck } = settings
  const urls = (settings.endpoints ?? facts.endpoints).map(parseEndpoint)
  if (urls.length === 0)
    throw new CocoonError('config.ton-endpoints', {
      message: 'ton.endpoints is empty: give at least one, or leave it out',
    })
  const strange = Object.keys(apiKeys).find((host) => !urls.some((url) => url.host === host))
  if (strange !== undefined)
    throw new CocoonError('config.ton-api-keys', {
      message: `ton.apiKeys has a key for ${strange}, which is the host of no endpoint: they are ${urls.map((u) => u.host).join(', ')}`,
    })
  const root = settings.root ?? facts.root
  const isLocal = urls.every((url) => LOOPBACK.has(url.hostname))
  return {
    ...facts,
    name,
    root: root === null ? null : parseAddress(root, 'rootContractAddress'),
    endpoints: urls.map((url) => endpointOf(url, apiKeys[url.host], settings.requestsPerSecond)),
    pollMs: isLocal ? LOCAL_POLL_MS : POLL_MS,
    ...(crossCheck === undefined ? {} : { crossCheck }),
  }
}

function parseEndpoint(text: string): URL {
  const refuse = (why: string): CocoonError =>
    new CocoonError('config.ton-endpoints', {
      message: `ton.endpoints: ${text.split('?')[0]} ${why}; a toncenter endpoint looks like https://toncenter.com/api/v2`,
    })
  if (!URL.canParse(text)) throw refuse('is no URL')
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('is neither http: nor https:')
  if (url.search !== '' || url.username !== '' || url.password !== '')
    throw refuse('must have no query and no name; keys belong into ton.apiKeys')
  return url
}

function endpointOf(url: URL, apiKey: Secret<string> | undefined, perSecond: number | undefined): EndpointOptions {
  const isLocal = LOOPBACK.has(url.hostname)
  if (apiKey !== undefined && url.protocol === 'http:' && !isLocal)
    throw new CocoonError('config.ton-api-keys', {
      message: `ton.apiKeys: the key for ${url.host} would travel unencrypted: use https: in ton.endpoints`,
    })
  const usual = isLocal ? ON_THIS_MACHINE : apiKey === undefined ? WITHOUT_KEY : WITH_KEY
  return { url: url.href, requestsPerSecond: perSecond ?? usual, ...(apiKey === undefined ? {} : { apiKey }) }
}

export interface ChainDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
}

/** Reading and sending through the network's endpoints. */
export const openChainAccess = (network: ChainNetwork, deps: ChainDeps): ChainAccess =>
  createToncenter(
    {
      endpoints: network.endpoints,
      identity: createChainIdentity(network.name, network.zeroState),
      ...(network.crossCheck === undefined ? {} : { crossCheck: network.crossCheck }),
    },
    deps,
  )

/**
 * The registry that the network's root contract is. Throws `config.root-contract` where no root is known.
 * @param evidence what this program can make peers show of what the network asks for
 */
export function openChainRegistry(
  network: ChainNetwork,
  access: ChainAccess,
  deps: Omit<ChainDeps, 'metrics'>,
  evidence: NetworkEvidence,
): ChainRegistry {
  const { isTest, checkHashes } = network
  return createChainRegistry({
    ...deps,
    reader: access,
    rootAddress: requireRoot(network),
    isTest,
    evidence,
    checkHashes,
  })
}

/** Throws `config.root-contract` where no root is known. */
export function requireRoot({ name, root }: ChainNetwork): Address {
  if (root !== null) return root
  const own =
    name === 'devnet' ? '`cocoon up` deploys one, or `cocoon root deploy --yes` does' : '`cocoon root deploy` makes one'
  throw new CocoonError('config.root-contract', {
    message: `no root contract is known for ${name}: give its address with --root-contract-address (rootContractAddress); ${own}`,
  })
}

/** Where people can look at an account. */
export const accountUrl = (network: ChainNetwork, account: Address): string =>
  network.explorer === null
    ? `${localUrl(network)}/api/v2/getAddressInformation?address=${account.toString({ urlSafe: true })}`
    : `${network.explorer}/${account.toString({ urlSafe: true, testOnly: network.isTest })}`

/** @param hash of the transaction, lower-case hex */
export const transactionUrl = (network: ChainNetwork, hash: string): string =>
  network.explorer === null
    ? `${localUrl(network)}/api/v3/transactions?hash=${hash}`
    : `${network.explorer}/transaction/${hash}`

const localUrl = ({ endpoints }: ChainNetwork): string => new URL(endpoints[0]?.url ?? '').origin
