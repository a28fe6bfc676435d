/**
 * An order, followed to its end: paid from a wallet once, found in the receiver's history, and judged by what the receiver
 * did with it. "Sent" is not yet "done": contracts refuse, and send the money back.
 */
import { createHash } from 'node:crypto'
import type { Address, Transaction } from '@ton/core'
import { type Clock, CocoonError, type Random, toHex, uniform } from '../../util/index.ts'
import { EXIT_CODES } from '../contracts/common.ts'
import { pause } from '../pause.ts'
import type { ChainReader } from '../reader.ts'
import type { SendOutcome } from '../sender/journal.ts'
import type { Hop, Order, Payer } from './payer.ts'

export interface OrderDeps {
  readonly reader: ChainReader
  readonly payer: Payer
  readonly clock: Clock
  readonly random: Random
  /** How often the receiver is looked at. */
  readonly pollMs: readonly [low: number, high: number]
  /** What is being waited for; each stage once an order. */
  readonly onProgress?: (progress: OrderProgress) => void
  /** Ends the waiting. What was sent goes on, and the same orders given again find it. */
  readonly signal?: AbortSignal
}

export interface OrderProgress {
  readonly label: string
  readonly to: Address
  readonly stage: 'sending' | 'sent' | 'done'
  /** Of the receiver's transaction; only when done. */
  readonly hash?: string
}

export interface OrderResult {
  readonly label: string
  readonly to: Address
  /** The receiver's transaction. */
  readonly lt: bigint
  readonly hash: string
  /** Unix seconds. */
  readonly atS: number
}

/** What one external message of a wallet carries. */
const MOST_AT_ONCE = 4
/** From sent to found: a few blocks, or a queue of messages on a busy day. */
const ARRIVAL_LIMIT_MS = 600_000
const HISTORY_PART = 200

/**
 * Sends the orders, four at a time, and waits until each receiver has carried its own out. An order that is interrupted and given
 * again is the same order, and not paid twice, as long as nothing else has happened at its receiver.
 *
 * Throws `chain.order-failed` with the receiver's words, `chain.order-lost` when it was not sent or did not arrive, and what
 * the payer throws.
 */
export async function carryOut(deps: OrderDeps, orders: readonly Order[]): Promise<readonly OrderResult[]> {
  const results: OrderResult[] = []
  for (let at = 0; at < orders.length; at += MOST_AT_ONCE)
    results.push(...(await carryOutSome(deps, orders.slice(at, at + MOST_AT_ONCE))))
  return results
}

async function carryOutSome(deps: OrderDeps, orders: readonly Order[]): Promise<readonly OrderResult[]> {
  const { payer, signal } = deps
  const tell = (order: Order, stage: OrderProgress['stage'], hash?: string): void =>
    deps.onProgress?.({ label: order.label, to: order.to, stage, ...(hash === undefined ? {} : { hash }) })
  const ways = orders.map((order) => payer.hops(order))
  const before = await lastLts(deps, ways)
  for (const order of orders) tell(order, 'sending')
  checkSent(await payer.send(idOf(payer, orders, before), orders, signal), orders)
  for (const order of orders) tell(order, 'sent')
  const found = new Set<string>()
  const results: OrderResult[] = []
  // One after the other: two orders to the same receiver arrive in their order.
  for (const [i, order] of orders.entries()) {
    let transaction: Transaction | undefined
    for (const hop of ways[i] as readonly Hop[]) {
      transaction = await arrival(deps, order.label, hop, before.get(hop.to.toRawString()) ?? 0n, found)
      found.add(toHex(transaction.hash()))
      judge(order.label, hop, transaction)
    }
    const { lt, now } = transaction as Transaction
    const hash = toHex((transaction as Transaction).hash())
    tell(order, 'done', hash)
    results.push({ label: order.label, to: order.to, lt, hash, atS: now })
  }
  return results
}

