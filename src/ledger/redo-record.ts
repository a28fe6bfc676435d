/**
 * Records of the redo log: a group of settlements as bytes, numbered, and sealed with a checksum that begins with the contract,
 * so that nothing of another ledger is ever read. Little endian, each record a multiple of eight bytes long:
 *
 *   0 magic · 4 CRC-32 of what follows · 8 length · 12 entries · 16 number · 24 growths · 28 marks · 32 length of the rest · 36 zero ·
 *   40 entries, growths, marks (64 bits a number) · request ids · the rest as JSON: new accounts and facts
 */
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { copyBytes } from '../util/index.ts'
import { ENTRY_FIELDS, type Group, REQUEST_ID_BYTES } from './store.ts'

export interface RedoRecord {
  /** Each write of a ledger has the next one. */
  readonly number: bigint
  readonly group: Group
}

export interface RedoContent {
  /** What the database does not have yet, one after the other without a gap. */
  readonly records: readonly RedoRecord[]
  /** The first of them is not the one that the database needs next: it is older than the log. */
  readonly isAhead: boolean
  /** A sound record lies behind one that is not: something in between was damaged after it counted. */
  readonly isDamaged: boolean
}

const MAGIC = 0x6f646552 // "Redo"
const HEADER_BYTES = 40
/** The part of the header that the checksum is not of. */
const SEAL_BYTES = 8
const NO_BYTES = new Uint8Array()

export function encodeRedo(contract: string, { number, group }: RedoRecord): Uint8Array {
  const { entries, growth, marks, requestIds } = group
  const rest = group.created.length === 0 && group.facts.length === 0 ? NO_BYTES : encodeRest(group)
  const numbers = entries.byteLength + growth.byteLength + marks.byteLength
  const length = (HEADER_BYTES + numbers + requestIds.length + rest.length + 7) & ~7
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(8, length, true)
  view.setUint32(12, entries.length / ENTRY_FIELDS, true)
  view.setBigUint64(16, number, true)
  view.setUint32(24, growth.length / 2, true)
  view.setUint32(28, marks.length / 2, true)
  view.setUint32(32, rest.length, true)
  let at = HEADER_BYTES
  for (const part of [entries, growth, marks, requestIds, rest]) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at)
    at += part.byteLength
  }
  view.setUint32(4, seal(contract, bytes), true)
  return bytes
}

/**
 * Reads from the start until something is no record, or not the next one: there the log ends, and behind it lies what was
 * written before it was begun again.
 * @param newest number of the database's newest write
 */
export function readRedo(contract: string, bytes: Uint8Array, newest: bigint): RedoContent {
  const all: RedoRecord[] = []
  let at = 0
  for (;;) {
    const found = recordAt(contract, bytes, at)
    const last = all.at(-1)
    if (found === null || (last !== undefined && found.number !== last.number + 1n)) break
    all.push(found)
    at += found.length
  }
  const last = all.at(-1)?.number ?? 0n
  const records = all.filter(({ number }) => number > newest)
  const isAhead = records[0] !== undefined && records[0].number !== newest + 1n
  return { records, isAhead, isDamaged: hasLater(contract, bytes, at, last > newest ? last : newest) }
}

/** Whether a sound record with a later number than this lies anywhere behind `at`. */
function hasLater(contract: string, bytes: Uint8Array, at: number, number: bigint): boolean {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let from = all.indexOf('Redo', at, 'latin1'); from >= 0; from = all.indexOf('Redo', from + 1, 'latin1')) {
    const found = recordAt(contract, bytes, from)
    if (found !== null && found.number > number) return true
  }
  return false
}

interface Found extends RedoRecord {
  readonly length: number
}

function recordAt(contract: string, bytes: Uint8Array, at: number): Found | null {
  if (at + HEADER_BYTES > bytes.length) return null
  const head = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES)
  if (head.getUint32(0, true) !== MAGIC) return null
  const length = head.getUint32(8, true)
  if (length < HEADER_BYTES || length > bytes.length - at) return null
  const record = bytes.subarray(at, at + length)
  if (head.getUint32(4, true) !== seal(contract, record)) return null
  const counts = {
    entries: head.getUint32(12, true),
    growth: head.getUint32(24, true),
    marks: head.getUint32(28, true),
  }
  let next = HEADER_BYTES
  const take = (size: number): Uint8Array => copyBytes(record.subarray(next, (next += size)))
  const numbers = (count: number): BigInt64Array => new BigInt64Array(take(count * 8).buffer as ArrayBuffer)
  const group = {
    entries: numbers(counts.entries * ENTRY_FIELDS),
    growth: numbers(counts.growth * 2),
    marks: numbers(counts.marks * 2),
    requestIds: take(counts.entries * REQUEST_ID_BYTES),
    ...decodeRest(take(head.getUint32(32, true))),
  }
  return { number: head.getBigUint64(16, true), length, group }
}

function seal(contract: string, record: Uint8Array): number {
  return crc32(record.subarray(SEAL_BYTES), crc32(contract))
}

const amount = z.string().regex(/^\d+$/).transform(BigInt)
const Rest = z.strictObject({
  created: z.array(
    z.strictObject({
      id: amount,
      role: z.enum(['client', 'worker']),
      owner: z.string(),
      funds: z.strictObject({ balanceNano: amount, stakeNano: amount, scTokensUsed: amount }).nullable(),
    }),
  ),
  facts: z.array(z.tuple([z.string(), z.string().nullable()])),
})

function encodeRest({ created, facts }: Group): Uint8Array {
  const accounts = created.map(({ id, role, owner, funds }) => {
    const { balanceNano, stakeNano, scTokensUsed } = funds ?? {}
    return { id, role, owner, funds: funds === null ? null : { balanceNano, stakeNano, scTokensUsed } }
  })
  const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)
  return new TextEncoder().encode(JSON.stringify({ created: accounts, facts }, text))
}

/** The checksum was right, so it is what was written. */
const decodeRest = (bytes: Uint8Array): Pick<Group, 'created' | 'facts'> =>
  bytes.length === 0 ? { created: [], facts: [] } : Rest.parse(JSON.parse(new TextDecoder().decode(bytes)))
