/** A new budget, or another limit for one that there is. */
import { useState } from 'preact/hooks'
import { mayChangeBudget, useSelf } from '../node/self.ts'
import type { ApiKey, Budget, Model, Project } from '../node/shapes.ts'
import { Action } from '../parts/action.tsx'
import { Choice, Field, TextInput } from '../parts/field.tsx'

/** As `PUT /admin/budgets` takes it. */
export interface NewBudget {
  readonly scope: string
  readonly id: string
  readonly model: string
  readonly window: string
  readonly limit: string
  readonly warn_at_percent: number
}

export interface BudgetFormProps {
  readonly keys: readonly ApiKey[]
  readonly projects: readonly Project[]
  readonly models: readonly Model[]
  readonly budgets: readonly Budget[]
  readonly set: (wanted: NewBudget) => Promise<void>
  readonly complain: (error: unknown) => void
}

const WINDOWS = ['day', 'week', 'month', 'total']

export function BudgetForm({ keys, projects, models, budgets, set, complain }: BudgetFormProps) {
  const [isOpen, setOpen] = useState(false)
  const self = useSelf()
  const owners = [
    ['node', 'the whole node'] as const,
    ...projects.map((one) => [`project ${one.id}`, `project ${one.name || one.id}`] as const),
    ...keys
      .filter((one) => one.revoked_at === null)
      .map((one) => [`key ${one.id}`, `key ${one.name || one.id}`] as const),
  ].filter(([value]) => mayChangeBudget(self, { scope: value.split(' ')[0] as Budget['scope'] }))
  const [wanted, setWhose] = useState('')
  const whose = wanted === '' ? (owners[0]?.[0] ?? '') : wanted
  const [model, setModel] = useState('')
  const [window, setWindow] = useState('month')
  const [limit, setLimit] = useState('')
  const [warn, setWarn] = useState('80')
  const [scope = '', id = ''] = whose.split(' ')
  async function save(): Promise<void> {
    await set({ scope, id, model, window, limit: `${limit.trim()} TON`, warn_at_percent: Number(warn) })
    setLimit('')
    setOpen(false)
  }
  const same = budgets.find((b) => b.scope === scope && b.id === id && b.model === model && b.window === window)
  return (
    <details class="form" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Set a budget</summary>
      <div class="row">
        <Field label="Of">
          <Choice value={whose} onChange={setWhose} options={owners} />
        </Field>
        <Field label="Model">
          <Choice
            value={model}
            onChange={setModel}
            options={[['', 'all'], ...models.map((one) => [one.id, one.id] as const)]}
          />
        </Field>
        <Field label="Window">
          <Choice value={window} onChange={setWindow} options={WINDOWS} />
        </Field>
        <Field label="Limit in TON">
          <TextInput inputMode="decimal" placeholder="2.5" value={limit} onInput={setLimit} />
        </Field>
        <Field label="Warn at, in percent">
          <TextInput type="number" min={1} max={100} value={warn} onInput={setWarn} />
        </Field>
      </div>
      {same !== undefined && (
        <p class="hint">There is one of {same.limit_ton} TON: it gets the new limit, what is spent stays spent.</p>
      )}
      <Action work={save} complain={complain} disabled={limit.trim() === '' || whose === ''} isMain>
        Set the budget
      </Action>
    </details>
  )
}
