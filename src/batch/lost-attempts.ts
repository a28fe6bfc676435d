/**
 * After a crash: attempts that had left, and whose end nobody heard. Each is settled before its batch goes on: a receipt on the disk
 * says what it cost, else the proxies that may have had it are asked. Where nothing was charged the line waits again. Where something
 * was, or nobody can say, its answer is lost: the line has failed, unless its batch wants it repeated. What nobody can say is entered
 * as `unsettled`, the most it could be: budgets must not forget it. docs/decisions/0019-answers-lost-in-a-crash.md.
 */
import type { Gateway, Reservation } from '../gateway/index.ts'
import type { ChargeRecall } from '../roles/client/index.ts'
import { type Clock, formatTon, type Log } from '../util/index.ts'
import { payerOf } from './budget-room.ts'
import { createFates, type Fate } from './fates.ts'
import type { Entry } from './lanes.ts'
import { outputLine } from './output-line.ts'
import { added, NO_USAGE } from './progress.ts'
import type { AttemptCost, LostAttempt } from './records.ts'
import type { StoreAccess } from './store-access.ts'

export interface LostDeps {
  readonly clock: Clock
  readonly log: Log
  readonly store: StoreAccess
  readonly accounts: Pick<Gateway, 'budgets' | 'receipts' | 'record' | 'written'>
  readonly recall: ChargeRecall | null
}

export interface LostAttempts {
  /** Resolves when no attempt of the batch is open any more; rejects with what the disk says. */
  over(batch: string): Promise<void>
  /** What is still open stays so for the next start. */
  abort(): void
}

interface Open {
  readonly attempt: LostAttempt
  readonly entry: Entry
  readonly reservation: Reservation
}

/**
 * Resolves when all are settled for which nobody has to be asked. Until the others are, what they could cost stays reserved, as it was
 * before the crash.
 */
export async function settleLost(
  lost: readonly LostAttempt[],
  entries: ReadonlyMap<string, Entry>,
  deps: LostDeps,
): Promise<LostAttempts> {
  const { clock, recall, accounts } = deps
  const fates = createFates({ clock, recall })
  // All of them first: nothing else may take their room.
  const open = lost.flatMap((attempt): Open[] => {
    const entry = entries.get(attempt.batch)
    return entry === undefined ? [] : [{ attempt, entry, reservation: hold(attempt, entry, accounts) }]
  })
  const overByBatch = new Map<string, Promise<void>[]>()
  /** Whoever waits for it is told what went wrong; until then it is no fault of the process. */
  function later({ attempt }: Open, then: (fate: Fate) => Promise<void>): void {
    const over = fates.of(attempt).then((fate) => (fate === null ? undefined : then(fate)))
    over.catch(() => undefined)
    overByBatch.set(attempt.batch, [...(overByBatch.get(attempt.batch) ?? []), over])
  }
  for (const one of open) {
    const { attempt, reservation } = one
    const isTold = recall !== null && attempt.sentTo !== null
    const { receipts } = await accounts.receipts({ request: attempt.request, limit: 1 })
    const [receipt] = receipts
    if (receipt === undefined) {
      if (isTold) later(one, (fate) => settle(one, fate, deps))
      else await settle(one, { is: 'unknown' }, deps)
      continue
    }
    // Its budgets have counted it since they were opened.
    reservation.settle(0n)
    const cost = { costNano: receipt.costNano, unsettledNano: receipt.unsettledNano }
    // Of a node that was stopped before the proxies had told: the receipt stands, and what it holds for possible.
    if (cost.unsettledNano > 0n && isTold) later(one, (fate) => end(one, cost, fate.is === 'nothing', deps))
    else await end(one, cost, wasFree(cost), deps)
  }
  return {
    over: async (batch) => void (await Promise.all(overByBatch.get(batch) ?? [])),
    abort: () => fates.abort(),
  }
}

function hold({ model, maxCostNano }: LostAttempt, { batch }: Entry, { budgets }: LostDeps['accounts']): Reservation {
  const held = budgets.reserve(payerOf(batch, model), maxCostNano)
  if ('settle' in held) return held
  // A budget that was lowered meanwhile has no room to hold it; what it did cost is entered all the same.
  const nothing = budgets.reserve(payerOf(batch, model), 0n)
  return 'settle' in nothing ? nothing : { settle: () => undefined }
}

async function settle(one: Open, fate: Fate, deps: LostDeps): Promise<void> {
  const { attempt, entry, reservation } = one
  const cost = costOf(fate, attempt)
  reservation.settle(cost.costNano + cost.unsettledNano)
  enter(attempt, entry, fate, cost, deps)
  await deps.accounts.written()
  await end(one, cost, wasFree(cost), deps)
}

const wasFree = ({ costNano, unsettledNano }: AttemptCost): boolean => costNano === 0n && unsettledNano === 0n

/** The line waits again, or fails. */
async function end(
  { attempt, entry }: Open,
  cost: AttemptCost,
  mayRepeat: boolean,
  { store, log }: LostDeps,
): Promise<void> {
  const { batch, seq, customId, faults, request } = attempt
  log.info('an attempt of a line ended with the process before this one', { batch, line: seq, request, ...cost })
  if (mayRepeat || entry.batch.repeatLost) {
    await store.keep([{ put: 'waiting', batch, seq, faults, cost }])
    entry.progress = added(entry.progress, null, cost, NO_USAGE)
    return
  }
  const output = outputLine(batch, seq, customId, { error: { code: 'capacity.answer-lost', message: sentence(cost) } })
  await store.keep([{ put: 'answer', batch, seq, isGood: false, cost, usage: NO_USAGE, output }])
  entry.progress = added(entry.progress, 'failed', cost, NO_USAGE)
}

function sentence({ costNano, unsettledNano }: AttemptCost): string {
  const paid =
    unsettledNano > 0n ? `It may have cost up to ${formatTon(unsettledNano)} TON` : `It cost ${formatTon(costNano)} TON`
  return `The client node ended while this line was under way, and its answer was lost. ${paid}, and was not asked again: send it in another batch, or make batches with repeat_lost.`
}

function costOf(fate: Fate, { maxCostNano }: LostAttempt): AttemptCost {
  switch (fate.is) {
    case 'charged':
      return { costNano: fate.costNano, unsettledNano: 0n }
    case 'nothing':
      return { costNano: 0n, unsettledNano: 0n }
    case 'unknown':
      return { costNano: 0n, unsettledNano: maxCostNano }
    default:
      return fate satisfies never
  }
}

function enter(
  { request, model, maxCostNano }: LostAttempt,
  { batch }: Entry,
  fate: Fate,
  cost: AttemptCost,
  { accounts, clock }: LostDeps,
): void {
  accounts.record({
    request,
    atMs: clock.now(),
    ...payerOf(batch, model),
    path: batch.endpoint,
    result: 'failed',
    status: null,
    code: 'capacity.client-ended',
    // By class nobody knows.
    ...{ prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n },
    total: fate.is === 'charged' ? fate.tokens : 0n,
    ...cost,
    maxCostNano,
    ...{ proxy: null, worker: null, evidence: null, queuedMs: null, sentMs: null, firstByteMs: null },
    attempts: [],
    durationMs: 0,
  })
}