/** The last thing that has happened at each account on the way. */
async function lastLts(
  { reader, signal }: OrderDeps,
  ways: readonly (readonly Hop[])[],
): Promise<ReadonlyMap<string, bigint>> {
  const accounts = new Map(ways.flat().map(({ to }) => [to.toRawString(), to]))
  const read = [...accounts].map(async ([raw, to]) => {
    const { lastLt } = await reader.getAccount(to, signal === undefined ? {} : { signal })
    return [raw, lastLt] as const
  })
  return new Map(await Promise.all(read))
}

/** Who, what, and the last thing that had happened at each receiver. */
function idOf(payer: Payer, orders: readonly Order[], before: ReadonlyMap<string, bigint>): string {
  const hash = createHash('sha256').update(payer.address.hash)
  for (const { to, valueNano, body, init } of orders)
    hash
      .update(to.hash)
      .update(`${valueNano} ${before.get(to.toRawString())} `)
      .update(body.hash())
      .update(init?.data.hash() ?? '')
  return `${(orders[0] as Order).label} ${hash.digest('hex').slice(0, 40)}`
}

function checkSent(outcome: SendOutcome, orders: readonly Order[]): void {
  const what = orders.map((order) => order.label).join(', ')
  if (outcome.result === 'confirmed') return
  if (outcome.result === 'failed')
    throw new CocoonError('chain.order-lost', {
      exitCode: outcome.exitCode,
      message: `the wallet could not send ${what}: ${wordsOf(outcome.exitCode)}; nothing more will be sent of it`,
    })
  throw new CocoonError('chain.order-lost', {
    message: `${what} was not sent${outcome.rejection === undefined ? '' : `: ${outcome.rejection}`}; no money has left the wallet, try again`,
  })
}

/** The receiver's transaction with the message. */
async function arrival(
  deps: OrderDeps,
  label: string,
  hop: Hop,
  afterLt: bigint,
  found: ReadonlySet<string>,
): Promise<Transaction> {
  const { reader, clock, random, signal } = deps
  const bodyHash = toHex(hop.body.hash())
  const isIt = ({ inMessage }: Transaction): boolean =>
    inMessage?.info.type === 'internal' &&
    inMessage.info.src.equals(hop.from) &&
    toHex(inMessage.body.hash()) === bodyHash
  const untilMs = clock.now() + ARRIVAL_LIMIT_MS
  for (let seenLt = afterLt; ; ) {
    const range = { afterLt: seenLt, limit: HISTORY_PART, ...(signal === undefined ? {} : { signal }) }
    const { transactions, more } = await reader.getTransactions(hop.to, range)
    const transaction = transactions.find((tx) => isIt(tx) && !found.has(toHex(tx.hash())))
    if (transaction !== undefined) return transaction
    seenLt = transactions.at(-1)?.lt ?? seenLt
    if (more) continue
    if (clock.now() > untilMs)
      throw new CocoonError('chain.order-lost', {
        message: `${label} has left the wallet and has not arrived at ${hop.to.toString()} after ${ARRIVAL_LIMIT_MS / 60_000} minutes: look at that account before you try again`,
      })
    await pause(clock, uniform(random, ...deps.pollMs), signal)
  }
}

/** Throws `chain.order-failed` unless the receiver did what it was told. */
function judge(label: string, hop: Hop, { description }: Transaction): void {
  if (description.type !== 'generic') return
  const { computePhase, actionPhase } = description
  const refuse = (why: string, exitCode?: number): CocoonError =>
    new CocoonError('chain.order-failed', {
      exitCode,
      message: `${label} was refused by ${hop.to.toString()}: ${why}; what was sent along comes back, less fees`,
    })
  if (computePhase.type === 'skipped') {
    // Money for an account without code simply arrives.
    if (computePhase.reason === 'no-state' && hop.isPlain) return
    throw refuse(computePhase.reason === 'no-state' ? 'there is no contract' : computePhase.reason)
  }
  const failed = computePhase.success
    ? actionPhase?.success === false
      ? actionPhase.resultCode
      : null
    : computePhase.exitCode
  if (failed !== null) throw refuse(wordsOf(failed), failed)
}

const wordsOf = (exitCode: number): string => `${EXIT_CODES[exitCode] ?? 'for a reason we do not know'} (${exitCode})`
