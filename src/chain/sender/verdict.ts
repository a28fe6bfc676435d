/**
 * What has become of a signed message, from one snapshot of the wallet: its sequence number, the time of the block, and its
 * history up to that block. Rules only; whether the snapshot can be believed is the caller's business.
 */
import { Cell, loadMessageRelaxed, type Transaction } from '@ton/core'
import { toHex } from '../../util/index.ts'
import type { SendAttempt, SendOutcome, SendRecord } from './journal.ts'

export interface WalletSnapshot {
  readonly seqno: number
  /** Unix seconds: the time of the masterchain block. */
  readonly atS: number
  /** Everything later than the record's `afterLt`. */
  readonly history: readonly Transaction[]
}

export type Verdict =
  /** Done for good. */
  | { readonly is: 'final'; readonly outcome: SendOutcome }
  /** The wallet has seen it, and it may still be tried again by anybody: neither send nor sign. */
  | { readonly is: 'seen' }
  /** It may still arrive: the same message may be sent again, no other. */
  | { readonly is: 'open' }
  /** None of the attempts can have an effect any more. */
  | { readonly is: 'void' }

/**
 * A masterchain block at a time T has taken in shard blocks made before T, but not always all of them: a block of the
 * wallet's shard, made while the message was valid, may be taken in later. Shard blocks are taken in within seconds, and not
 * at all after a minute; this is twice that.
 */
export const EXPIRY_MARGIN_S = 120

export function judge(record: SendRecord, snapshot: WalletSnapshot): Verdict {
  const last = record.attempts.at(-1)
  if (last === undefined) return { is: 'void' }
  const ours = snapshot.history.filter((tx) => isOurs(tx, record.attempts))
  const feeNano = ours.reduce((sum, tx) => sum + feeOf(tx), 0n)
  const seen = ours.map((tx) => ({ tx, delivered: deliveredBy(tx, record) }))

  const whole = seen.find(({ delivered }) => delivered.every(Boolean))
  if (whole !== undefined) {
    const { lt, now: atS } = whole.tx
    return { is: 'final', outcome: { result: 'confirmed', lt, hash: toHex(whole.tx.hash()), atS, feeNano } }
  }
  // A wallet that counts a message before its transfers may send some of them; that message counts no second time.
  const isOver = snapshot.seqno > last.seqno || snapshot.atS > last.validUntilS + EXPIRY_MARGIN_S
  if (!isOver) return { is: seen.length > 0 ? 'seen' : 'open' }
  const failure = seen.find(({ delivered }) => delivered.some(Boolean)) ?? seen.at(-1)
  if (failure === undefined) return { is: 'void' }
  return {
    is: 'final',
    outcome: { result: 'failed', ...phaseOf(failure.tx), delivered: failure.delivered, feeNano },
  }
}

function isOurs(tx: Transaction, attempts: readonly SendAttempt[]): boolean {
  if (tx.inMessage?.info.type !== 'external-in') return false
  const hash = toHex(tx.inMessage.body.hash())
  return attempts.some((attempt) => attempt.bodyHash === hash)
}

/** Which of the record's messages left with this transaction. They leave in order; receiver and body tell them apart. */
function deliveredBy(tx: Transaction, record: SendRecord): boolean[] {
  const left = [...tx.outMessages.values()].map((m) => `${m.info.dest?.toString()} ${toHex(m.body.hash())}`)
  let at = 0
  return record.transfers.map(({ boc }) => {
    const found = left.indexOf(receiverAndBody(boc), at)
    if (found >= 0) at = found + 1
    return found >= 0
  })
}

function phaseOf(tx: Transaction): { readonly phase: 'compute' | 'action'; readonly exitCode: number } {
  const { description } = tx
  if (description.type !== 'generic' || description.computePhase.type !== 'vm')
    return { phase: 'compute', exitCode: -1 }
  const { computePhase, actionPhase } = description
  if (!computePhase.success) return { phase: 'compute', exitCode: computePhase.exitCode }
  return { phase: 'action', exitCode: actionPhase?.resultCode ?? -1 }
}

/** What the wallet paid: to the block's makers, and for carrying its messages on. */
function feeOf(tx: Transaction): bigint {
  const carried = [...tx.outMessages.values()].map((m) => (m.info.type === 'internal' ? m.info.forwardFee : 0n))
  return carried.reduce((sum, fee) => sum + fee, tx.totalFees.coins)
}

function receiverAndBody(boc: string): string {
  const message = loadMessageRelaxed(Cell.fromBase64(boc).beginParse())
  return `${message.info.dest?.toString()} ${toHex(message.body.hash())}`
}
