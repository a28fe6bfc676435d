/** What a wallet is about to send, written down before it is sent: whoever starts again knows what may be on its way. */
import { createHash } from 'node:crypto'
import { Cell } from '@ton/core'
import { z } from 'zod'
import type { WalletTransfer } from '../contracts/node-wallet.ts'

/** One signed external message. */
export interface SendAttempt {
  readonly seqno: number
  readonly validUntilS: number
  /** Hash of the external message's body: how it is found in the wallet's history. */
  readonly bodyHash: string
  /** The whole external message, Base64. */
  readonly boc: string
}

export type SendOutcome =
  /** All messages have left the wallet. What their receivers do with them is another matter. */
  | {
      readonly result: 'confirmed'
      readonly lt: bigint
      readonly hash: string
      /** Unix seconds. */
      readonly atS: number
      readonly feeNano: bigint
    }
  /** The wallet ran and some messages did not leave; none of them will. `exitCode` is the phase's. */
  | {
      readonly result: 'failed'
      readonly phase: 'compute' | 'action'
      readonly exitCode: number
      /** By message. */
      readonly delivered: readonly boolean[]
      readonly feeNano: bigint
    }
  /** Nothing has left the wallet, and none of it ever will. `rejection`: what an endpoint said last. */
  | { readonly result: 'expired'; readonly attempts: number; readonly rejection?: string }

export interface SendRecord {
  readonly id: string
  readonly transfers: readonly { readonly mode: 0 | 1; readonly boc: string }[]
  /** The wallet's last transaction before the first attempt: everything of ours comes later. */
  readonly afterLt: bigint
  /** In the order in which they were signed. An attempt is here before it is anywhere else. */
  readonly attempts: readonly SendAttempt[]
  readonly outcome: SendOutcome | null
}

export interface SendJournal {
  /** All that are kept, in the order of their first `put`. */
  load(): Promise<readonly SendRecord[]>
  /** Replaces the record of that id; when it resolves, a power cut does not undo it. Throws `chain.journal`, and `chain.journal-full`, which passes. */
  put(record: SendRecord): Promise<void>
  /** As if the record had never been; only for what has no attempt. */
  drop(id: string): Promise<void>
  close(): Promise<void>
}

export const transferRecords = (transfers: readonly WalletTransfer[]): SendRecord['transfers'] =>
  transfers.map(({ mode, message }) => ({ mode, boc: message.toBoc().toString('base64') }))

export const transfersOf = (record: SendRecord): WalletTransfer[] =>
  record.transfers.map(({ mode, boc }) => ({ mode, message: Cell.fromBase64(boc) }))

/** Two requests with one id are the same request only if they say the same. */
export function transfersDigest(transfers: SendRecord['transfers']): string {
  const hash = createHash('sha256')
  for (const { mode, boc } of transfers) hash.update(Uint8Array.of(mode)).update(Cell.fromBase64(boc).hash())
  return hash.digest('hex')
}

const bigint = z
  .string()
  .regex(/^\d{1,24}$/)
  .transform(BigInt)
const seconds = z.int().min(0).max(0xffffffff)
const Attempt = z.strictObject({
  seqno: seconds,
  validUntilS: seconds,
  bodyHash: z.string().regex(/^[0-9a-f]{64}$/),
  boc: z.base64(),
})
const Outcome = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('confirmed'), lt: bigint, hash: z.string(), atS: seconds, feeNano: bigint }),
  z.strictObject({
    result: z.literal('failed'),
    phase: z.enum(['compute', 'action']),
    exitCode: z.int(),
    delivered: z.array(z.boolean()),
    feeNano: bigint,
  }),
  z.strictObject({ result: z.literal('expired'), attempts: z.int(), rejection: z.string().optional() }),
])
const Record = z.strictObject({
  id: z.string(),
  transfers: z
    .array(z.strictObject({ mode: z.union([z.literal(0), z.literal(1)]), boc: z.base64() }))
    .min(1)
    .max(4),
  afterLt: bigint,
  attempts: z.array(Attempt),
  outcome: Outcome.nullable(),
})

/** One line without its end. */
export const encodeRecord = (record: SendRecord): string =>
  JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))

/** Throws when it is none. */
export const decodeRecord = (value: unknown): SendRecord => Record.parse(value) as SendRecord
