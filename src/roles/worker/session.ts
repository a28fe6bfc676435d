/**
 * A worker's session with one proxy: registration, comparison of what both remember, then ready. Pure: node.ts sends what
 * is returned and feeds the answers back. Source: spec/wire.md, "Worker and proxy".
 */
import type { Address } from '../../chain/index.ts'
import type { ProxyParams, SignedPayment, WorkerCompareBalanceWithProxyResult } from '../../tl/index.ts'
import { copyBytes } from '../../util/index.ts'

export type WorkerSession =
  | { readonly at: 'registering' }
  | { readonly at: 'comparing'; readonly proxy: KnownProxy }
  | { readonly at: 'comparing-again'; readonly proxy: KnownProxy }
  | { readonly at: 'finishing'; readonly proxy: KnownProxy }
  | { readonly at: 'ready'; readonly proxy: KnownProxy }
  | { readonly at: 'closed'; readonly why: string }

export interface KnownProxy {
  readonly publicKey: Uint8Array
  readonly contract: Address
  /** Our own contract at this proxy. */
  readonly ownContract: Address
  readonly version: number
}

/** Adjusted tokens that this proxy has confirmed to us, highest seen. */
export interface Remembered {
  /** Covered by a signed payment. */
  readonly chain: bigint
  readonly db: bigint
  readonly max: bigint
}

export const NOTHING_REMEMBERED: Remembered = { chain: 0n, db: 0n, max: 0n }

export interface SessionView {
  readonly isTest: boolean
  readonly versions: { readonly min: number; readonly max: number }
  /** Recomputes both contract addresses; throws where they are not what the proxy says. */
  contracts(params: ProxyParams, workerScAddress: string): { readonly contract: Address; readonly ownContract: Address }
  remembered(contract: Address): Remembered
  /** The total a payment is good for; throws when it is not valid for our contract. */
  paymentTotal(payment: SignedPayment, proxy: KnownProxy): bigint
}

export type SessionInput =
  | { readonly got: 'registered'; readonly params: ProxyParams; readonly workerScAddress: string }
  | { readonly got: 'compared'; readonly result: WorkerCompareBalanceWithProxyResult }
  | { readonly got: 'compared-again' }
  | { readonly got: 'completed' }

export type SessionEffect =
  | { readonly do: 'compare'; readonly remembered: Remembered }
  | { readonly do: 'compare-again'; readonly db: bigint }
  | { readonly do: 'complete' }
  | {
      readonly do: 'remember'
      readonly proxy: KnownProxy
      readonly totals: Remembered
      readonly payment: SignedPayment
    }
  | { readonly do: 'serve'; readonly proxy: KnownProxy }

export type SessionStep = readonly [WorkerSession, readonly SessionEffect[]]

export function receive(session: WorkerSession, input: SessionInput, view: SessionView): SessionStep {
  if (session.at === 'registering' && input.got === 'registered')
    return registered(input.params, input.workerScAddress, view)
  if (session.at === 'comparing' && input.got === 'compared') return compared(session.proxy, input.result, view)
  if (session.at === 'comparing-again' && input.got === 'compared-again')
    return [{ at: 'finishing', proxy: session.proxy }, [{ do: 'complete' }]]
  if (session.at === 'finishing' && input.got === 'completed')
    return [{ at: 'ready', proxy: session.proxy }, [{ do: 'serve', proxy: session.proxy }]]
  return close(`${input.got} out of turn, at ${session.at}`)
}

function registered(params: ProxyParams, workerScAddress: string, view: SessionView): SessionStep {
  if ((params.flags & 3) === 0) return close('too old proxy')
  if ((params.isTest ?? false) !== view.isTest) return close('test mode mismatch')
  const { protoVersion: version = 0 } = params
  if (version < view.versions.min || version > view.versions.max)
    return close(`the proxy chose version ${version}, which was not offered`)
  const { contract, ownContract } = view.contracts(params, workerScAddress)
  const proxy: KnownProxy = { publicKey: copyBytes(params.proxyPublicKey), contract, ownContract, version }
  return [{ at: 'comparing', proxy }, [{ do: 'compare', remembered: view.remembered(contract) }]]
}

/** A proxy that remembers less than it has confirmed has lost its books; working on for it would be unpaid. */
function compared(proxy: KnownProxy, result: WorkerCompareBalanceWithProxyResult, view: SessionView): SessionStep {
  const known = view.remembered(proxy.contract)
  const chain = view.paymentTotal(result.signedPayment, proxy)
  if (chain < known.chain) return close('tokens_committed_to_blockchain is too low')
  if (result.tokensCommittedToDb < known.db) return close('tokens_committed_to_db is too low')
  const totals = { chain, db: result.tokensCommittedToDb, max: result.maxTokens }
  const remember: SessionEffect = { do: 'remember', proxy, totals, payment: result.signedPayment }
  if (result.errorCode === 1)
    return [{ at: 'comparing-again', proxy }, [remember, { do: 'compare-again', db: result.tokensCommittedToDb }]]
  if (result.errorCode !== 0) return close(`comparison refused with code ${result.errorCode}`)
  return [{ at: 'finishing', proxy }, [remember, { do: 'complete' }]]
}

const close = (why: string): SessionStep => [{ at: 'closed', why }, []]
