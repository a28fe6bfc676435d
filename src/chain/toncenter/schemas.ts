/** What toncenter's v2 answers look like. Other fields than those we read may come and go. */
import { z } from 'zod'

/** 2^63 in digits has 19; a little room, and no megabytes of digits. */
const bigInteger = z.union([z.int(), z.string().regex(/^-?\d{1,24}$/)]).transform((v) => BigInt(v))
const natural = bigInteger.refine((v) => v >= 0n, 'must not be negative')
const uint32 = z.int().min(0).max(0xffffffff)
const hashHex = z
  .string()
  .regex(/^[A-Za-z0-9+/_-]{43}=?$/)
  .transform((text) => Buffer.from(text, 'base64').toString('hex'))
const base64 = z.string().regex(/^[A-Za-z0-9+/=]*$/)

/** Errors come as `ok: false` with a status of their own in `code`. */
export const Envelope = z.union([
  z.looseObject({ ok: z.literal(true), result: z.unknown() }),
  z.looseObject({ ok: z.literal(false), error: z.string(), code: z.int().optional() }),
])

const BlockId = z.looseObject({ workchain: z.int(), seqno: uint32 })
const TransactionId = z.looseObject({ lt: natural, hash: hashHex })

export const AddressInformation = z.looseObject({
  // Accounts that never were have −1 with some servers.
  balance: bigInteger.transform((v) => (v < 0n ? 0n : v)),
  code: base64,
  data: base64,
  state: z.enum(['active', 'uninitialized', 'uninit', 'frozen', 'nonexist']),
  last_transaction_id: TransactionId,
  block_id: BlockId,
  /** Unix seconds: the time of that block. */
  sync_utime: uint32,
})

export const Transactions = z.array(z.looseObject({ data: base64.min(1), transaction_id: TransactionId })).max(1000)

export const MasterchainInfo = z.looseObject({ last: BlockId })
/** The chain's first state: the same for ever, and of no other chain. */
export const FirstState = z.looseObject({ init: z.looseObject({ root_hash: hashHex }) })
export const BlockHeader = z.looseObject({ gen_utime: uint32 })

const StackEntry = z.tuple([z.string(), z.unknown()])
export const RunResult = z.looseObject({ exit_code: z.int(), stack: z.array(StackEntry).max(256) })

/** Any: `{"@type":"ok"}` with some servers, a hash with others. */
export const SendResult = z.unknown()
