/**
 * Budgets that bind: what a request could cost is taken out of every budget it falls under before it leaves, and what it did
 * cost is entered when it has ended. Spent and reserved together are never above the limit, unless the limit was lowered or the
 * network raised its price while requests ran.
 */
import type { Clock } from '../util/index.ts'
import { BUDGET_WINDOWS, type Budget, type BudgetName } from './accounts.ts'
import { dayOf, windowAt } from './windows.ts'
import type { Spending } from './spending.ts'

/** Who pays for what. */
export interface Payer {
  readonly project: string
  readonly key: string
  readonly model: string
}

export interface BudgetState {
  readonly budget: Budget
  readonly fromMs: number
  readonly untilMs: number
  readonly spentNano: bigint
  readonly reservedNano: bigint
}

export interface Reservation {
  /** Once: gives back what was not used. */
  settle(spentNano: bigint): void
}

export interface Budgets {
  /** All or nothing. */
  reserve(payer: Payer, nano: bigint): Reservation | { readonly short: BudgetState }
  /** Makes or changes a budget; what was spent in its window counts from the first moment. */
  set(budget: Budget): void
  remove(name: BudgetName): boolean
  list(): readonly BudgetState[]
}

/** @param onWarn called once in a window when the share of the budget that its owner wants to hear of is spent */
export function createBudgets(clock: Clock, spending: Spending, onWarn: (state: BudgetState) => void): Budgets {
  const byPlace = new Map<string, Account[]>()

  function applicable({ project, key, model }: Payer): Account[] {
    if (byPlace.size === 0) return NONE
    const found: Account[] = []
    for (const m of ['', model])
      for (const place of [`node\n\n${m}`, `project\n${project}\n${m}`, `key\n${key}\n${m}`]) {
        const accounts = byPlace.get(place)
        if (accounts !== undefined) found.push(...accounts)
      }
    return found
  }

  /** A new window begins with nothing spent: what still runs is settled in the window in which it ends. */
  function current(account: Account): Account {
    const now = clock.now()
    if (now < account.untilMs) return account
    Object.assign(account, windowAt(account.budget.window, now), { spentNano: 0n })
    return account
  }

  function warn(account: Account): void {
    const { budget, spentNano, fromMs } = account
    if (budget.warnedFromMs === fromMs || spentNano * 100n < budget.limitNano * BigInt(budget.warnAtPercent)) return
    account.budget = { ...budget, warnedFromMs: fromMs }
    onWarn(stateOf(account))
  }

  return {
    reserve(payer, nano) {
      const accounts = applicable(payer)
      for (const account of accounts) {
        const { spentNano, reservedNano, budget } = current(account)
        if (spentNano + reservedNano + nano > budget.limitNano) return { short: stateOf(account) }
      }
      for (const account of accounts) account.reservedNano += nano
      let open = true
      return {
        settle(spentNano) {
          if (!open) return
          open = false
          for (const account of accounts) account.reservedNano -= nano
          spending.add({ ...payer, day: dayOf(clock.now()), nano: spentNano })
          // Also those that were made while it ran.
          for (const account of applicable(payer)) {
            current(account).spentNano += spentNano
            warn(account)
          }
        },
      }
    },
    set(budget) {
      const place = placeOf(budget)
      const accounts = byPlace.get(place) ?? []
      const same = accounts.find((a) => a.budget.window === budget.window)
      if (same !== undefined) {
        // A higher limit may be warned of again.
        same.budget = budget
        return
      }
      const span = windowAt(budget.window, clock.now())
      const filter = {
        ...(budget.scope === 'node' ? {} : { [budget.scope]: budget.id }),
        ...(budget.model === '' ? {} : { model: budget.model }),
      }
      const spentNano = spending.sum(filter, dayOf(span.fromMs))
      byPlace.set(place, [...accounts, { budget, ...span, spentNano, reservedNano: 0n }])
    },
    remove(name) {
      const accounts = byPlace.get(placeOf(name)) ?? []
      const left = accounts.filter((a) => a.budget.window !== name.window)
      if (left.length === 0) byPlace.delete(placeOf(name))
      else byPlace.set(placeOf(name), left)
      return left.length < accounts.length
    },
    list: () =>
      [...byPlace.entries()]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([, accounts]) =>
          accounts
            .toSorted((a, b) => BUDGET_WINDOWS.indexOf(a.budget.window) - BUDGET_WINDOWS.indexOf(b.budget.window))
            .map((account) => stateOf(current(account))),
        ),
  }
}

interface Account {
  budget: Budget
  fromMs: number
  untilMs: number
  spentNano: bigint
  reservedNano: bigint
}

const NONE: Account[] = []
const placeOf = ({ scope, id, model }: BudgetName): string => `${scope}\n${id}\n${model}`
const stateOf = ({ budget, fromMs, untilMs, spentNano, reservedNano }: Account): BudgetState => ({
  budget,
  fromMs,
  untilMs,
  spentNano,
  reservedNano,
})
