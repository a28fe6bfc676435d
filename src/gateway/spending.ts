/** What each key has spent on each model, by day: from this a budget that is new or changed learns what is gone already. */

export interface Spent {
  readonly project: string
  readonly key: string
  readonly model: string
  /** Since 1970; older days than any window reaches may stand together on one. */
  readonly day: number
  readonly nano: bigint
}

export interface Spending {
  add(spent: Spent): void
  /** Sum from the day `fromDay` on. Empty filters take all. */
  sum(filter: { readonly project?: string; readonly key?: string; readonly model?: string }, fromDay: number): bigint
}

/** As long as the longest window that ends. */
const KEPT_DAYS = 32

export function createSpending(): Spending {
  const accounts = new Map<string, Account>()
  return {
    add({ project, key, model, day, nano }) {
      if (nano === 0n) return
      const name = `${project}\n${key}\n${model}`
      let account = accounts.get(name)
      if (account === undefined) accounts.set(name, (account = { project, key, model, byDay: new Map(), older: 0n }))
      account.byDay.set(day, (account.byDay.get(day) ?? 0n) + nano)
      if (account.byDay.size > KEPT_DAYS) foldOldest(account)
    },
    sum({ project, key, model }, fromDay) {
      let sum = 0n
      for (const account of accounts.values()) {
        if (project !== undefined && account.project !== project) continue
        if (key !== undefined && account.key !== key) continue
        if (model !== undefined && account.model !== model) continue
        if (fromDay === 0) sum += account.older
        for (const [day, nano] of account.byDay) if (day >= fromDay) sum += nano
      }
      return sum
    },
  }
}

interface Account {
  readonly project: string
  readonly key: string
  readonly model: string
  readonly byDay: Map<number, bigint>
  older: bigint
}

function foldOldest(account: Account): void {
  const oldest = Math.min(...account.byDay.keys())
  account.older += account.byDay.get(oldest) ?? 0n
  account.byDay.delete(oldest)
}
