/** The sums of a period by one thing, and the same as a file. */
import { useState } from 'preact/hooks'
import { queryOf } from '../../node/node-api.ts'
import { useNode } from '../../node/session.ts'
import type { UsageRow } from '../../node/shapes.ts'
import { Action } from '../../parts/action.tsx'
import { Complaint } from '../../parts/complaint.tsx'
import { formatAmount, formatCount, formatMoney } from '../../parts/format.ts'
import { saveAs } from '../../parts/save-as.ts'
import { type Column, Table } from '../../parts/table.tsx'

export const GROUPS = ['day', 'key', 'model', 'project', 'code'] as const
export type Group = (typeof GROUPS)[number]

/** Codes are why requests failed or were refused. */
const NAMES: Readonly<Record<Group, string>> = {
  day: 'day',
  key: 'key',
  model: 'model',
  project: 'project',
  code: 'reason',
}

export interface UsageTableProps {
  readonly by: Group
  readonly rows: readonly UsageRow[]
  readonly nameOf: (by: string, name: string) => string
  /** The period. */
  readonly query: Readonly<Record<string, string | undefined>>
}

const REASON_COLUMNS: readonly Column<UsageRow>[] = [
  { head: 'Refused', cell: (row) => formatCount(row.refused ?? 0), kind: 'number' },
]

const SUM_COLUMNS: readonly Column<UsageRow>[] = [
  { head: 'Prompt tokens', cell: (row) => formatCount(row.prompt_tokens), kind: 'detail number' },
  { head: 'Cached', cell: (row) => formatCount(row.cached_tokens), kind: 'detail number' },
  { head: 'Completion', cell: (row) => formatCount(row.completion_tokens), kind: 'detail number' },
  { head: 'Reasoning', cell: (row) => formatCount(row.reasoning_tokens), kind: 'detail number' },
  {
    head: 'Cost',
    cell: (row) =>
      `${formatMoney(row.cost_nano, row.cost_fiat)}${row.unsettled_nano === '0' ? '' : ` + ${formatAmount(row.unsettled_nano)} unsettled`}`,
    kind: 'number',
  },
]

export function UsageTable({ by, rows, nameOf, query }: UsageTableProps) {
  const node = useNode()
  const [trouble, setTrouble] = useState<unknown>(null)
  const name = NAMES[by]
  const columns: readonly Column<UsageRow>[] = [
    { head: `${name[0]?.toUpperCase()}${name.slice(1)}`, cell: (row) => nameOf(by, String(row[by])) },
    { head: 'Requests', cell: (row) => formatCount(row.requests), kind: 'number' },
    { head: 'Failed', cell: (row) => formatCount(row.failed), kind: 'number' },
    // Of reasons there is nothing else to say: tokens and costs stand in the other sums.
    ...(by === 'code' ? REASON_COLUMNS : SUM_COLUMNS),
  ]
  async function save(): Promise<void> {
    setTrouble(null)
    saveAs(`cocoon-usage-by-${by}.csv`, await node.adminText(`/usage${queryOf({ ...query, by, format: 'csv' })}`))
  }
  return (
    <section aria-label={`By ${name}`}>
      <div class="row">
        <h2>By {name}</h2>
        <Action
          work={save}
          complain={setTrouble}
          label={`Download the usage by ${name} as CSV`}
          disabled={rows.length === 0}
        >
          Download CSV
        </Action>
      </div>
      <Complaint error={trouble} />
      <Table
        caption={`Usage by ${name}`}
        isCaptionHidden
        columns={columns}
        rows={by === 'day' ? rows.toReversed() : rows}
        keyOf={(row) => String(row[by])}
        none={by === 'code' ? 'Every request was answered.' : 'Nothing was used in this time.'}
      />
    </section>
  )
}
