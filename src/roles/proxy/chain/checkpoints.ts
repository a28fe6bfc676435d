/**
 * Checkpoints: numbers of the ledger in the history of the proxy contract, where nobody can take them back. Rules only.
 *
 * What a checkpoint covers may be signed once it is seen on chain. And a checkpoint on chain that the ledger does not know of
 * proves that the ledger is older than this proxy's last word. Layout: spec/contracts.md, "Proxy contract".
 */
import { CocoonError, equalBytes, fromHex, toHex } from '../../../util/index.ts'

export interface SentCheckpoint {
  readonly seqno: number
  /** 32 bytes, of one run of the proxy. */
  readonly session: Uint8Array
}

export interface Checkpoints {
  /** Of the newest one that was ever sent. */
  readonly seqno: number
  /** Sent and not seen yet, oldest first. */
  readonly pending: readonly SentCheckpoint[]
}

export const NO_CHECKPOINTS: Checkpoints = { seqno: 0, pending: [] }

/** A checkpoint that was lost stays pending until a later one is seen; so many lost ones in a row are a broken wallet. */
const MAX_PENDING = 256

/** The next one; write it down before it is sent. */
export function issue(known: Checkpoints, session: Uint8Array): readonly [Checkpoints, SentCheckpoint] {
  if (known.pending.length >= MAX_PENDING)
    throw new CocoonError('chain.checkpoints', {
      message: `${MAX_PENDING} checkpoints in a row did not reach the proxy contract: look at the wallet’s history`,
    })
  const sent = { seqno: known.seqno + 1, session }
  return [{ seqno: sent.seqno, pending: [...known.pending, sent] }, sent]
}

/** What is left to wait for after `seen` was found on chain; null when this ledger never sent it. */
export function confirm(known: Checkpoints, seen: SentCheckpoint): Checkpoints | null {
  const at = known.pending.findIndex((p) => p.seqno === seen.seqno && equalBytes(p.session, seen.session))
  return at < 0 ? null : { ...known, pending: known.pending.slice(at + 1) }
}

export const encodeCheckpoints = ({ seqno, pending }: Checkpoints): string =>
  JSON.stringify({ seqno, pending: pending.map((p) => [p.seqno, toHex(p.session)]) })

/** Throws when it is not what `encodeCheckpoints` wrote. */
export function decodeCheckpoints(text: string): Checkpoints {
  const { seqno, pending } = JSON.parse(text) as { seqno: number; pending: readonly (readonly [number, string])[] }
  return { seqno, pending: pending.map(([n, session]) => ({ seqno: n, session: fromHex(session) })) }
}

export interface CheckpointNeed {
  /** nanoTON of work that is settled and may not be signed yet. */
  readonly unsignedNano: bigint
  /** When the first of it was settled; null when there is none. */
  readonly sinceMs: number | null
  readonly lastSentMs: number
  readonly nowMs: number
  /** Somebody waits: a refund, the end of a contract. */
  readonly isUrgent: boolean
}

export interface CheckpointTerms {
  readonly everyMs: number
  readonly atNano: bigint
  readonly afterMs: number
}

/** A checkpoint costs the proxy about 0.003 TON: worth it for some work, or after some time, and never more often than `everyMs`. */
export function isCheckpointDue(need: CheckpointNeed, terms: CheckpointTerms): boolean {
  if (need.sinceMs === null || need.nowMs - need.lastSentMs < terms.everyMs) return false
  return need.isUrgent || need.unsignedNano >= terms.atNano || need.nowMs - need.sinceMs >= terms.afterMs
}
