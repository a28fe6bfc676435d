/** Transactions and blocks as the chain keeps them: a bag of cells, and what it is found by. */
import { createHash } from 'node:crypto'
import { Address, beginCell, Cell, Dictionary, loadMessage, type Message, storeMessage } from '@ton/core'

export interface TransactionRecord {
  /** Raw address, `0:` and 64 hex digits. */
  readonly account: string
  readonly lt: bigint
  /** Hex. */
  readonly hash: string
  /** Seconds. */
  readonly utime: number
  /** Block. */
  readonly seqno: number
  /** Bag of cells, Base64. */
  readonly boc: string
  /** Hashes of the messages, hex; the first is the inbound one. */
  readonly messages: readonly string[]
  /** The inbound external message’s hash without the parts that do not count (TEP-467), hex. */
  readonly normHash: string | null
}

export interface Block {
  readonly seqno: number
  /** Seconds. */
  readonly utime: number
  readonly startLt: bigint
  readonly endLt: bigint
  /** Hex; names the block, and through `prev` everything before it. */
  readonly hash: string
  readonly prev: string
  readonly transactions: readonly TransactionRecord[]
}

/** The record of a transaction that the emulator made, and the messages it sends to other accounts, in order. */
export function recordTransaction(
  boc: string,
  address: Address,
  block: { readonly seqno: number; readonly utime: number },
): { readonly record: TransactionRecord; readonly internal: readonly Cell[] } {
  const cell = Cell.fromBase64(boc)
  const slice = cell.beginParse()
  // transaction$0111 account_addr:bits256 lt:uint64 …: only what is needed, since this runs for every transaction.
  const lt = slice.skip(4 + 256).loadUintBig(64)
  const messages = slice.loadRef().beginParse()
  const inbound = messages.loadMaybeRef()
  const out = messages.loadDict(Dictionary.Keys.Uint(15), Dictionary.Values.Cell()).values()
  const hashes = inbound === null ? out : [inbound, ...out]
  return {
    record: {
      account: address.toRawString(),
      lt,
      hash: cell.hash().toString('hex'),
      utime: block.utime,
      seqno: block.seqno,
      boc,
      messages: hashes.map((m) => m.hash().toString('hex')),
      normHash: inbound !== null && isExternalIn(inbound) ? normalizedHash(loadMessage(inbound.beginParse())) : null,
    },
    internal: out.filter((message) => !message.beginParse().loadBit()),
  }
}

/** `ext_in_msg_info$10`. */
const isExternalIn = (message: Cell): boolean => message.beginParse().preloadUint(2) === 2

/** Hash of an external message with no source, no fee and no state, its body in a reference: what wallets look it up by. */
export function normalizedHash(message: Message): string {
  if (message.info.type !== 'external-in') throw new TypeError('not an external message')
  const plain: Message = { info: { type: 'external-in', dest: message.info.dest, importFee: 0n }, body: message.body }
  return beginCell()
    .store(storeMessage(plain, { forceRef: true }))
    .endCell()
    .hash()
    .toString('hex')
}

/** The name of a block: everything that tells it from another, so that two chains that part differ from there on. */
export function nameBlock(block: Omit<Block, 'hash'>, salt: string): string {
  const hash = createHash('sha256').update(
    `${salt}|${block.prev}|${block.seqno}|${block.utime}|${block.startLt}|${block.endLt}`,
  )
  for (const t of block.transactions) hash.update(t.hash)
  return hash.digest('hex')
}

/** Where an internal message goes, or an external one enters; null when that is no place on this chain. */
export function destinationOf(message: Cell): Address | null {
  try {
    const { dest } = loadMessage(message.beginParse()).info
    return Address.isAddress(dest) ? dest : null
  } catch {
    return null
  }
}
