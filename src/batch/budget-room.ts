/** Whether a refusal by a budget is for good: what is spent stays spent, what running requests hold may come back. */
import { type BudgetState, DEFAULT_PROJECT } from '../gateway/index.ts'
import type { Batch } from './records.ts'

export interface LinePayer {
  readonly project: string
  readonly key: string
  readonly model: string
}

export const payerOf = ({ project, caller }: Pick<Batch, 'project' | 'caller'>, model: string): LinePayer => ({
  project: project === '' ? DEFAULT_PROJECT : project,
  key: caller,
  model,
})

/** Whether a budget of the payer has less than `nano` left even when nothing runs. */
export const isSpent = (budgets: readonly BudgetState[], payer: LinePayer, nano: bigint): boolean =>
  budgets.some(({ budget, spentNano }) => {
    const { scope, id, model, limitNano } = budget
    const isTheirs = scope === 'node' || id === payer[scope]
    return isTheirs && (model === '' || model === payer.model) && spentNano + nano > limitNano
  })
