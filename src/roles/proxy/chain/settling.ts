/**
 * Sending what plan.ts orders: a few orders in one message of the wallet, each at most once at a time, and a pause before an
 * order is repeated that has had no effect. What an order has done shows in its contract, not in the sending.
 */
import type { WalletSender, WalletTransfer } from '../../../chain/index.ts'
import { type Clock, type CocoonError, type Log, type Random, toCocoonError, toHex } from '../../../util/index.ts'
import type { Order } from './plan.ts'

export interface SettlingDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly wallet: WalletSender
  transfer(order: Order): WalletTransfer
}

/** What was sent, for people who want to see their money move. */
export interface Settlement {
  readonly do: Order['do'] | 'checkpoint'
  readonly owner: string | null
  readonly tokens: bigint | null
  readonly atMs: number
  /** Of the wallet's transaction; null until the chain shows it. */
  readonly transaction: string | null
  readonly state: 'sending' | 'sent' | 'done' | 'failed'
}

export interface Extra {
  readonly transfer: WalletTransfer
  readonly settlement: Pick<Settlement, 'do' | 'tokens'>
  /** Whether it has left the wallet. */
  ended(sent: boolean): void
}

export interface Settling {
  /** Whether a message is on its way; then nothing else is sent. */
  readonly isBusy: boolean
  /** Sends up to four; `extra` goes first. */
  send(orders: readonly Order[], extra: Extra | null): void
  /** The contract of this owner has moved. */
  landed(role: 'client' | 'worker', owner: string): void
  /** A worker was paid, and the payout bounced. */
  cameBack(owner: string): void
  /** Newest first. */
  recent(): readonly Settlement[]
  /** Orders that were sent a while ago, and no notice has told of an effect. */
  overdue(): readonly Order[]
  readonly lastError: CocoonError | null
}

const MAX_TRANSFERS = 4
const KEPT = 64
/** Several blocks on the way through two contracts; who has not moved by then, has refused. */
const LANDING_MS = 60_000
/** Notices come with the block after; whoever looks at a contract earlier sees half of what is going on. */
const OVERDUE_MS = 30_000
const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 3_600_000

interface Attempt {
  failures: number
  /** Null while it is being sent. */
  sentAtMs: number | null
  notBeforeMs: number
}

export function createSettling(deps: SettlingDeps): Settling {
  const { clock, log, wallet } = deps
  const attempts = new Map<string, Attempt & { readonly order: Order }>()
  const recent: Mutable<Settlement>[] = []
  let isBusy = false
  let lastError: CocoonError | null = null

  /** Orders that may go now; gives up on those that have had their time. */
  function free(order: Order): boolean {
    const attempt = attempts.get(keyOf(order))
    if (attempt === undefined) return true
    const now = clock.now()
    if (attempt.sentAtMs === null) return now >= attempt.notBeforeMs
    if (now - attempt.sentAtMs < LANDING_MS) return false
    log.warn('an order has had no effect on its contract; it will be sent again later', {
      order: keyOf(order),
      failures: attempt.failures + 1,
    })
    retryLater(attempt)
    return false
  }

  function retryLater(attempt: Attempt): void {
    attempt.sentAtMs = null
    attempt.notBeforeMs = clock.now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt.failures)
    attempt.failures++
  }

  async function carry(orders: readonly Order[], extra: Extra | null): Promise<void> {
    const shown = [
      ...(extra === null ? [] : [{ ...extra.settlement, owner: null }]),
      ...orders.map((o) => ({
        do: o.do,
        owner: 'owner' in o ? o.owner : null,
        tokens: 'tokens' in o ? o.tokens : null,
      })),
    ].map((s): Mutable<Settlement> => ({ ...s, atMs: clock.now(), transaction: null, state: 'sending' }))
    recent.unshift(...shown)
    recent.length = Math.min(recent.length, KEPT)
    const transfers = [...(extra === null ? [] : [extra.transfer]), ...orders.map((o) => deps.transfer(o))]
    for (const order of orders) {
      const before = attempts.get(keyOf(order))
      attempts.set(keyOf(order), {
        order,
        failures: before?.failures ?? 0,
        sentAtMs: clock.now(),
        notBeforeMs: 0,
      })
    }
    const outcome = await wallet.send({ id: `settle-${toHex(deps.random.bytes(12))}`, transfers })
    const hasLeft = (i: number): boolean =>
      outcome.result === 'confirmed' || (outcome.result === 'failed' && outcome.delivered[i] === true)
    const transaction = outcome.result === 'confirmed' ? outcome.hash : null
    for (const [i, settlement] of shown.entries()) {
      settlement.transaction = transaction
      if (settlement.state === 'sending') settlement.state = hasLeft(i) ? 'sent' : 'failed'
    }
    extra?.ended(hasLeft(0))
    const first = extra === null ? 0 : 1
    for (const [i, order] of orders.entries()) {
      const attempt = attempts.get(keyOf(order))
      if (attempt === undefined) continue
      if (hasLeft(first + i)) attempt.sentAtMs = clock.now()
      else retryLater(attempt)
    }
    lastError = null
  }

  return {
    get isBusy() {
      return isBusy
    },
    get lastError() {
      return lastError
    },
    overdue() {
      const before = clock.now() - OVERDUE_MS
      return [...attempts.values()].filter((a) => a.sentAtMs !== null && a.sentAtMs < before).map((a) => a.order)
    },
    send(orders, extra) {
      const chosen = orders.filter(free).slice(0, MAX_TRANSFERS - (extra === null ? 0 : 1))
      if (chosen.length === 0 && extra === null) return
      isBusy = true
      carry(chosen, extra)
        .catch((error: unknown) => {
          const why = toCocoonError(error)
          if (why.code !== 'chain.closed') log.warn('orders could not be sent', { code: why.code, why: why.message })
          if (why.code !== lastError?.code) lastError = why
          extra?.ended(false)
          for (const settlement of recent) if (settlement.state === 'sending') settlement.state = 'failed'
          for (const order of chosen) {
            const attempt = attempts.get(keyOf(order))
            if (attempt !== undefined) retryLater(attempt)
          }
        })
        .finally(() => (isBusy = false))
    },
    landed(role, owner) {
      const names = ORDERS_TO[role]
      for (const name of names) attempts.delete(`${name} ${owner}`)
      for (const settlement of recent)
        if (settlement.owner === owner && names.includes(settlement.do) && settlement.state !== 'failed')
          settlement.state = 'done'
    },
    cameBack(owner) {
      log.warn('a payout came back: the proxy contract could not pay it; it will be sent again later', { owner })
      const order = { do: 'pay', owner, tokens: 0n } as const
      const attempt = attempts.get(keyOf(order)) ?? { order, failures: 0, sentAtMs: null, notBeforeMs: 0 }
      attempts.set(keyOf(order), attempt)
      retryLater(attempt)
      for (const settlement of recent)
        if (settlement.owner === owner && ORDERS_TO.worker.includes(settlement.do)) settlement.state = 'failed'
    },
    recent: () => recent,
  }
}

const ORDERS_TO: Readonly<Record<'client' | 'worker', readonly string[]>> = {
  client: ['charge', 'grant'],
  worker: ['pay', 'pay-last'],
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** One order of a kind for each owner: a later total replaces an earlier one. */
const keyOf = (order: Order): string => ('owner' in order ? `${order.do} ${order.owner}` : order.do)
