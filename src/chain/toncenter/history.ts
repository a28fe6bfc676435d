/**
 * Transactions of an account without gaps. The state names the last transaction's hash and each transaction names the one
 * before it: an endpoint can refuse to go on, but it cannot leave one out or make one up.
 */
import { type Address, loadTransaction, type Transaction } from '@ton/core'
import { CocoonError, toHex } from '../../util/index.ts'
import type { History, HistoryRange } from '../reader.ts'
import { parseUntrustedCell } from '../untrusted-cell.ts'
import type { Endpoint } from './endpoint.ts'
import { Transactions } from './schemas.ts'

/** As many as public endpoints give at once. */
const PAGE = 100
/** A proxy that saves its state every 45 s makes 700 000 transactions a year: whoever walks further back has lost its place. */
const MAX_WALK = 1_000_000

interface Place {
  readonly lt: bigint
  readonly hash: string
}

export async function readHistory(
  endpoint: Endpoint,
  address: Address,
  range: HistoryRange & { readonly until: NonNullable<HistoryRange['until']> },
): Promise<History> {
  const { afterLt, limit, signal } = range
  let next: Place = { lt: range.until.lastLt, hash: range.until.lastHash }
  /** Newest first; what is newer than the limit allows falls out at the front. */
  let found: Transaction[] = []
  let more = false
  for (let walked = 0; next.lt > afterLt; ) {
    const page = await readPage(endpoint, address, next, walked > 0, signal)
    walked += page.length
    if (walked > MAX_WALK)
      throw new CocoonError('chain.bad-answer', { message: `more than ${MAX_WALK} transactions since lt ${afterLt}` })
    const oldest = page.at(-1) as Transaction
    next = { lt: oldest.prevTransactionLt, hash: hex(oldest.prevTransactionHash) }
    found.push(...page.filter((transaction) => transaction.lt > afterLt))
    if (found.length > limit) {
      more = true
      found = found.slice(found.length - limit)
    }
  }
  return { transactions: found.toReversed(), more }
}

/** Some transactions from this place backwards, at least one. */
function readPage(
  endpoint: Endpoint,
  address: Address,
  from: Place,
  archival: boolean,
  signal: AbortSignal | undefined,
): Promise<Transaction[]> {
  const hash = Buffer.from(from.hash, 'hex').toString('base64')
  const params = { address: address.toRawString(), limit: PAGE, lt: from.lt.toString(), hash, archival }
  const linked = Transactions.transform((raw) => {
    let next = from
    const page = raw.map(({ data }) => {
      const transaction = parseTransaction(endpoint, data)
      const isNext = transaction.lt === next.lt && toHex(transaction.hash()) === next.hash
      if (!isNext || transaction.prevTransactionLt >= transaction.lt || !isOf(transaction, address))
        throw gap(endpoint, next)
      next = { lt: transaction.prevTransactionLt, hash: hex(transaction.prevTransactionHash) }
      return transaction
    })
    if (page.length === 0) throw gap(endpoint, from)
    return page
  })
  return endpoint.call('getTransactions', params, linked, signal)
}

function parseTransaction(endpoint: Endpoint, data: string): Transaction {
  const cell = parseUntrustedCell(data, `${endpoint.name}: transaction`)
  try {
    return loadTransaction(cell.beginParse())
  } catch (cause) {
    const message = `${endpoint.name} tells a transaction that is none`
    throw new CocoonError('chain.bad-answer', { endpoint: endpoint.name, message }, { cause })
  }
}

const isOf = (transaction: Transaction, address: Address): boolean => hex(transaction.address) === toHex(address.hash)

const hex = (value: bigint): string => value.toString(16).padStart(64, '0')

const gap = (endpoint: Endpoint, at: Place): CocoonError =>
  new CocoonError('chain.bad-answer', {
    endpoint: endpoint.name,
    lt: at.lt,
    message: `${endpoint.name} leaves out the transaction ${at.lt} of an account, or tells another in its place`,
  })
