/** Budgets: what may be spent, what is, and how that is changed. */
import { useState } from 'preact/hooks'
import { useFetched } from '../node/fetched.ts'
import { mayChangeBudget, maySetBudgets, useSelf } from '../node/self.ts'
import { useNode } from '../node/session.ts'
import type { ApiKey, Budget, List, Model, Project } from '../node/shapes.ts'
import { Action } from '../parts/action.tsx'
import { Complaint } from '../parts/complaint.tsx'
import { formatAmount, formatMoney, formatTime } from '../parts/format.ts'
import { Meter } from '../parts/meter.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { BudgetForm, type NewBudget } from './budget-form.tsx'

/** Spending goes on while one looks. */
const EVERY_MS = 10_000

export function Budgets() {
  const node = useNode()
  const self = useSelf()
  const [trouble, setTrouble] = useState<unknown>(null)
  const { value, error, reload } = useFetched(
    'budgets',
    async (signal) => {
      const [budgets, keys, projects, models] = await Promise.all([
        node.admin<List<Budget>>('/budgets', { signal }),
        node.admin<List<ApiKey>>('/keys', { signal }),
        node.admin<List<Project>>('/projects', { signal }),
        // Budgets can be set while the network cannot be reached.
        node.askJson<List<Model>>('/v1/models', '', { signal }).catch(() => ({ data: [] })),
      ])
      return { budgets: budgets.data, keys: keys.data, projects: projects.data, models: models.data }
    },
    { everyMs: EVERY_MS },
  )
  async function change(work: Promise<unknown>): Promise<void> {
    setTrouble(null)
    await work
    reload()
  }
  const set = (wanted: NewBudget): Promise<void> => change(node.admin('/budgets', { method: 'PUT', body: wanted }))
  const drop = ({ scope, id, model, window }: Budget): Promise<void> =>
    change(node.admin('/budgets', { method: 'DELETE', body: { scope, id, model, window } }))
  const whose = ({ scope, id }: Budget): string => {
    const name = scope === 'key' ? value?.keys.find((key) => key.id === id)?.name : undefined
    return scope === 'node' ? 'the node' : `${scope} ${name ? `${name} (${id})` : id}`
  }
  const columns: readonly Column<Budget>[] = [
    { head: 'Of', cell: whose },
    { head: 'Model', cell: ({ model }) => model || 'all' },
    { head: 'Window', cell: ({ window }) => window },
    { head: 'Spent', cell: (budget) => <Spent budget={budget} /> },
    { head: 'Reserved', cell: (budget) => formatAmount(budget.reserved_nano), kind: 'detail number' },
    { head: 'Warns at', cell: (budget) => `${budget.warn_at_percent} %`, kind: 'detail number' },
    { head: 'Until', cell: ({ window_ends: at }) => (at === null ? 'for ever' : formatTime(at)), kind: 'detail' },
    {
      head: 'Change',
      cell: (budget) =>
        mayChangeBudget(self, budget) && (
          <Action
            work={() => drop(budget)}
            complain={setTrouble}
            label={`Drop the ${budget.window} budget of ${whose(budget)}`}
            confirm="Drop it: spending is free"
          >
            Drop
          </Action>
        ),
    },
  ]
  return (
    <>
      <Complaint error={trouble ?? error} />
      {value !== null && (
        <>
          {maySetBudgets(self) && <BudgetForm {...value} set={set} complain={setTrouble} />}
          <Table
            caption="Budgets; windows are those of the calendar in UTC"
            columns={columns}
            rows={value.budgets}
            keyOf={({ scope, id, model, window }) => [scope, id, model, window].join('\n')}
            none="No budgets: requests are bound by the balance alone."
          />
        </>
      )}
    </>
  )
}

function Spent({ budget }: { readonly budget: Budget }) {
  const [limit, spent] = [BigInt(budget.limit_nano), BigInt(budget.spent_nano)]
  // Per mille of a bigint: amounts are beyond what a number holds exactly.
  const share = limit === 0n ? 1 : Number((spent * 1_000n) / limit) / 1_000
  const text = `${formatAmount(budget.spent_nano)} of ${formatMoney(budget.limit_nano, budget.limit_fiat)}`
  return <Meter value={share} max={1} high={budget.warn_at_percent / 100} text={text} />
}
