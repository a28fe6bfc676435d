/** From what a root contract says to what it should say: the orders in between, in words and as messages. */
import type { Cell } from '@ton/core'
import { formatTon, fromHex, toHex, unreachable } from '../../util/index.ts'
import { codeOf, type ContractCodes } from '../contracts/params.ts'
import { rootMessages } from '../contracts/root-messages.ts'
import { parseProxyAddresses } from '../network-address.ts'
import type { RegisteredProxy } from '../registry.ts'
import type { RootState } from '../root/state.ts'

/** Numbers of the params that messages can change. */
export interface RootTerms {
  readonly pricePerToken: bigint
  readonly workerFeePerToken: bigint
  readonly proxyDelayBeforeCloseS: number
  readonly clientDelayBeforeCloseS: number
  readonly minProxyStakeNano: bigint
  readonly minClientStakeNano: bigint
}

export type HashList = 'proxy' | 'worker' | 'model'

/** What is named becomes so, exactly; what is absent stays. Hashes are lower-case hex. */
export interface RootWish {
  /** `IPv4:port` or `IPv4:port IPv4:port` (for workers, for clients). */
  readonly proxies?: readonly string[]
  /** By number, whatever `proxies` says: also entries whose address nobody can read. */
  readonly unregister?: readonly number[]
  readonly proxyHashes?: readonly string[]
  readonly workerHashes?: readonly string[]
  readonly modelHashes?: readonly string[]
  readonly terms?: Partial<RootTerms>
  readonly codes?: ContractCodes
}

export type RootChange =
  | { readonly do: 'register-proxy'; readonly address: string }
  | { readonly do: 'unregister-proxy'; readonly seqno: number; readonly address: string }
  | { readonly do: 'allow' | 'disallow'; readonly list: HashList; readonly hash: string }
  | { readonly do: 'change-price'; readonly from: RootTerms; readonly to: RootTerms }
  | { readonly do: 'change-params'; readonly from: RootTerms; readonly to: RootTerms }
  | { readonly do: 'upgrade-contracts'; readonly codes: ContractCodes }

/** Orders that lead from `state` to `wish`; none where it is so already. Admissions come before removals. */
export function planRoot(state: RootState, wish: RootWish): readonly RootChange[] {
  return [
    ...planCodes(state, wish.codes),
    ...planTerms(termsOf(state), wish.terms ?? {}),
    ...planHashes('proxy', state.proxyHashes, wish.proxyHashes),
    ...planHashes('worker', state.workerHashes, wish.workerHashes),
    ...planHashes('model', state.modelHashes, wish.modelHashes),
    ...planProxies(state.proxies, wish.proxies),
    ...(wish.unregister ?? []).map((seqno) => {
      const known = state.proxies.find((proxy) => proxy.seqno === seqno)
      const address = known === undefined ? 'an address that cannot be read' : proxyText(known)
      return { do: 'unregister-proxy', seqno, address } as const
    }),
  ]
}

export function termsOf({ params }: Pick<RootState, 'params'>): RootTerms {
  const { pricePerToken, workerFeePerToken, proxyDelayBeforeCloseS, clientDelayBeforeCloseS } = params
  const { minProxyStakeNano, minClientStakeNano } = params
  return {
    pricePerToken,
    workerFeePerToken,
    proxyDelayBeforeCloseS,
    clientDelayBeforeCloseS,
    minProxyStakeNano,
    minClientStakeNano,
  }
}

function planTerms(from: RootTerms, wish: Partial<RootTerms>): RootChange[] {
  const to = { ...from, ...wish }
  const isSame = (name: keyof RootTerms): boolean => from[name] === to[name]
  const isPriceSame = isSame('pricePerToken') && isSame('workerFeePerToken')
  const isRestSame = (
    ['proxyDelayBeforeCloseS', 'clientDelayBeforeCloseS', 'minProxyStakeNano', 'minClientStakeNano'] as const
  ).every(isSame)
  if (!isRestSame) return [{ do: 'change-params', from, to }]
  return isPriceSame ? [] : [{ do: 'change-price', from, to }]
}

function planCodes({ params }: RootState, codes: ContractCodes | undefined): RootChange[] {
  if (codes === undefined) return []
  const isSame = (name: keyof ContractCodes): boolean => toHex(params.codes[name].hash) === toHex(codes[name].hash)
  return isSame('proxy') && isSame('worker') && isSame('client') ? [] : [{ do: 'upgrade-contracts', codes }]
}

