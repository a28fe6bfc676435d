/**
 * A proxy's session with one client: who may ask, and what the control queries answer. Pure: the shell in node.ts supplies
 * what it knows as `ProxyView` and carries out what is returned. Source: spec/wire.md, "Client and proxy".
 */
import type { ClientAccount, OwnerKey } from '../../ledger/index.ts'
import type {
  ClientToProxyQuery,
  FieldsOf,
  SignedPayment,
  clientParams,
  clientWorkerTypeV2,
  clientWorkerType,
} from '../../tl/index.ts'
import { PROXY_VERSIONS, type Refusal, negotiate, refusal } from './handshake.ts'
import type { ProxyIdentity } from './identity.ts'
import type { WorkerPool } from './scheduler.ts'
import { equalBytes } from '../../util/index.ts'

export type ClientSession =
  | { readonly at: 'greeting' }
  | {
      readonly at: 'authorizing'
      readonly client: KnownClient
      readonly offer: AuthOffer
      /** The challenge was seen on chain before the client asked for its result. */
      readonly isRegistered: boolean
    }
  /** The client asked, and its registration is not on chain yet: the answer waits. */
  | { readonly at: 'registering'; readonly client: KnownClient }
  | { readonly at: 'ready'; readonly client: KnownClient }
  | { readonly at: 'closed' }

export interface KnownClient {
  readonly owner: OwnerKey
  readonly version: number
}

/** How the client may prove who it is. */
export type AuthOffer =
  /** By the secret whose SHA-256 the client's contract holds, or by registration. */
  | { readonly by: 'secret'; readonly secretHash: Uint8Array; readonly nonce: bigint }
  /** By a message of the client's wallet that brings this nonce: the contract is new, or has no secret worth the name. */
  | { readonly by: 'registration'; readonly nonce: bigint }
  /** No chain, so nothing to protect and nothing to register on: any form is taken. */
  | { readonly by: 'test-network'; readonly secretHash: Uint8Array; readonly nonce: bigint }

/** What the session may look at. Lookups are pure at the instant of the call. */
export interface ClientView {
  readonly isTest: boolean
  readonly configVersion: number
  /** False while the proxy drains or takes part in no registry. */
  readonly enabled: boolean
  readonly identity: ProxyIdentity
  readonly pool: WorkerPool
  /** Opens the account; throws `chain.address` when the text is not an address. */
  open(ownerAddress: string): {
    readonly owner: OwnerKey
    readonly scAddress: string
    readonly offer: AuthOffer
    /** Its contract is closing or closed, or its rest was promised back. */
    readonly isClosing: boolean
  }
  account(owner: OwnerKey): ClientAccount
  signedPayment(owner: OwnerKey): SignedPayment
  sha256(bytes: Uint8Array): Uint8Array
}

export type ClientReply =
  | {
      readonly _: 'client.connectedToProxy'
      readonly scAddress: string
      readonly offer: AuthOffer
      readonly version: number
      readonly owner: OwnerKey
    }
  | { readonly _: 'client.authorizationWithProxySuccess'; readonly owner: OwnerKey }
  | { readonly _: 'client.paymentStatus'; readonly owner: OwnerKey }
  | { readonly _: 'client.workerTypes'; readonly types: readonly FieldsOf<typeof clientWorkerType>[] }
  | { readonly _: 'client.workerTypesV2'; readonly types: readonly FieldsOf<typeof clientWorkerTypeV2>[] }
  | { readonly _: 'client.refundRejected'; readonly activeQueries: bigint }

/** The reply comes with `receiveRegistration`. */
export interface Later {
  readonly _: 'later'
}

/** Next state and the one reply that a query gets. */
export type ClientStep = readonly [ClientSession, ClientReply | Refusal | Later]

export function receiveClientQuery(session: ClientSession, query: ClientToProxyQuery, view: ClientView): ClientStep {
  switch (query._) {
    case 'client.connectToProxy':
      return connect(session, query.params, query.minConfigVersion, view)
    case 'client.authorizeWithProxyShort':
    case 'client.authorizeWithProxyLong':
      return authorize(session, query._ === 'client.authorizeWithProxyShort' ? query.data : null, view)
    default:
      if (session.at !== 'ready') return [session, refusal(621, 'client request from non-ready connection')]
      return [session, control(session.client, query, view)]
  }
}

type ClientParams = FieldsOf<typeof clientParams>

