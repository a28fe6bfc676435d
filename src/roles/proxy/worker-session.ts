/**
 * A proxy's session with one worker: registration, comparison of totals, and control messages. Pure, like
 * client-session.ts. Source: spec/wire.md, "Worker and proxy".
 */
import type { OwnerKey, Totals } from '../../ledger/index.ts'
import type { FieldsOf, WorkerToProxyQuery, workerParams } from '../../tl/index.ts'
import { negotiate, PROXY_VERSIONS, type Refusal, refusal } from './handshake.ts'

export type WorkerSession =
  | { readonly at: 'greeting' }
  | { readonly at: 'comparing'; readonly worker: KnownWorker }
  /** The worker saw more than we have written down: it was told so and may ask once more. */
  | { readonly at: 'comparing-again'; readonly worker: KnownWorker }
  | { readonly at: 'finishing'; readonly worker: KnownWorker }
  | { readonly at: 'ready'; readonly worker: KnownWorker }
  | { readonly at: 'closed' }

export interface KnownWorker {
  readonly owner: OwnerKey
  /** `name@commit:hash`. */
  readonly model: string
  readonly version: number
  readonly capacity: number
  readonly coefficient: number
  /** Free text of the worker's operator; shown escaped, never trusted. */
  readonly machine: string
}

export interface WorkerView {
  readonly isTest: boolean
  readonly enabled: boolean
  /** Null where hashes are not checked, else whether the connection's measurement and this model are listed. */
  readonly hashes: {
    readonly imageListed: boolean
    readonly imageHash: string
    isModelListed(model: string): boolean
  } | null
  open(ownerAddress: string): { readonly owner: OwnerKey; readonly scAddress: string }
  totals(owner: OwnerKey): Totals
}

export type WorkerReply =
  | { readonly _: 'worker.connectedToProxy'; readonly scAddress: string; readonly version: number }
  | { readonly _: 'worker.compareBalanceWithProxyResult'; readonly owner: OwnerKey; readonly errorCode: number }
  | { readonly _: 'worker.extendedCompareBalanceWithProxyResult' }
  | { readonly _: 'worker.proxyHandshakeCompleted'; readonly disabled: boolean }
  | { readonly _: 'worker.paymentStatus'; readonly owner: OwnerKey }

export type WorkerStep = readonly [WorkerSession, WorkerReply | Refusal]

/** Coefficients are per mille; a million times the base price is a slip, not an offer. */
const MAX_COEFFICIENT = 1_000_000_000

export function receiveWorkerQuery(session: WorkerSession, query: WorkerToProxyQuery, view: WorkerView): WorkerStep {
  switch (query._) {
    case 'worker.connectToProxy':
      return session.at === 'greeting' ? connect(query.params, view) : fail(0, 'out of turn: already connecting')
    case 'worker.compareBalanceWithProxy':
      return session.at === 'comparing' ? compare(session.worker, query, view) : outOfTurn(session)
    case 'worker.extendedCompareBalanceWithProxy':
      if (session.at !== 'comparing-again') return outOfTurn(session)
      return [{ at: 'finishing', worker: session.worker }, { _: 'worker.extendedCompareBalanceWithProxyResult' }]
    case 'worker.proxyHandshakeComplete':
      if (session.at !== 'finishing') return outOfTurn(session)
      return [
        { at: 'ready', worker: session.worker },
        { _: 'worker.proxyHandshakeCompleted', disabled: query.isDisabled },
      ]
    case 'worker.updatePaymentStatus':
      if (session.at !== 'ready') return [session, refusal(621, 'worker request from non-ready connection')]
      return [session, { _: 'worker.paymentStatus', owner: session.worker.owner }]
    default:
      return [session, refusal(0, 'Lost promise')]
  }
}

function connect(params: FieldsOf<typeof workerParams>, view: WorkerView): WorkerStep {
  const { hashes } = view
  if (hashes !== null && !hashes.imageListed)
    return fail(621, `invalid worker image hash ${hashes.imageHash.toUpperCase()}`)
  if ((params.flags & 1) === 0) return fail(602, 'too old worker')
  if (params.isTest !== view.isTest) return fail(602, 'test mode mismatch')
  if (params.model === '') return fail(621, 'invalid worker hash or worker type')
  if (params.coefficient < 0 || params.coefficient >= MAX_COEFFICIENT) return fail(621, 'invalid coefficient value')
  const { proxyCnt = 0, maxActiveRequests = 0 } = params
  if (maxActiveRequests < 1) return fail(621, 'invalid max_active_requests value')
  if (proxyCnt < 1) return fail(621, 'invalid proxy_cnt value')
  if (hashes !== null && !hashes.isModelListed(params.model)) return fail(621, `invalid worker model '${params.model}'`)
  const version = negotiate(params, PROXY_VERSIONS)
  if (version === null) return fail(621, 'cannot choose common protocol version')
  let opened: ReturnType<WorkerView['open']>
  try {
    opened = view.open(params.workerOwnerAddress)
  } catch {
    return fail(602, 'cannot parse worker owner address')
  }
  if (!view.enabled) return fail(651, 'proxy is not participating in this iteration')
  const { model, coefficient, machineDescriptionJson: machine = '' } = params
  const capacity = Math.ceil(maxActiveRequests / proxyCnt)
  const worker: KnownWorker = { owner: opened.owner, model, version, capacity, coefficient, machine }
  return [
    { at: 'comparing', worker },
    { _: 'worker.connectedToProxy', scAddress: opened.scAddress, version },
  ]
}

interface Compared {
  readonly tokensCommittedToBlockchain: bigint
  readonly tokensCommittedToDb: bigint
  readonly maxTokens: bigint
}

/**
 * A worker that holds a signature or a committed total above ours proves that our books were rolled back, or lies. Either
 * way nothing may be signed for it; and nobody may stop the process with it.
 */
function compare(worker: KnownWorker, theirs: Compared, view: WorkerView): WorkerStep {
  const ours = view.totals(worker.owner)
  if (theirs.tokensCommittedToBlockchain < 0n || theirs.tokensCommittedToDb < 0n || theirs.maxTokens < 0n)
    return fail(621, 'negative totals')
  if (theirs.tokensCommittedToBlockchain > ours.chain)
    return fail(602, 'tokens_committed_to_blockchain is above the proxy’s')
  if (theirs.tokensCommittedToDb > ours.db) return fail(602, 'tokens_committed_to_db is above the proxy’s')
  const behind = theirs.maxTokens > ours.max
  const reply = { _: 'worker.compareBalanceWithProxyResult', owner: worker.owner, errorCode: behind ? 1 : 0 } as const
  return [{ at: behind ? 'comparing-again' : 'finishing', worker }, reply]
}

const fail = (code: number, message: string): WorkerStep => [{ at: 'closed' }, refusal(code, message)]

const outOfTurn = (session: WorkerSession): WorkerStep =>
  fail(0, session.at === 'ready' ? 'connection is already ready' : 'handshake message out of turn')