function planHashes(
  list: HashList,
  present: ReadonlySet<string>,
  wanted: readonly string[] | undefined,
): readonly RootChange[] {
  if (wanted === undefined) return []
  const keep = new Set(wanted)
  return [
    ...[...keep].filter((hash) => !present.has(hash)).map((hash) => ({ do: 'allow', list, hash }) as const),
    ...[...present].filter((hash) => !keep.has(hash)).map((hash) => ({ do: 'disallow', list, hash }) as const),
  ]
}

function planProxies(
  present: readonly RegisteredProxy[],
  wanted: readonly string[] | undefined,
): readonly RootChange[] {
  if (wanted === undefined) return []
  const keep = new Set(wanted.map(canonicalProxy))
  const known = new Set(present.map(proxyText))
  return [
    ...[...keep]
      .filter((address) => !known.has(address))
      .map((address) => ({ do: 'register-proxy', address }) as const),
    ...present
      .filter((proxy) => !keep.has(proxyText(proxy)))
      .map((proxy) => ({ do: 'unregister-proxy', seqno: proxy.seqno, address: proxyText(proxy) }) as const),
  ]
}

/** Two spellings of one proxy are one text. */
function canonicalProxy(text: string): string {
  const parsed = parseProxyAddresses(text)
  return parsed === null ? text : proxyText(parsed)
}

/** As the registry stores it: `IPv4:port IPv4:port`, for workers and for clients. */
export function proxyText({ forWorkers, forClients }: Pick<RegisteredProxy, 'forWorkers' | 'forClients'>): string {
  return `${forWorkers.host}:${forWorkers.port} ${forClients.host}:${forClients.port}`
}

export function rootChangeBody(change: RootChange, queryId: bigint): Cell {
  switch (change.do) {
    case 'register-proxy':
      return rootMessages.registerProxy.build({ queryId, address: change.address })
    case 'unregister-proxy':
      return rootMessages.unregisterProxy.build({ queryId, seqno: change.seqno })
    case 'allow':
      return ADD[change.list].build({ queryId, hash: fromHex(change.hash) })
    case 'disallow':
      return DELETE[change.list].build({ queryId, hash: fromHex(change.hash) })
    case 'change-price':
      return rootMessages.changePrice.build({ queryId, ...change.to })
    case 'change-params':
      return rootMessages.changeParams.build({ queryId, ...change.to })
    case 'upgrade-contracts': {
      const { proxy, worker, client } = change.codes
      const codes = {
        proxy: codeOf(proxy, 'proxy'),
        worker: codeOf(worker, 'worker'),
        client: codeOf(client, 'client'),
      }
      return rootMessages.upgradeContracts.build({ queryId, ...codes })
    }
    default:
      return unreachable(change)
  }
}

const ADD = {
  proxy: rootMessages.addProxyHash,
  worker: rootMessages.addWorkerHash,
  model: rootMessages.addModelHash,
} as const
const DELETE = {
  proxy: rootMessages.deleteProxyHash,
  worker: rootMessages.deleteWorkerHash,
  model: rootMessages.deleteModelHash,
} as const

/** One line for people. */
export function describeRootChange(change: RootChange): string {
  switch (change.do) {
    case 'register-proxy':
      return `register proxy ${change.address}`
    case 'unregister-proxy':
      return `unregister proxy ${change.seqno} (${change.address})`
    case 'allow':
    case 'disallow':
      return `${change.do} ${change.list}${change.list === 'model' ? '' : ' image'} ${change.hash}`
    case 'change-price':
    case 'change-params':
      return `change ${differences(change.from, change.to)}`
    case 'upgrade-contracts':
      return `replace contract codes (proxy ${toHex(change.codes.proxy.hash)}): every contract gets a new address`
    default:
      return unreachable(change)
  }
}

const TERM_WORDS: Readonly<Record<keyof RootTerms, string>> = {
  pricePerToken: 'price',
  workerFeePerToken: 'worker fee',
  proxyDelayBeforeCloseS: 'proxy closing delay',
  clientDelayBeforeCloseS: 'client closing delay',
  minProxyStakeNano: 'least proxy stake',
  minClientStakeNano: 'least client stake',
}

function differences(from: RootTerms, to: RootTerms): string {
  const names = (Object.keys(TERM_WORDS) as (keyof RootTerms)[]).filter((name) => from[name] !== to[name])
  return names.map((name) => `${TERM_WORDS[name]} ${termText(name, from)} → ${termText(name, to)}`).join(', ')
}

function termText(name: keyof RootTerms, terms: RootTerms): string {
  const value = terms[name]
  if (name === 'minProxyStakeNano' || name === 'minClientStakeNano') return `${formatTon(value as bigint)} TON`
  return typeof value === 'bigint' ? `${value} nanoTON` : `${value} s`
}