function connect(session: ClientSession, params: ClientParams, minConfigVersion: number, view: ClientView): ClientStep {
  if (session.at !== 'greeting')
    return fail(0, session.at === 'ready' ? 'already authorized' : 'out of turn: already connecting')
  if ((params.flags & 1) === 0) return fail(602, 'too old client')
  if (params.isTest !== view.isTest) return fail(602, 'test mode mismatch')
  let opened: ReturnType<ClientView['open']>
  try {
    opened = view.open(params.clientOwnerAddress)
  } catch {
    return fail(602, 'cannot parse client owner address')
  }
  if (minConfigVersion >>> 0 > view.configVersion) return fail(602, 'active config version is too low')
  const version = negotiate(params, PROXY_VERSIONS)
  if (version === null) return fail(621, 'cannot choose common protocol version')
  if (!view.enabled) return fail(651, 'proxy is not participating in this iteration')
  if (opened.isClosing) return fail(602, 'client is closing')
  const client: KnownClient = { owner: opened.owner, version }
  const { scAddress, offer } = opened
  return [
    { at: 'authorizing', client, offer, isRegistered: false },
    { _: 'client.connectedToProxy', scAddress, offer, version, owner: client.owner },
  ]
}

/** @param secret the revealed secret, or null for the long form */
function authorize(session: ClientSession, secret: Uint8Array | null, view: ClientView): ClientStep {
  if (session.at !== 'authorizing')
    return fail(
      0,
      session.at === 'ready'
        ? 'already authorized'
        : session.at === 'registering'
          ? 'duplicate auth message'
          : 'authorization out of turn',
    )
  const { client, offer } = session
  if (offer.by === 'test-network') return authorized(client)
  if (secret === null)
    return session.isRegistered ? authorized(client) : [{ at: 'registering', client }, { _: 'later' }]
  if (offer.by === 'registration') return fail(0, 'sha256 mismatch')
  // An empty secret is everybody's secret.
  if (secret.length === 0 || !equalBytes(view.sha256(secret), offer.secretHash)) return fail(0, 'sha256 mismatch')
  return authorized(client)
}

const authorized = (client: KnownClient): readonly [ClientSession, ClientReply] => [
  { at: 'ready', client },
  { _: 'client.authorizationWithProxySuccess', owner: client.owner },
]

/** The client's contract has told this session's nonce. A reply goes to the query that waits for it, if one does. */
export function receiveRegistration(session: ClientSession): readonly [ClientSession, ClientReply | null] {
  if (session.at === 'registering') return authorized(session.client)
  if (session.at === 'authorizing') return [{ ...session, isRegistered: true }, null]
  return [session, null]
}

function control(client: KnownClient, query: ClientToProxyQuery, view: ClientView): ClientReply | Refusal {
  switch (query._) {
    case 'client.updatePaymentStatus':
      return { _: 'client.paymentStatus', owner: client.owner }
    case 'client.getWorkerTypes':
      return { _: 'client.workerTypes', types: view.pool.models().map(workerType) }
    case 'client.getWorkerTypesV2':
      return { _: 'client.workerTypesV2', types: view.pool.models().map(workerTypeV2) }
    case 'client.requestRefund':
      return { _: 'client.refundRejected', activeQueries: BigInt(view.account(client.owner).running) }
    default:
      return refusal(621, 'not a control query')
  }
}

type Model = ReturnType<WorkerPool['models']>[number]

/** Enabled workers, cheapest first. A model without any still appears, with none. */
function workerTypeV2({ name, slots }: Model): FieldsOf<typeof clientWorkerTypeV2> {
  const enabled = slots.filter((s) => s.enabled).toSorted((a, b) => a.coefficient - b.coefficient)
  const workers = enabled.map((s) => ({
    flags: 0,
    coefficient: s.coefficient,
    activeRequests: s.running,
    maxActiveRequests: s.capacity,
  }))
  return { name, workers }
}

/** The form of version 0. Its maximum and median are taken over the coefficients and a sentinel, as peers expect. */
const SENTINEL_COEFFICIENT = 0x7fffffff
function workerType({ name, slots }: Model): FieldsOf<typeof clientWorkerType> {
  const sorted = [...slots.map((s) => s.coefficient), SENTINEL_COEFFICIENT].toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] as number
  return {
    name,
    activeWorkers: slots.length,
    coefficientMin: at(0),
    coefficientBucket50: at(0.5),
    coefficientMax: at(1),
  }
}

/** A refused handshake ends the connection; a refused control query does not. */
const fail = (code: number, message: string): ClientStep => [{ at: 'closed' }, refusal(code, message)]
