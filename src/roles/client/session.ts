/**
 * A client's session with one proxy: introduction, authorization, then ready. Pure: proxy-link.ts sends what is returned
 * and feeds the answers back. Source: spec/wire.md, "Client and proxy".
 */
import type { Address } from '../../chain/index.ts'
import type { AuthorizationResult, ClientConnectedToProxy, ProxyParams } from '../../tl/index.ts'
import { copyBytes, equalBytes } from '../../util/index.ts'

export type Session =
  | { readonly at: 'greeting' }
  | { readonly at: 'authorizing'; readonly proxy: KnownProxy }
  | { readonly at: 'ready'; readonly proxy: KnownProxy }
  | { readonly at: 'closed'; readonly why: string }

export interface KnownProxy {
  readonly publicKey: Uint8Array
  readonly contract: Address
  /** Our own contract at this proxy. */
  readonly ownContract: Address
  readonly version: number
}

export interface SessionView {
  readonly isTest: boolean
  readonly versions: { readonly min: number; readonly max: number }
  /** SHA-256 of our secret; its bytes are revealed only when the proxy shows that it knows the hash. */
  readonly secretHash: Uint8Array
  /** An empty secret is everybody's: good for a network without money only. */
  readonly mayRevealSecret: boolean
  /** Recomputes both contract addresses; throws where they are not what the proxy says. */
  contracts(params: ProxyParams, clientScAddress: string): { readonly contract: Address; readonly ownContract: Address }
}

export type SessionInput =
  | { readonly got: 'connected'; readonly answer: ClientConnectedToProxy }
  | { readonly got: 'authorized'; readonly result: AuthorizationResult }

export type SessionEffect =
  | { readonly do: 'authorize-short' }
  | { readonly do: 'authorize-long'; readonly nonce: bigint }
  | { readonly do: 'serve'; readonly proxy: KnownProxy }

export type SessionStep = readonly [Session, readonly SessionEffect[]]

export function receive(session: Session, input: SessionInput, view: SessionView): SessionStep {
  if (session.at === 'greeting' && input.got === 'connected') return connected(input.answer, view)
  if (session.at === 'authorizing' && input.got === 'authorized') {
    const { result } = input
    if (result._ === 'client.authorizationWithProxyFailed')
      return close(`the proxy refused authorization with code ${result.errorCode}: ${result.error}`)
    return [{ at: 'ready', proxy: session.proxy }, [{ do: 'serve', proxy: session.proxy }]]
  }
  return close(`${input.got} out of turn, at ${session.at}`)
}

function connected({ params, clientScAddress, auth }: ClientConnectedToProxy, view: SessionView): SessionStep {
  if ((params.flags & 3) === 0) return close('too old proxy')
  if ((params.isTest ?? false) !== view.isTest) return close('test mode mismatch')
  const { protoVersion: version = 0 } = params
  if (version < view.versions.min || version > view.versions.max)
    return close(`the proxy chose version ${version}, which was not offered`)
  const { contract, ownContract } = view.contracts(params, clientScAddress)
  const proxy: KnownProxy = { publicKey: copyBytes(params.proxyPublicKey), contract, ownContract, version }
  const isShort =
    auth._ === 'client.proxyConnectionAuthShort' && view.mayRevealSecret && equalBytes(auth.secretHash, view.secretHash)
  return [
    { at: 'authorizing', proxy },
    [isShort ? { do: 'authorize-short' } : { do: 'authorize-long', nonce: auth.nonce }],
  ]
}

const close = (why: string): SessionStep => [{ at: 'closed', why }, []]
