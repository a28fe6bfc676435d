/**
 * Whether a worker takes a proxy's signed word to its contract by itself. Proxies pay once it is worth their fees; a worker that
 * does not want to wait pays the fees. Pure; amounts are nanoTON, never tokens. Rules in words: docs/payments.md.
 */
import type { ContractState } from '../../../chain/index.ts'

export interface CollectView {
  readonly state: ContractState | 'absent'
  /** Tokens: signed for, and paid on the contract. */
  readonly signed: bigint
  readonly paid: bigint
  readonly pricePerToken: bigint
  readonly workerFeePerToken: bigint
  /** nanoTON at the proxy contract that nobody has been assigned yet. */
  readonly potNano: bigint
  /** Since when something is owed; null when nothing is. */
  readonly owedSinceMs: number | null
  readonly nowMs: number
  /** The network has other parameters than this contract: the proxy is about to leave it. */
  readonly isOutdated: boolean
  readonly collectAtNano: bigint
  readonly collectAfterMs: number
}

/** Below this, fees eat the payment up. */
const WORTH_IT_NANO = 200_000_000n
const WORTH_IT_AT_THE_END_NANO = 10_000_000n

export type Collecting = 'collect' | 'wait' | 'pot-too-small'

export function decideCollecting(view: CollectView): Collecting {
  const owed = view.signed - view.paid
  if (owed <= 0n || view.state === 'closed') return 'wait'
  const owedNano = owed * view.workerFeePerToken
  const isOld = view.owedSinceMs !== null && view.nowMs - view.owedSinceMs >= view.collectAfterMs
  const isWorthIt =
    owedNano >= view.collectAtNano ||
    (isOld && owedNano >= WORTH_IT_NANO) ||
    (view.isOutdated && owedNano >= WORTH_IT_AT_THE_END_NANO)
  if (!isWorthIt) return 'wait'
  // A payout that the proxy contract cannot pay comes back, and costs its fees.
  return owed * view.pricePerToken <= view.potNano ? 'collect' : 'pot-too-small'
}
