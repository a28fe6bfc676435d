/**
 * What a proxy sends to contracts now: which clients are charged, which workers paid, which contracts closed. A pure function of
 * what the ledger says and what the contracts say. Amounts are nanoTON, never tokens. Rules in words: docs/payments.md.
 */
import type { ContractState } from '../../../chain/index.ts'
import type { OwnerKey } from '../../../ledger/index.ts'

/** A client's or worker's contract, as last heard of. */
export interface Standing {
  /** `absent`: nobody has deployed it. */
  readonly state: ContractState | 'absent'
  /** Charged or paid there, in total. */
  readonly tokens: bigint
  /** nanoTON; clients only. */
  readonly balanceNano: bigint
}

export interface ClientPosition extends Standing {
  readonly owner: OwnerKey
  /** Total that may be signed. */
  readonly signable: bigint
  /** Total that was used. */
  readonly used: bigint
  readonly running: number
}

export interface WorkerPosition extends Standing {
  readonly owner: OwnerKey
  readonly signable: bigint
  readonly earned: bigint
}

export interface ProxyPosition {
  readonly state: ContractState
  /** nanoTON that the operator can take. */
  readonly balanceNano: bigint
  /** nanoTON charged to clients and not assigned yet: workers are paid from it. */
  readonly potNano: bigint
  /** Unix seconds. */
  readonly unlockTs: number
}

export interface Terms {
  readonly pricePerToken: bigint
  readonly workerFeePerToken: bigint
  readonly chargeAtNano: bigint
  readonly payoutAtNano: bigint
  readonly withdrawAtNano: bigint
}

export interface PlanView {
  readonly proxy: ProxyPosition
  readonly clients: readonly ClientPosition[]
  readonly workers: readonly WorkerPosition[]
  readonly terms: Terms
  /** The contract is to be wound up: refunds and last payouts for everybody, then its own end. */
  readonly isDraining: boolean
  /** By the chain's clock, Unix seconds. */
  readonly nowS: number
}

export type Order =
  | { readonly do: 'charge' | 'grant'; readonly owner: OwnerKey; readonly tokens: bigint }
  | { readonly do: 'pay' | 'pay-last'; readonly owner: OwnerKey; readonly tokens: bigint }
  | { readonly do: 'withdraw' }
  | { readonly do: 'close' }
  | { readonly do: 'complete' }

/** In order of importance: the caller sends as many as fit, skips those that are on their way, and asks again later. */
export function plan(view: PlanView): readonly Order[] {
  return [
    ...(view.isDraining && view.proxy.state === 'normal' ? [{ do: 'close' } as const] : []),
    ...view.clients.flatMap((c) => refund(c, view)),
    ...charges(view),
    ...payouts(view),
    ...ending(view),
  ]
}

/** A closing contract is granted its rest as soon as everything it owes may be signed: its owner need not wait for the delay. */
function refund(client: ClientPosition, view: PlanView): readonly Order[] {
  const isLeaving = client.state === 'closing' || (view.isDraining && client.state === 'normal')
  const isComplete = client.running === 0 && client.signable === client.used
  return isLeaving && isComplete && client.tokens <= client.used
    ? [{ do: 'grant', owner: client.owner, tokens: client.used }]
    : []
}

/** Large enough to be worth the fees, or needed for workers who are owed more than lies in the pot. */
function charges(view: PlanView): readonly Order[] {
  const { pricePerToken, chargeAtNano } = view.terms
  const chargeable = view.clients
    .filter((c) => c.state === 'normal' || c.state === 'closing')
    .map((c) => ({ ...c, owedNano: least((c.signable - c.tokens) * pricePerToken, c.balanceNano) }))
    .filter((c) => c.owedNano >= pricePerToken && c.owedNano > 0n)
    .toSorted((a, b) => (a.owedNano > b.owedNano ? -1 : 1))
  let missing = view.workers.reduce((sum, w) => sum + (isDue(w, view) ? takenFromPot(w, view) : 0n), 0n)
  missing -= view.proxy.potNano
  return chargeable.flatMap(({ owner, signable, owedNano }) => {
    const isWanted = owedNano >= chargeAtNano || missing > 0n
    if (!isWanted) return []
    missing -= owedNano
    return [{ do: 'charge', owner, tokens: signable } as const]
  })
}

/** Only what the pot can pay: a payout above it would come back, and cost its fees. */
function payouts(view: PlanView): readonly Order[] {
  let potNano = view.proxy.potNano
  return view.workers
    .filter((w) => isDue(w, view))
    .toSorted((a, b) => (takenFromPot(a, view) < takenFromPot(b, view) ? -1 : 1))
    .flatMap((w) => {
      const nano = takenFromPot(w, view)
      if (nano > potNano) return []
      potNano -= nano
      const last = view.isDraining && clientsAreDone(view)
      return [{ do: last ? 'pay-last' : 'pay', owner: w.owner, tokens: w.signable } as const]
    })
}

function isDue(worker: WorkerPosition, view: PlanView): boolean {
  if (worker.state === 'closed') return false
  const owed = worker.signable - worker.tokens
  if (view.isDraining) return worker.signable === worker.earned && (owed > 0n || worker.state !== 'absent')
  return owed > 0n && owed * view.terms.workerFeePerToken >= view.terms.payoutAtNano
}

/** A payout books the operator's share as well. */
const takenFromPot = (worker: WorkerPosition, view: PlanView): bigint =>
  (worker.signable - worker.tokens) * view.terms.pricePerToken

function ending(view: PlanView): readonly Order[] {
  const { proxy, terms } = view
  if (!view.isDraining)
    return proxy.balanceNano >= terms.withdrawAtNano && proxy.balanceNano > 0n ? [{ do: 'withdraw' }] : []
  return proxy.state === 'closing' && proxy.unlockTs < view.nowS && isDrained(view) ? [{ do: 'complete' }] : []
}

const clientsAreDone = (view: PlanView): boolean =>
  view.clients.every((c) => c.state === 'closed' || c.state === 'absent')

/** Nobody has anything to get from this contract any more, the operator excepted. */
export const isDrained = (view: PlanView): boolean =>
  clientsAreDone(view) && view.workers.every((w) => w.state === 'closed' || (w.state === 'absent' && w.earned === 0n))

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
