/**
 * After a crash: attempts that had left, and whose end nobody heard. One whose receipt is on the disk is accounted for. One
 * without may have been charged, so the most it could cost is entered as `unsettled`: budgets must not forget it. Either way the
 * line waits again.
 */
import type { Gateway } from '../gateway/index.ts'
import type { Clock } from '../util/index.ts'
import { payerOf } from './budget-room.ts'
import type { Entry } from './lanes.ts'
import { added, NO_USAGE } from './progress.ts'
import type { AttemptCost, LostAttempt } from './records.ts'
import type { StoreAccess } from './store-access.ts'

type Accounts = Pick<Gateway, 'budgets' | 'receipts' | 'record' | 'written'>

export async function reconcile(
  lost: readonly LostAttempt[],
  entries: ReadonlyMap<string, Entry>,
  store: StoreAccess,
  accounts: Accounts,
  clock: Clock,
): Promise<void> {
  for (const attempt of lost) {
    const entry = entries.get(attempt.batch)
    if (entry === undefined) continue
    const { receipts } = await accounts.receipts({ request: attempt.request, limit: 1 })
    const [receipt] = receipts
    const cost: AttemptCost = receipt ?? { costNano: 0n, unsettledNano: attempt.maxCostNano }
    if (receipt === undefined) {
      enter(entry, attempt, accounts, clock)
      await accounts.written()
    }
    const { costNano, unsettledNano } = cost
    await store.keep([
      { put: 'waiting', batch: attempt.batch, seq: attempt.seq, faults: 0, cost: { costNano, unsettledNano } },
    ])
    entry.progress = added(entry.progress, null, cost, NO_USAGE)
  }
}

function enter({ batch }: Entry, { request, model, maxCostNano }: LostAttempt, accounts: Accounts, clock: Clock): void {
  const payer = payerOf(batch, model)
  // Nothing is asked of the budgets: what may be spent already is entered, even where a budget has nothing left.
  const reservation = accounts.budgets.reserve(payer, 0n)
  if ('settle' in reservation) reservation.settle(maxCostNano)
  accounts.record({
    request,
    atMs: clock.now(),
    ...payer,
    path: batch.endpoint,
    result: 'failed',
    status: null,
    code: 'capacity.client-ended',
    ...{ prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n, total: 0n },
    costNano: 0n,
    unsettledNano: maxCostNano,
    maxCostNano,
    ...{ proxy: null, worker: null, evidence: null, queuedMs: null, sentMs: null, firstByteMs: null },
    attempts: [],
    durationMs: 0,
  })
}
